// Fused attention on products of tiles (bf16_tiles.h): float operands in three parts, bf16 operands in one. As in
// flash_attention_kernel.h everything is computed transposed, so that a row of S^T is one key against 16 queries in the
// lanes of a vector. Both forms in which P^T and dS^T go into the next products are then made lane by lane:
//   S^T = K Q^T    O^T += V^T P^T                                    P^T as right operand, pairs of keys
//   dP^T = V dO^T  dV += P^T dO  dK += dS^T Q  dQ^T += K^T dS^T      P^T, dS^T as left, dS^T also as right operand
// Operands are packed once a head, padded with zeros to whole tiles: tokens to pairs of tiles, d to tiles. The weights
// of padded tokens are set to zero, whatever their logits are. Rows are packed as they are, also for cosine attention:
// the inverse norms multiply logits and dS, in f32. So operands of bf16 are never rounded again. The scale and log2 e
// are one factor of the logits, applied in the exponent. exp2 is 2^floor(t) p(t - floor(t)), p of degree 5 (relative
// error 1.5e-7) for float, of degree 4 (2.7e-6) for bf16. The maximum that weights are relative to moves only when a
// logit exceeds it by 8 in the exponent of 2: weights stay below 256, and almost every block is spared the correction
// of earlier sums.
#pragma once

#include "cpu/flash_attention_kernels.h"
#include "cpu/flash_attention_operands.h"

namespace videomae {

/// @tparam Product  what multiplies tiles: AmxTileProduct or DotTileProduct
template <class T, class Product>
struct TileAttention : TileOperands<T> {
  using Operands = TileOperands<T>;
  using Operands::depth, Operands::dot, Operands::sums_size, Operands::groups, Operands::invert_norms;
  using Operands::kGroup, Operands::kMaxWidth, Operands::kNormFloor, Operands::kParts, Operands::kTile;
  using Operands::lanes_below, Operands::load, Operands::pack, Operands::smaller, Operands::space_at, Operands::store;
  using Operands::tiles;
  using typename Operands::Space;
  using typename Operands::Split;
  using typename Operands::Stage;
  using Forward = FlashAttention<T>;
  using Backward = FlashAttentionBackward<T>;
  static_assert(Product::kParts == Operands::kParts);
  static constexpr int64_t kForwardKeys = kParts == 3 ? 64 : 128;  // keys that pass by a group of queries at a time
  static constexpr int64_t kBlock = 64;                            // keys and queries of a block of the backward pass
  static constexpr int64_t kResident = 512;
  static constexpr double kLog2E = 1.4426950408889634;
  static constexpr float kMostInverse = 1 / kNormFloor, kLowest = -3.402823466e38f, kSlack = 8;

  // --- exponentials ------------------------------------------------------------------------------------------------

  /// 2^t where `mask` is set, else 0. 0 for -inf, NaN for NaN.
  VIDEOMAE_INLINE __m512 exp2(__mmask16 mask, __m512 t) {
    const __m512 r = _mm512_reduce_ps(t, 1);  // t - floor(t)
    auto next = [&](__m512 p, float c) __attribute__((always_inline)) {
      return _mm512_fmadd_ps(p, r, _mm512_set1_ps(c));
    };
    __m512 p;
    if constexpr (kParts == 3) {
      p = _mm512_set1_ps(0.001877576645f);
      p = next(next(next(p, 0.008989340162f), 0.05582631799f), 0.2401536171f);
      p = next(next(p, 0.6931530732f), 0.9999999251f);
    } else {
      p = next(next(_mm512_set1_ps(0.01353416762f), 0.05201146119f), 0.2414427566f);
      p = next(next(p, 0.6930038345f), 1.000002593f);
    }
    return _mm512_maskz_scalef_ps(mask, p, t);
  }

  // --- forward -----------------------------------------------------------------------------------------------------

