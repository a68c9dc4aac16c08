// Fused attention on AMX tiles (bf16_tiles.h): float operands in three parts, bf16 operands in one. Compiled for AMX only.
// As in flash_attention_kernel.h everything is computed transposed, so that a row of S^T is one key against 16 queries in
// the lanes of a vector. Both forms in which P^T and dS^T go into the next products are then made lane by lane:
//   S^T = K Q^T    O^T += V^T P^T                                    P^T as right operand, pairs of keys
//   dP^T = V dO^T  dV += P^T dO  dK += dS^T Q  dQ^T += K^T dS^T      P^T, dS^T as left, dS^T also as right operand
// Operands are packed once a head, padded with zeros to whole tiles: tokens to pairs of tiles, d to tiles. The weights of
// padded tokens are set to zero, whatever their logits are.
// The scale and log2 e are one factor of the logits, applied in the exponent. exp2 is 2^floor(t) p(t - floor(t)), p of degree
// 5 (relative error 1.5e-7) for float, of degree 3 (7.5e-5, a 50th of a rounding of bf16) for bf16.
// The maximum that weights are relative to moves only when a logit exceeds it by 8 in the exponent of 2: weights stay
// below 256, and almost every block is spared the correction of earlier sums.
#pragma once

#include "cpu/attention_rows.h"
#include "cpu/bf16_tiles.h"
#include "cpu/flash_attention_kernels.h"

namespace videomae {

template <class T>
struct TileAttention {
  static constexpr int kParts = sizeof(T) == 4 ? 3 : 1;
  using Forward = FlashAttention<T>;
  using Backward = FlashAttentionBackward<T>;
  using Product = TileProduct<kParts>;
  using Split = SplitVector<kParts>;
  static constexpr int64_t kTile = kParts * kTileElements;     // elements from one tile of an operand to the next
  static constexpr int64_t kGroup = 32;                        // tokens packed together
  static constexpr int64_t kForwardKeys = 128;                 // keys that pass by a group of queries at a time
  static constexpr int64_t kBlock = 64;                        // keys and queries of a block of the backward pass
  static constexpr int64_t kMaxWidth = kAttentionMaxHeadDim;
  static constexpr double kLog2E = 1.4426950408889634;
  static constexpr float kNormFloor = 1e-12f, kLowest = -3.402823466e38f, kSlack = 8;

  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
  static int64_t groups(int64_t tokens) { return (tokens + kGroup - 1) / kGroup; }
  static int64_t tiles(int64_t d) { return (d + 15) / 16; }   // of d as rows or columns
  static int64_t depth(int64_t d) { return (d + 31) / 32; }   // of d as the summed dimension
  static __mmask16 lanes_below(int64_t n) { return static_cast<__mmask16>(n >= 16 ? 0xFFFF : n <= 0 ? 0 : (1 << n) - 1); }

  // --- the space ---------------------------------------------------------------------------------------------------

  /// One head's packed operands. By token along the tiles and d summed over: left `_rows`, right `_columns`. With tokens
  /// summed over and d along the tiles: left `_across`, right `_down`.
  struct Space {
    bf16 *k_rows, *q_columns, *v_across;                              // forward
    bf16 *v_rows, *grad_columns, *k_across, *q_down, *grad_down;      // backward: these, k_rows and q_columns
    float *lse2, *output_dot, *q_norm, *k_norm;                       // (N) each, padded; lse2 in the exponent of 2
    float* grad_q;                                                    // (parts, tiles of tokens, tiles of d, 16 d, 16 tokens)
  };

  static int64_t lay_out(int64_t tokens, int64_t d, int64_t parts, void* base, Space* s) {
    int64_t size = 0;
    auto take = [&](auto*& at, int64_t elements) {
      using Element = std::remove_reference_t<decltype(*at)>;
      at = base ? reinterpret_cast<Element*>(static_cast<char*>(base) + size) : nullptr;
      size += (elements * static_cast<int64_t>(sizeof(Element)) + 63) / 64 * 64;
    };
    const int64_t by_token = 2 * groups(tokens) * depth(d) * kTile, by_width = groups(tokens) * tiles(d) * kTile;
    take(s->k_rows, by_token), take(s->q_columns, by_token);
    if (parts == 0) {
      take(s->v_across, by_width);
      return size;
    }
    take(s->v_rows, by_token), take(s->grad_columns, by_token);
    take(s->k_across, by_width), take(s->q_down, by_width), take(s->grad_down, by_width);
    for (float** row : {&s->lse2, &s->output_dot, &s->q_norm, &s->k_norm}) take(*row, groups(tokens) * kGroup);
    take(s->grad_q, parts * grad_q_size(tokens, d));
    return size;
  }