  static bool prepare_forward(const Forward& args, int64_t head, void* space) {
    const Space s = space_at(space, args.tokens, args.head_dim, 0);
    const int64_t n = args.tokens, d = args.head_dim, ld = attention_rows::qkv_step(args);
    Stage stage;
    for (int64_t g = 0; g < groups(n); ++g) {
      const int64_t first = g * kGroup, count = smaller(kGroup, n - first);
      auto rows = [&](int64_t which) { return args.qkv + attention_rows::qkv_offset(args, head, which) + first * ld; };
      stage.fill(rows(0), ld, count, d), pack(stage, g, d, {nullptr, s.q_columns, nullptr, nullptr});
      stage.fill(rows(1), ld, count, d), pack(stage, g, d, {s.k_rows, nullptr, nullptr, nullptr});
      stage.fill(rows(2), ld, count, d), pack(stage, g, d, {nullptr, nullptr, s.v_across, nullptr});
      invert_norms(rows(0), ld, count, d, args.cosine, s.q_inverse + first);
      invert_norms(rows(1), ld, count, d, args.cosine, s.k_inverse + first);
    }
    return stage.wild == 0;
  }

  /// What runs along with a group of queries, for each of two vectors of lanes: the maximum in use, the sum, and what
  /// makes of a logit an exponent of 2.
  struct Running {
    __m512 highest[2], total[2], factor[2];
  };

  static void forward(const Forward& args, int64_t head, TokenRange queries, void* space) {
    const Space s = space_at(space, args.tokens, args.head_dim, 0);
    [[maybe_unused]] const typename Product::Session session;
    for (int64_t g = queries.begin / kGroup; g < groups(queries.end); ++g) forward_group(args, head, g, s);
  }

  static void forward_group(const Forward& args, int64_t head, int64_t g, const Space& s) {
    const int64_t n = args.tokens, d = args.head_dim;
    alignas(64) float logits[2][kForwardKeys * kGroup];       // [key][query] of a block and of the next
    alignas(64) bf16 weights[kForwardKeys / 32 * 2 * kTile];  // right tiles (32 keys, 16 queries)
    alignas(64) float sum[kMaxWidth / 16 * 2 * kTileSums];    // tiles (16 d, 16 queries)
    const TileOperand queries{s.q_columns + 2 * g * depth(d) * kTile, depth(d) * kTile, kTile};
    const __m512 scale = _mm512_set1_ps(static_cast<float>(attention_rows::scale(args, head) * kLog2E));
    Running run;
    for (int v = 0; v < 2; ++v) {
      run.highest[v] = _mm512_set1_ps(kLowest), run.total[v] = _mm512_setzero_ps();
      run.factor[v] = _mm512_mul_ps(scale, _mm512_load_ps(s.q_inverse + g * kGroup + 16 * v));
    }
    // Weights of a block are made while the logits of the next are multiplied.
    auto multiply = [&](int64_t key, auto beside) {
      const int64_t keys = smaller(kForwardKeys, n - key);
      Product::run(2 * groups(keys), 2, depth(d), {s.k_rows + key / 16 * depth(d) * kTile, depth(d) * kTile, kTile},
                   queries, {logits[key / kForwardKeys % 2], 16 * kGroup, 16, kGroup}, false, beside);
    };
    multiply(0, [] {});
    for (int64_t key = 0; key < n; key += kForwardKeys) {
      const int64_t keys = smaller(kForwardKeys, n - key), rows = groups(keys) * kGroup, next = key + kForwardKeys;
      float* block = logits[key / kForwardKeys % 2];
      if (args.cosine) scale_rows(block, keys, kGroup, s.k_inverse + key);
      follow_maximum(block, keys, run, sum, key > 0 ? tiles(d) : 0);
      int64_t weighed = 0;
      auto weigh_to = [&](int64_t row) {
        weigh(block, weighed, smaller(row, rows), keys, run, weights);
        weighed = smaller(row, rows);
      };
      if (next < n) {
        const int64_t calls = Product::calls(2 * groups(smaller(kForwardKeys, n - next)), 2);
        const int64_t step = (rows / 2 + calls - 1) / calls * 2;
        multiply(next, [&] { weigh_to(weighed + step); });
      }
      weigh_to(rows);
      Product::run(tiles(d), 2, groups(keys), {s.v_across + key / 32 * tiles(d) * kTile, kTile, tiles(d) * kTile},
                   {weights, kTile, 2 * kTile}, {sum, 2 * kTileSums, kTileSums, 16}, key > 0);
    }
    write_out(args, head, g, run, sum);
  }