  static int64_t grad_q_size(int64_t tokens, int64_t d) { return 2 * groups(tokens) * tiles(d) * kTileSums; }
  static int64_t forward_space(int64_t tokens, int64_t d) {
    Space unused;
    return lay_out(tokens, d, 0, nullptr, &unused);
  }
  static int64_t backward_space(int64_t tokens, int64_t d, int64_t parts) {
    Space unused;
    return lay_out(tokens, d, parts, nullptr, &unused);
  }

  // --- packing -----------------------------------------------------------------------------------------------------

  VIDEOMAE_INLINE __m512 load(const float* p, __mmask16 mask) { return _mm512_maskz_loadu_ps(mask, p); }
  VIDEOMAE_INLINE __m512 load(const bf16* p, __mmask16 mask) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, p)), 16));
  }
  VIDEOMAE_INLINE void store(float* p, __mmask16 mask, __m512 x) { _mm512_mask_storeu_ps(p, mask, x); }
  VIDEOMAE_INLINE void store(bf16* p, __mmask16 mask, __m512 x) {
    _mm256_mask_storeu_epi16(p, mask, (__m256i)_mm512_cvtneps_pbh(x));
  }

  template <class A, class B>
  static float dot(const A* a, const B* b, int64_t d) {
    __m512 sum = _mm512_setzero_ps();
    for (int64_t c = 0; c < d; c += 16)
      sum = _mm512_fmadd_ps(load(a + c, lanes_below(d - c)), load(b + c, lanes_below(d - c)), sum);
    return _mm512_reduce_add_ps(sum);
  }

  /// A group of up to 32 rows as floats, zero beyond the rows and beyond d.
  struct Stage {
    alignas(64) float x[kGroup][kMaxWidth];
    __mmask16 wild = 0;  // set when a number is not below kTileLimit

    /// Divides each row by max(norm, floor) when `norms` is given, and leaves those there.
    void fill(const T* from, int64_t ld, int64_t rows, int64_t d, float* norms) {
      const __m512 limit = _mm512_set1_ps(kTileLimit);
      for (int64_t r = 0; r < kGroup; ++r, from += ld) {
        float norm = 1;
        if (norms && r < rows) {
          norm = __builtin_sqrtf(dot(from, from, d));
          norms[r] = norm = norm < kNormFloor ? kNormFloor : norm;  // a NaN stays
        }
        for (int64_t c = 0; c < 32 * depth(d); c += 16) {
          __m512 v = r < rows ? load(from + c, lanes_below(d - c)) : _mm512_setzero_ps();
          if (norms) v = _mm512_div_ps(v, _mm512_set1_ps(norm));
          if (kParts > 1) wild |= _mm512_cmp_ps_mask(_mm512_abs_ps(v), limit, _CMP_NLT_UQ);
          _mm512_store_ps(&x[r][c], v);
        }
      }
    }

    Split split(int64_t r, int64_t c) const { return Split(_mm512_load_ps(&x[r][c])); }
  };

  /// Packs group g of a matrix in up to four ways; null: not that one.
  struct Packed {
    bf16 *rows, *columns, *across, *down;
  };
  static void pack(const Stage& stage, int64_t g, int64_t d, const Packed& to) {
    alignas(64) bf16 scratch[kTile];
    if (to.rows || to.columns)
      for (int64_t half = 0; half < 2; ++half)
        for (int64_t k = 0; k < depth(d); ++k) {
          const int64_t at = ((2 * g + half) * depth(d) + k) * kTile;
          bf16* tile = to.rows ? to.rows + at : scratch;
          for (int64_t r = 0; r < 16; ++r)
            store_row<kParts>(tile + 32 * r, stage.split(16 * half + r, 32 * k), stage.split(16 * half + r, 32 * k + 16));
          if (to.columns) transpose_parts(tile, to.columns + at);
        }
    if (to.across || to.down)
      for (int64_t t = 0; t < tiles(d); ++t) {
        const int64_t at = (g * tiles(d) + t) * kTile;
        bf16* tile = to.down ? to.down + at : scratch;
        for (int64_t r = 0; r < 16; ++r)
          store_pairs<kParts>(tile + 32 * r, stage.split(2 * r, 16 * t), stage.split(2 * r + 1, 16 * t));
        if (to.across) transpose_parts(tile, to.across + at);
      }
  }
  static void transpose_parts(const bf16* from, bf16* to) {
    for (int64_t p = 0; p < kTile; p += kTileElements) transpose_tile(from + p, to + p);
  }

  // --- exponentials ------------------------------------------------------------------------------------------------

  /// 2^t where `mask` is set, else 0. 0 for -inf, NaN for NaN.
  VIDEOMAE_INLINE __m512 exp2(__mmask16 mask, __m512 t) {
    const __m512 r = _mm512_reduce_ps(t, 1);  // t - floor(t)
    auto next = [&](__m512 p, float c) __attribute__((always_inline)) { return _mm512_fmadd_ps(p, r, _mm512_set1_ps(c)); };
    __m512 p;
    if constexpr (kParts == 3) {
      p = _mm512_set1_ps(0.001877576645f);
      p = next(next(next(p, 0.008989340162f), 0.05582631799f), 0.2401536171f);
      p = next(next(p, 0.6931530732f), 0.9999999251f);
    } else {
      p = next(_mm512_set1_ps(0.07802452004f), 0.2260671591f);
      p = next(next(p, 0.6958335392f), 0.9999252186f);
    }
    return _mm512_maskz_scalef_ps(mask, p, t);
  }

  // --- forward -----------------------------------------------------------------------------------------------------

  static bool prepare_forward(const Forward& args, int64_t head, void* space) {
    Space s;
    lay_out(args.tokens, args.head_dim, 0, space, &s);
    const int64_t n = args.tokens, d = args.head_dim, ld = attention_rows::qkv_step(args);
    float norms[kGroup];
    Stage stage;
    for (int64_t g = 0; g < groups(n); ++g) {
      auto fill = [&](int64_t which, bool normalise) {
        stage.fill(args.qkv + attention_rows::qkv_offset(args, head, which) + g * kGroup * ld, ld,
                   smaller(kGroup, n - g * kGroup), d, normalise ? norms : nullptr);
      };
      fill(0, args.cosine), pack(stage, g, d, {nullptr, s.q_columns, nullptr, nullptr});
      fill(1, args.cosine), pack(stage, g, d, {s.k_rows, nullptr, nullptr, nullptr});
      fill(2, false), pack(stage, g, d, {nullptr, nullptr, s.v_across, nullptr});
    }
    return stage.wild == 0;
  }

  /// What runs along with a group of queries: for each of two vectors of lanes the maximum in use and the sum.
  struct Running {
    __m512 highest[2], total[2];
  };

  static void forward(const Forward& args, int64_t head, TokenRange queries, void* space) {
    Space s;
    lay_out(args.tokens, args.head_dim, 0, space, &s);
    const TileRegisters registers;
    for (int64_t g = queries.begin / kGroup; g < groups(queries.end); ++g) forward_group(args, head, g, s);
  }

  static void forward_group(const Forward& args, int64_t head, int64_t g, const Space& s) {
    const int64_t n = args.tokens, d = args.head_dim;
    alignas(64) float logits[kForwardKeys * kGroup];                 // [key][query]
    alignas(64) bf16 weights[kForwardKeys / 32 * 2 * kTile];         // right tiles (32 keys, 16 queries)
    alignas(64) float sum[kMaxWidth / 16 * 2 * kTileSums];           // tiles (16 d, 16 queries)
    const TileOperand queries{s.q_columns + 2 * g * depth(d) * kTile, depth(d) * kTile, kTile};
    const float factor = static_cast<float>(attention_rows::scale(args, head) * kLog2E);
    Running run{{_mm512_set1_ps(kLowest), _mm512_set1_ps(kLowest)}, {}};
    for (int64_t key = 0; key < n; key += kForwardKeys) {
      const int64_t keys = smaller(kForwardKeys, n - key), pairs = groups(keys);
      Product::run(2 * pairs, 2, depth(d), {s.k_rows + key / 16 * depth(d) * kTile, depth(d) * kTile, kTile}, queries,
                   {logits, 16 * kGroup, 16, kGroup}, false);
      follow_maximum(logits, keys, factor, run, sum, key > 0 ? tiles(d) : 0);
      weigh(logits, keys, factor, run, weights);
      Product::run(tiles(d), 2, pairs, {s.v_across + key / 32 * tiles(d) * kTile, kTile, tiles(d) * kTile},
                   {weights, kTile, 2 * kTile}, {sum, 2 * kTileSums, kTileSums, 16}, key > 0);
    }
    write_out(args, head, g, run, sum);
  }

  /// Raises the maximum in use where the block's logits exceed it by more than the slack, and corrects what was summed.
  static void follow_maximum(const float* logits, int64_t keys, float factor, Running& run, float* sum, int64_t sum_tiles) {
    const __m512 times = _mm512_set1_ps(factor);
    for (int v = 0; v < 2; ++v) {
      // The maximum operand comes second: it is kept where a logit is NaN, which the exponential brings back.
      __m512 most[4];
      for (__m512& m : most) m = run.highest[v];
      int64_t i = 0;
      for (; i + 4 <= keys; i += 4)
        for (int j = 0; j < 4; ++j)
          most[j] = _mm512_max_ps(_mm512_mul_ps(_mm512_load_ps(logits + (i + j) * kGroup + 16 * v), times), most[j]);
      for (; i < keys; ++i)
        most[0] = _mm512_max_ps(_mm512_mul_ps(_mm512_load_ps(logits + i * kGroup + 16 * v), times), most[0]);
      const __m512 highest = _mm512_max_ps(_mm512_max_ps(most[0], most[1]), _mm512_max_ps(most[2], most[3]));
      const __mmask16 above = _mm512_cmp_ps_mask(highest, _mm512_add_ps(run.highest[v], _mm512_set1_ps(kSlack)), _CMP_GT_OQ);
      if (above == 0) continue;
      const __m512 moved = _mm512_mask_mov_ps(run.highest[v], above, highest);
      const __m512 correction = exp2(0xFFFF, _mm512_sub_ps(run.highest[v], moved));
      run.highest[v] = moved;
      run.total[v] = _mm512_mul_ps(run.total[v], correction);
      for (int64_t r = 0; r < 16 * sum_tiles; ++r) {
        float* row = sum + (r / 16 * 2 + v) * kTileSums + r % 16 * 16;
        _mm512_store_ps(row, _mm512_mul_ps(_mm512_load_ps(row), correction));
      }
    }
  }

  /// Logits to weights relative to the maximum in use, as right tiles; zero for keys beyond `keys`.
  static void weigh(const float* logits, int64_t keys, float factor, Running& run, bf16* weights) {
    const __m512 times = _mm512_set1_ps(factor);
    for (int v = 0; v < 2; ++v) {
      const __m512 highest = run.highest[v];
      __m512 even_total = run.total[v], odd_total = _mm512_setzero_ps();
      for (int64_t key = 0; key < groups(keys) * kGroup; key += 2) {
        const float* x = logits + key * kGroup + 16 * v;
        const __mmask16 even_held = key < keys ? 0xFFFF : 0, odd_held = key + 1 < keys ? 0xFFFF : 0;
        const __m512 even = exp2(even_held, _mm512_fmsub_ps(_mm512_load_ps(x), times, highest));
        const __m512 odd = exp2(odd_held, _mm512_fmsub_ps(_mm512_load_ps(x + kGroup), times, highest));
        even_total = _mm512_add_ps(even_total, even);
        odd_total = _mm512_add_ps(odd_total, odd);
        store_pairs<kParts>(weights + (key / 32 * 2 + v) * kTile + key % 32 * 16, Split(even), Split(odd));
      }
      run.total[v] = _mm512_add_ps(even_total, odd_total);
    }
  }

  static void write_out(const Forward& args, int64_t head, int64_t g, const Running& run, const float* sum) {
    const int64_t n = args.tokens, d = args.head_dim, step = attention_rows::out_step(args);
    for (int v = 0; v < 2; ++v) {
      const int64_t first = g * kGroup + 16 * v, count = smaller(16, n - first);
      if (count <= 0) return;
      T* out = args.out + attention_rows::out_offset(args, head) + first * step;
      for (int64_t t = 0; t < tiles(d); ++t) {
        __m512i rows[16];
        const float* tile = sum + (2 * t + v) * kTileSums;
#pragma GCC unroll 16
        for (int r = 0; r < 16; ++r)
          rows[r] = _mm512_castps_si512(_mm512_div_ps(_mm512_load_ps(tile + 16 * r), run.total[v]));
        transpose_words(rows);
        for (int64_t r = 0; r < count; ++r)
          store(out + r * step + 16 * t, lanes_below(d - 16 * t), _mm512_castsi512_ps(rows[r]));
      }
      alignas(64) float highest[16], total[16];
      _mm512_store_ps(highest, run.highest[v]);
      _mm512_store_ps(total, run.total[v]);
      float* lse = args.lse + head * n + first;
      for (int64_t i = 0; i < count; ++i)
        lse[i] = static_cast<float>(highest[i] / kLog2E + __builtin_log(static_cast<double>(total[i])));
    }
  }

  // --- backward ----------------------------------------------------------------------------------------------------
  //   P = e^(S - lse)   dP = dO V^T   dS = P (dP - rowsum(dO O))   dV = P^T dO   dQ = scale dS K   dK = scale dS^T Q

  static bool prepare_backward(const Backward& args, int64_t head, int64_t parts, void* space) {
    Space s;
    lay_out(args.tokens, args.head_dim, parts, space, &s);
    const int64_t n = args.tokens, d = args.head_dim, ld = attention_rows::qkv_step(args);
    const int64_t out_step = attention_rows::out_step(args), out_offset = attention_rows::out_offset(args, head);
    const T *grad_out = args.grad_out + out_offset, *out = args.out + out_offset;
    Stage stage;
    for (int64_t g = 0; g < groups(n); ++g) {
      const int64_t first = g * kGroup, count = smaller(kGroup, n - first);
      auto fill = [&](int64_t which, float* norms) {
        stage.fill(args.qkv + attention_rows::qkv_offset(args, head, which) + first * ld, ld, count, d,
                   args.cosine ? norms : nullptr);
      };
      fill(0, s.q_norm + first), pack(stage, g, d, {nullptr, s.q_columns, nullptr, s.q_down});
      fill(1, s.k_norm + first), pack(stage, g, d, {s.k_rows, nullptr, s.k_across, nullptr});
      fill(2, nullptr), pack(stage, g, d, {s.v_rows, nullptr, nullptr, nullptr});
      stage.fill(grad_out + first * out_step, out_step, count, d, nullptr);
      pack(stage, g, d, {nullptr, s.grad_columns, nullptr, s.grad_down});
      for (int64_t i = 0; i < kGroup; ++i) {
        const bool held = i < count;
        if (held && !args.cosine) s.q_norm[first + i] = s.k_norm[first + i] = 1;
        s.lse2[first + i] = held ? static_cast<float>(args.lse[head * n + first + i] * kLog2E) : 0;
        s.output_dot[first + i] =
            held ? dot(grad_out + (first + i) * out_step, out + (first + i) * out_step, d) : 0;
        if (kParts > 1 && !(__builtin_fabsf(s.lse2[first + i]) < kTileLimit)) stage.wild = 1;
        if (kParts > 1 && !(__builtin_fabsf(s.output_dot[first + i]) < kTileLimit)) stage.wild = 1;
      }
    }
    return stage.wild == 0;
  }

  /// The buffers of one block of keys against one block of queries.
  struct Block {
    alignas(64) float logits[kBlock * kBlock], grads[kBlock * kBlock];             // [key][query]: S^T, dP^T
    alignas(64) bf16 p_left[kBlock * kBlock / 512 * kTile];                        // tiles (16 keys, 32 queries)
    alignas(64) bf16 ds_left[kBlock * kBlock / 512 * kTile];                       // the same
    alignas(64) bf16 ds_right[kBlock * kBlock / 512 * kTile];                      // tiles (32 keys, 16 queries)
    alignas(64) float grad_k[kBlock * kMaxWidth], grad_v[kBlock * kMaxWidth];      // tiles (16 keys, 16 d)
  };

  static void backward(const Backward& args, int64_t head, TokenRange keys, int64_t part, void* space) {
    const int64_t n = args.tokens, d = args.head_dim, ld = attention_rows::qkv_step(args);
    Space s;
    lay_out(n, d, 1, space, &s);  // what lies before grad_q does not depend on the parts
    float* grad_q = s.grad_q + part * grad_q_size(n, d);
    const float scale = static_cast<float>(attention_rows::scale(args, head));
    const TileRegisters registers;
    Block block;
    for (int64_t key = keys.begin; key < keys.end; key += kBlock) {
      const int64_t count = smaller(kBlock, keys.end - key);
      for (int64_t query = 0; query < n; query += kBlock)
        backward_block(s, d, n, key, count, query, scale, block, grad_q, key > keys.begin);
      for (int64_t r = 0; r < count; ++r) {
        const int64_t row = key + r, at = r / 16 * tiles(d) * kTileSums + r % 16 * 16;
        T* grad_k = args.grad_qkv + attention_rows::qkv_offset(args, head, 1) + row * ld;
        const T* k = args.qkv + attention_rows::qkv_offset(args, head, 1) + row * ld;
        finish_row(block.grad_k + at, kTileSums, scale, args.cosine, k, s.k_norm[row], d, grad_k);
        T* grad_v = args.grad_qkv + attention_rows::qkv_offset(args, head, 2) + row * ld;
        finish_row(block.grad_v + at, kTileSums, 1, false, k, 1, d, grad_v);
      }
    }
  }

  static void backward_block(const Space& s, int64_t d, int64_t n, int64_t key, int64_t keys, int64_t query, float scale,
                             Block& b, float* grad_q, bool add_to_q) {
    const int64_t queries = smaller(kBlock, n - query), key_pairs = groups(keys), query_pairs = groups(queries);
    const int64_t along = depth(d) * kTile, across = tiles(d) * kTile, key_tile = key / 16, query_tile = query / 16;
    auto over_width = [&](const bf16* rows, const bf16* columns, float* result) {
      Product::run(2 * key_pairs, 2 * query_pairs, depth(d), {rows + key_tile * along, along, kTile},
                   {columns + query_tile * along, along, kTile}, {result, 16 * kBlock, 16, kBlock}, false);
    };
    over_width(s.k_rows, s.q_columns, b.logits);
    over_width(s.v_rows, s.grad_columns, b.grads);
    weigh_block(s, key_pairs, keys, query, queries, scale, b);
    auto over_queries = [&](const bf16* left, const bf16* down, float* result) {
      Product::run(2 * key_pairs, tiles(d), query_pairs, {left, kBlock / 32 * kTile, kTile},
                   {down + query / 32 * across, kTile, across}, {result, tiles(d) * kTileSums, kTileSums, 16}, query > 0);
    };
    over_queries(b.p_left, s.grad_down, b.grad_v);
    over_queries(b.ds_left, s.q_down, b.grad_k);
    Product::run(tiles(d), 2 * query_pairs, key_pairs, {s.k_across + key / 32 * across, kTile, across},
                 {b.ds_right, kTile, kBlock / 16 * kTile},
                 {grad_q + query_tile * tiles(d) * kTileSums, kTileSums, tiles(d) * kTileSums, 16}, add_to_q);
  }

  /// S^T and dP^T to P^T and dS^T, packed; zero for padded keys and queries.
  static void weigh_block(const Space& s, int64_t key_pairs, int64_t keys, int64_t query, int64_t queries, float scale,
                          Block& b) {
    const __m512 times = _mm512_set1_ps(static_cast<float>(scale * kLog2E));
    for (int64_t q = 0; q < groups(queries) * kGroup; q += kGroup) {
      const __mmask16 held[2] = {lanes_below(queries - q), lanes_below(queries - q - 16)};
      const __m512 lse[2] = {_mm512_load_ps(s.lse2 + query + q), _mm512_load_ps(s.lse2 + query + q + 16)};
      const __m512 out[2] = {_mm512_load_ps(s.output_dot + query + q), _mm512_load_ps(s.output_dot + query + q + 16)};
      for (int64_t key = 0; key < key_pairs * 32; key += 2) {
        __m512 p[2][2], ds[2][2];  // [key][vector of queries]
#pragma GCC unroll 2
        for (int i = 0; i < 2; ++i)
#pragma GCC unroll 2
          for (int v = 0; v < 2; ++v) {
            const int64_t at = (key + i) * kBlock + q + 16 * v;
            const __mmask16 mask = key + i < keys ? held[v] : 0;
            p[i][v] = exp2(mask, _mm512_fmsub_ps(_mm512_load_ps(b.logits + at), times, lse[v]));
            ds[i][v] = _mm512_maskz_mul_ps(mask, p[i][v], _mm512_sub_ps(_mm512_load_ps(b.grads + at), out[v]));
          }
        for (int i = 0; i < 2; ++i) {
          const int64_t at = ((key + i) / 16 * (kBlock / 32) + q / 32) * kTile + (key + i) % 16 * 32;
          const Split first(ds[i][0]), second(ds[i][1]);
          store_row<kParts>(b.p_left + at, Split(p[i][0]), Split(p[i][1]));
          store_row<kParts>(b.ds_left + at, first, second);
        }
        for (int v = 0; v < 2; ++v) {
          bf16* tile = b.ds_right + (key / 32 * (kBlock / 16) + q / 16 + v) * kTile;
          store_pairs<kParts>(tile + key % 32 * 16, Split(ds[0][v]), Split(ds[1][v]));
        }
      }
    }
  }

  /// From times g, the gradient of x^ = x / norm, to that of x: (g - x^ (x^ . g)) / norm, without the projection on
  /// the norm floor, where x^ is linear in x. Not cosine: x^ is x. g is 16 numbers in every `step`.
  static void finish_row(const float* g, int64_t step, float times, bool cosine, const T* x, float norm, int64_t d,
                         T* grad) {
    const __m512 factor = _mm512_set1_ps(times), divisor = _mm512_set1_ps(norm);
    __m512 along = _mm512_setzero_ps();
    if (cosine && !(norm <= kNormFloor)) {
      for (int64_t c = 0; c < d; c += 16)
        along = _mm512_fmadd_ps(load(x + c, lanes_below(d - c)), _mm512_load_ps(g + c / 16 * step), along);
      along = _mm512_set1_ps(_mm512_reduce_add_ps(along) / norm);
    }
    for (int64_t c = 0; c < d; c += 16) {
      __m512 y = _mm512_load_ps(g + c / 16 * step);
      if (cosine) {
        const __m512 unit = _mm512_div_ps(load(x + c, lanes_below(d - c)), divisor);
        y = _mm512_div_ps(_mm512_fnmadd_ps(unit, along, y), divisor);
      }
      store(grad + c, lanes_below(d - c), _mm512_mul_ps(factor, y));
    }
  }

  /// With q^ the (normalised) query: grad q^ = scale dS K, and grad scale = sum of q^ . (dS K).
  static double finish(const Backward& args, int64_t head, int64_t parts, void* space) {
    const int64_t n = args.tokens, d = args.head_dim, ld = attention_rows::qkv_step(args), size = grad_q_size(n, d);
    Space s;
    lay_out(n, d, parts, space, &s);
    const float scale = static_cast<float>(attention_rows::scale(args, head));
    alignas(64) float rows[16][kMaxWidth];
    double grad_scale = 0;
    for (int64_t first = 0; first < n; first += 16) {
      for (int64_t t = 0; t < tiles(d); ++t) {
        const float* tile = s.grad_q + (first / 16 * tiles(d) + t) * kTileSums;
        __m512i sum[16];
#pragma GCC unroll 16
        for (int r = 0; r < 16; ++r) {
          __m512 x = _mm512_load_ps(tile + 16 * r);
          for (int64_t part = 1; part < parts; ++part) x = _mm512_add_ps(x, _mm512_load_ps(tile + part * size + 16 * r));
          sum[r] = _mm512_castps_si512(x);
        }
        transpose_words(sum);
#pragma GCC unroll 16
        for (int r = 0; r < 16; ++r) _mm512_store_si512(&rows[r][16 * t], sum[r]);
      }
      for (int64_t r = 0; r < smaller(16, n - first); ++r) {
        const int64_t at = attention_rows::qkv_offset(args, head, 0) + (first + r) * ld;
        const float norm = s.q_norm[first + r];
        if (args.grad_logit_scale) grad_scale += static_cast<double>(dot(args.qkv + at, rows[r], d)) / norm;
        finish_row(rows[r], 16, scale, args.cosine, args.qkv + at, norm, d, args.grad_qkv + at);
      }
    }
    return grad_scale;
  }

  static constexpr AttentionKernels<T> table(const AttentionKernels<T>* plain) {
    return {forward_space, backward_space, prepare_forward, prepare_backward, forward, backward, finish, plain};
  }
};

}  // namespace videomae