  /// Multiplies each row, `width` long, by a number.
  static void scale_rows(float* x, int64_t rows, int64_t width, const float* factors) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = r * width; i < (r + 1) * width; i += 16)
        _mm512_store_ps(x + i, _mm512_mul_ps(_mm512_load_ps(x + i), _mm512_set1_ps(factors[r])));
  }

  /// Raises the maximum in use where the block's logits exceed it by more than the slack, and corrects what was summed.
  static void follow_maximum(const float* logits, int64_t keys, Running& run, float* sum, int64_t sum_tiles) {
    for (int v = 0; v < 2; ++v) {
      const __m512 times = run.factor[v];
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
      const __mmask16 above =
          _mm512_cmp_ps_mask(highest, _mm512_add_ps(run.highest[v], _mm512_set1_ps(kSlack)), _CMP_GT_OQ);
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

  /// Rows [first, end) of logits to weights relative to the maximum in use, as right tiles; zero from row `keys` on.
  VIDEOMAE_INLINE void weigh(const float* logits, int64_t first, int64_t end, int64_t keys, Running& run,
                             bf16* weights) {
    for (; first < end; first += 2) {
      const __mmask16 even_held = first < keys ? 0xFFFF : 0, odd_held = first + 1 < keys ? 0xFFFF : 0;
      bf16* row = weights + first / 32 * 2 * kTile + first % 32 * 16;
#pragma GCC unroll 2
      for (int v = 0; v < 2; ++v) {
        const float* x = logits + first * kGroup + 16 * v;
        const __m512 even = exp2(even_held, _mm512_fmsub_ps(_mm512_load_ps(x), run.factor[v], run.highest[v]));
        const __m512 odd = exp2(odd_held, _mm512_fmsub_ps(_mm512_load_ps(x + kGroup), run.factor[v], run.highest[v]));
        run.total[v] = _mm512_add_ps(run.total[v], _mm512_add_ps(even, odd));
        store_pairs<kParts>(row + v * kTile, Split(even), Split(odd));
      }
    }
  }

  static void write_out(const Forward& args, int64_t head, int64_t g, const Running& run, const float* sum) {
    const int64_t n = args.tokens, d = args.head_dim, step = attention_rows::out_step(args);
    for (int v = 0; v < 2; ++v) {
      const int64_t first = g * kGroup + 16 * v, count = smaller(16, n - first);
      if (count <= 0) return;
      const __m512 share = _mm512_div_ps(_mm512_set1_ps(1), run.total[v]);
      T* out = args.out + attention_rows::out_offset(args, head) + first * step;
      for (int64_t t = 0; t < tiles(d); ++t) {
        __m512i rows[16];
        const float* tile = sum + (2 * t + v) * kTileSums;
#pragma GCC unroll 16
        for (int r = 0; r < 16; ++r) rows[r] = _mm512_castps_si512(_mm512_mul_ps(_mm512_load_ps(tile + 16 * r), share));
        transpose_words(rows);
        for (int64_t r = 0; r < count; ++r)
          store(out + r * step + 16 * t, lanes_below(d - 16 * t), _mm512_castsi512_ps(rows[r]));
      }
      alignas(64) float highest[16], total[16];
      _mm512_store_ps(highest, run.highest[v]);
      _mm512_store_ps(total, run.total[v]);
      float* lse = args.lse + head * n + first;
      for (int64_t i = 0; i < count; ++i) lse[i] = static_cast<float>(highest[i] / kLog2E + __builtin_logf(total[i]));
    }
  }

  // --- backward ----------------------------------------------------------------------------------------------------
  //   P = e^(S - lse)   dP = dO V^T   dS = P (dP - rowsum(dO O))   dV = P^T dO   dQ = scale dS K   dK = scale dS^T Q

  static bool prepare_backward(const Backward& args, int64_t head, int64_t parts, void* space) {
    const Space s = space_at(space, args.tokens, args.head_dim, parts);
    const int64_t n = args.tokens, d = args.head_dim, ld = attention_rows::qkv_step(args);
    const int64_t out_step = attention_rows::out_step(args), out_offset = attention_rows::out_offset(args, head);
    const T *grad_out = args.grad_out + out_offset, *out = args.out + out_offset;
    Stage stage;
    for (int64_t g = 0; g < groups(n); ++g) {
      const int64_t first = g * kGroup, count = smaller(kGroup, n - first);
      auto rows = [&](int64_t which) { return args.qkv + attention_rows::qkv_offset(args, head, which) + first * ld; };
      stage.fill(rows(0), ld, count, d), pack(stage, g, d, {nullptr, s.q_columns, nullptr, s.q_down});
      stage.fill(rows(1), ld, count, d), pack(stage, g, d, {s.k_rows, nullptr, s.k_across, nullptr});
      stage.fill(rows(2), ld, count, d), pack(stage, g, d, {s.v_rows, nullptr, nullptr, nullptr});
      stage.fill(grad_out + first * out_step, out_step, count, d);
      pack(stage, g, d, {nullptr, s.grad_columns, nullptr, s.grad_down});
      invert_norms(rows(0), ld, count, d, args.cosine, s.q_inverse + first);
      invert_norms(rows(1), ld, count, d, args.cosine, s.k_inverse + first);
      for (int64_t i = 0; i < kGroup; ++i) {
        const bool held = i < count;
        __builtin_prefetch(out + (first + kGroup + i) * out_step);  // of the next group
        s.lse2[first + i] = held ? static_cast<float>(args.lse[head * n + first + i] * kLog2E) : 0;
        s.output_dot[first + i] = held ? dot(grad_out + (first + i) * out_step, out + (first + i) * out_step, d) : 0;
        if (kParts > 1 && !(__builtin_fabsf(s.lse2[first + i]) < kTileLimit)) stage.wild = 1;
        if (kParts > 1 && !(__builtin_fabsf(s.output_dot[first + i]) < kTileLimit)) stage.wild = 1;
      }
    }
    return stage.wild == 0;
  }

  /// The buffers of one block of keys against one block of queries.
  struct Block {
    alignas(64) float logits[kBlock * kBlock], grads[kBlock * kBlock];  // [key][query]: S^T, dP^T
    alignas(64) bf16 p_left[kBlock * kBlock / 512 * kTile];             // tiles (16 keys, 32 queries)
    alignas(64) bf16 ds_left[kBlock * kBlock / 512 * kTile];            // the same
    alignas(64) bf16 ds_right[kBlock * kBlock / 512 * kTile];           // tiles (32 keys, 16 queries)
  };

  static void backward(const Backward& args, int64_t head, TokenRange keys, int64_t part, void* space) {
    const int64_t n = args.tokens, d = args.head_dim, ld = attention_rows::qkv_step(args);
    const Space s = space_at(space, n, d, 1);  // what lies before grad_q does not depend on the parts
    float* grad_q = s.grad_q + part * sums_size(n, d);
    const float scale = static_cast<float>(attention_rows::scale(args, head));
    [[maybe_unused]] const typename Product::Session session;
    Block block;
    // The operands of so many keys and what is summed for them stay in the second-level cache while the queries pass
    // by.
    for (int64_t begin = keys.begin; begin < keys.end; begin += kResident) {
      const int64_t end = smaller(keys.end, begin + kResident);
      for (int64_t query = 0; query < n; query += kBlock)
        for (int64_t key = begin; key < end; key += kBlock)
          backward_block(s, d, n, key, smaller(kBlock, end - key), query, scale, args.cosine, block, grad_q,
                         key > keys.begin);
    }
    for (int64_t row = keys.begin; row < keys.end; ++row) {
      const int64_t at = row / 16 * tiles(d) * kTileSums + row % 16 * 16;
      T* grad_k = args.grad_qkv + attention_rows::qkv_offset(args, head, 1) + row * ld;
      const T* k = args.qkv + attention_rows::qkv_offset(args, head, 1) + row * ld;
      finish_row(s.grad_k + at, kTileSums, scale, args.cosine, k, s.k_inverse[row], d, grad_k);
      T* grad_v = args.grad_qkv + attention_rows::qkv_offset(args, head, 2) + row * ld;
      finish_row(s.grad_v + at, kTileSums, 1, false, k, 1, d, grad_v);
    }
  }

  static void backward_block(const Space& s, int64_t d, int64_t n, int64_t key, int64_t keys, int64_t query,
                             float scale, bool cosine, Block& b, float* grad_q, bool add_to_q) {
    const int64_t queries = smaller(kBlock, n - query), key_pairs = groups(keys), query_pairs = groups(queries);
    const int64_t along = depth(d) * kTile, across = tiles(d) * kTile, key_tile = key / 16, query_tile = query / 16;
    auto over_width = [&](const bf16* rows, const bf16* columns, float* result) {
      Product::run(2 * key_pairs, 2 * query_pairs, depth(d), {rows + key_tile * along, along, kTile},
                   {columns + query_tile * along, along, kTile}, {result, 16 * kBlock, 16, kBlock}, false);
    };
    over_width(s.k_rows, s.q_columns, b.logits);
    over_width(s.v_rows, s.grad_columns, b.grads);
    if (cosine) scale_rows(b.logits, keys, kBlock, s.k_inverse + key);
    weigh_block(s, key, keys, query, queries, scale, cosine, b);
    auto over_queries = [&](const bf16* left, const bf16* down, float* result) {
      Product::run(2 * key_pairs, tiles(d), query_pairs, {left, kBlock / 32 * kTile, kTile},
                   {down + query / 32 * across, kTile, across},
                   {result + key_tile * tiles(d) * kTileSums, tiles(d) * kTileSums, kTileSums, 16}, query > 0);
    };
    over_queries(b.p_left, s.grad_down, s.grad_v);
    over_queries(b.ds_left, s.q_down, s.grad_k);
    Product::run(tiles(d), 2 * query_pairs, key_pairs, {s.k_across + key / 32 * across, kTile, across},
                 {b.ds_right, kTile, kBlock / 16 * kTile},
                 {grad_q + query_tile * tiles(d) * kTileSums, kTileSums, tiles(d) * kTileSums, 16}, add_to_q);
  }

  /// S^T and dP^T to P^T and dS^T, packed; zero for padded keys and queries. dS is divided by the norm of what it will
  /// be multiplied by: that of a query in the left operand, that of a key in the right one.
  static void weigh_block(const Space& s, int64_t first, int64_t keys, int64_t query, int64_t queries, float scale,
                          bool cosine, Block& b) {
    const __m512 exponent = _mm512_set1_ps(static_cast<float>(scale * kLog2E));
    for (int64_t q = 0; q < groups(queries) * kGroup; q += kGroup) {
      __mmask16 held[2];
      __m512 lse[2], out[2], inverse[2], times[2];
      for (int v = 0; v < 2; ++v) {
        const int64_t at = query + q + 16 * v;
        held[v] = lanes_below(queries - q - 16 * v);
        lse[v] = _mm512_load_ps(s.lse2 + at), out[v] = _mm512_load_ps(s.output_dot + at);
        inverse[v] = _mm512_load_ps(s.q_inverse + at), times[v] = _mm512_mul_ps(exponent, inverse[v]);
      }
      for (int64_t key = 0; key < groups(keys) * kGroup; key += 2) {
        __m512 p[2][2], ds[2][2];  // [key][vector of queries]
#pragma GCC unroll 2
        for (int i = 0; i < 2; ++i)
#pragma GCC unroll 2
          for (int v = 0; v < 2; ++v) {
            const int64_t at = (key + i) * kBlock + q + 16 * v;
            const __mmask16 mask = key + i < keys ? held[v] : 0;
            p[i][v] = exp2(mask, _mm512_fmsub_ps(_mm512_load_ps(b.logits + at), times[v], lse[v]));
            ds[i][v] = _mm512_maskz_mul_ps(mask, p[i][v], _mm512_sub_ps(_mm512_load_ps(b.grads + at), out[v]));
          }
        const float* k_inverse = s.k_inverse + first + key;
#pragma GCC unroll 2
        for (int v = 0; v < 2; ++v) {
          bf16* tile = b.ds_right + (key / 32 * (kBlock / 16) + q / 16 + v) * kTile + key % 32 * 16;
          if (cosine)
            store_pairs<kParts>(tile, Split(_mm512_mul_ps(ds[0][v], _mm512_set1_ps(k_inverse[0]))),
                                Split(_mm512_mul_ps(ds[1][v], _mm512_set1_ps(k_inverse[1]))));
          else
            store_pairs<kParts>(tile, Split(ds[0][v]), Split(ds[1][v]));
        }
#pragma GCC unroll 2
        for (int i = 0; i < 2; ++i) {
          const int64_t at = ((key + i) / 16 * (kBlock / 32) + q / 32) * kTile + (key + i) % 16 * 32;
          store_row<kParts>(b.p_left + at, Split(p[i][0]), Split(p[i][1]));
          if (cosine)
            store_row<kParts>(b.ds_left + at, Split(_mm512_mul_ps(ds[i][0], inverse[0])),
                              Split(_mm512_mul_ps(ds[i][1], inverse[1])));
          else
            store_row<kParts>(b.ds_left + at, Split(ds[i][0]), Split(ds[i][1]));
        }
      }
    }
  }

  /// From times g, the gradient of x^ = x / norm, to that of x: (g - x^ (x^ . g)) / norm, without the projection on
  /// the norm floor, where x^ is linear in x. Not cosine: x^ is x. g is 16 numbers in every `step`.
  static void finish_row(const float* g, int64_t step, float times, bool cosine, const T* x, float inverse, int64_t d,
                         T* grad) {
    const __m512 factor = _mm512_set1_ps(times), divided = _mm512_set1_ps(inverse);
    __m512 along = _mm512_setzero_ps();
    if (cosine && !(inverse >= kMostInverse)) {
      for (int64_t c = 0; c < d; c += 16)
        along = _mm512_fmadd_ps(load(x + c, lanes_below(d - c)), _mm512_load_ps(g + c / 16 * step), along);
      along = _mm512_set1_ps(_mm512_reduce_add_ps(along) * inverse);
    }
    for (int64_t c = 0; c < d; c += 16) {
      __m512 y = _mm512_load_ps(g + c / 16 * step);
      if (cosine) {
        const __m512 unit = _mm512_mul_ps(load(x + c, lanes_below(d - c)), divided);
        y = _mm512_mul_ps(_mm512_fnmadd_ps(unit, along, y), divided);
      }
      store(grad + c, lanes_below(d - c), _mm512_mul_ps(factor, y));
    }
  }

  /// With q^ the (normalised) query: grad q^ = scale dS K, and grad scale = sum of q^ . (dS K).
  static double finish(const Backward& args, int64_t head, int64_t parts, void* space) {
    const int64_t n = args.tokens, d = args.head_dim, ld = attention_rows::qkv_step(args), size = sums_size(n, d);
    const Space s = space_at(space, n, d, parts);
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
          for (int64_t part = 1; part < parts; ++part)
            x = _mm512_add_ps(x, _mm512_load_ps(tile + part * size + 16 * r));
          sum[r] = _mm512_castps_si512(x);
        }
        transpose_words(sum);
#pragma GCC unroll 16
        for (int r = 0; r < 16; ++r) _mm512_store_si512(&rows[r][16 * t], sum[r]);
      }
      for (int64_t r = 0; r < smaller(16, n - first); ++r) {
        const int64_t at = attention_rows::qkv_offset(args, head, 0) + (first + r) * ld;
        const float inverse = s.q_inverse[first + r];
        if (args.grad_logit_scale) grad_scale += static_cast<double>(dot(args.qkv + at, rows[r], d)) * inverse;
        finish_row(rows[r], 16, scale, args.cosine, args.qkv + at, inverse, d, args.grad_qkv + at);
      }
    }
    return grad_scale;
  }

  static constexpr AttentionKernels<T> table(const AttentionKernels<T>* plain) {
    return {Operands::forward_space,
            Operands::backward_space,
            prepare_forward,
            prepare_backward,
            forward,
            backward,
            finish,
            plain};
  }
};

}  // namespace videomae
