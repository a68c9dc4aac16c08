// The packed operands of one head of attention on tiles: where they lie in the head's space, and how they get there.
// Rows are packed as they are, also for cosine attention, with the inverse norms beside them.
#pragma once

#include "cpu/attention_rows.h"
#include "cpu/bf16_tiles.h"

namespace videomae {

template <class T>
struct TileOperands {
  static constexpr int kParts = sizeof(T) == 4 ? 3 : 1;
  using Split = SplitVector<kParts>;
  static constexpr int64_t kTile = kParts * kTileElements;  // elements from one tile of an operand to the next
  static constexpr int64_t kGroup = 32;                     // tokens packed together
  static constexpr int64_t kMaxWidth = kAttentionMaxHeadDim;
  static constexpr float kNormFloor = 1e-12f;

  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
  static int64_t groups(int64_t tokens) { return (tokens + kGroup - 1) / kGroup; }
  static int64_t tiles(int64_t d) { return (d + 15) / 16; }  // of d as rows or columns
  static int64_t depth(int64_t d) { return (d + 31) / 32; }  // of d as the summed dimension
  static __mmask16 lanes_below(int64_t n) {
    return static_cast<__mmask16>(n >= 16 ? 0xFFFF : n <= 0 ? 0 : (1 << n) - 1);
  }

  // --- the space ---------------------------------------------------------------------------------------------------

  /// One head's packed operands. By token along the tiles and d summed over: left `_rows`, right `_columns`. With
  /// tokens summed over and d along the tiles: left `_across`, right `_down`.
  struct Space {
    bf16 *k_rows, *q_columns, *v_across;                          // forward
    float *q_inverse, *k_inverse;                                 // (N), padded: 1 / norm for cosine, or 1
    bf16 *v_rows, *grad_columns, *k_across, *q_down, *grad_down;  // backward: these and all of the above but v_across
    float *lse2, *output_dot;                                     // (N), padded; lse2 in the exponent of 2
    float *grad_k, *grad_v;                                       // (tiles of tokens, tiles of d, 16 tokens, 16 d)
    float* grad_q;  // (parts, tiles of tokens, tiles of d, 16 d, 16 tokens)
  };

  static int64_t lay_out(int64_t tokens, int64_t d, int64_t parts, void* base, Space* s) {
    int64_t size = 0;
    auto take = [&](auto*& at, int64_t elements) {
      at = base ? reinterpret_cast<decltype(+at)>(static_cast<char*>(base) + size) : nullptr;
      size += (elements * static_cast<int64_t>(sizeof *at) + 63) / 64 * 64;
    };
    const int64_t by_token = 2 * groups(tokens) * depth(d) * kTile, by_width = groups(tokens) * tiles(d) * kTile;
    const int64_t padded = groups(tokens) * kGroup;
    take(s->k_rows, by_token), take(s->q_columns, by_token), take(s->q_inverse, padded), take(s->k_inverse, padded);
    if (parts == 0) {
      take(s->v_across, by_width);
      return size;
    }
    take(s->v_rows, by_token), take(s->grad_columns, by_token);
    take(s->k_across, by_width), take(s->q_down, by_width), take(s->grad_down, by_width);
    take(s->lse2, padded), take(s->output_dot, padded);
    take(s->grad_k, sums_size(tokens, d)), take(s->grad_v, sums_size(tokens, d));
    take(s->grad_q, parts * sums_size(tokens, d));  // last: where the others lie does not depend on the parts
    return size;
  }

  static int64_t sums_size(int64_t tokens, int64_t d) { return 2 * groups(tokens) * tiles(d) * kTileSums; }
  static Space space_at(void* base, int64_t tokens, int64_t d, int64_t parts) {
    Space space{};
    lay_out(tokens, d, parts, base, &space);
    return space;
  }

  static int64_t forward_space(int64_t tokens, int64_t d) {
    Space unused{};
    return lay_out(tokens, d, 0, nullptr, &unused);
  }
  static int64_t backward_space(int64_t tokens, int64_t d, int64_t parts) {
    Space unused{};
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

  /// A group of up to 32 rows, zero beyond the rows and beyond d. Rows of bf16 stay as they are: only places change.
  struct Stage {
    alignas(64) T x[kGroup][kMaxWidth];
    __mmask16 wild = 0;  // set when a number is not below kTileLimit

    void fill(const T* from, int64_t ld, int64_t rows, int64_t d) {
      constexpr int64_t kLine = 64 / sizeof(T);
      const __m512 limit = _mm512_set1_ps(kTileLimit);
      for (int64_t r = 0; r < kGroup; ++r, from += ld) {
        for (int64_t c = 0; c < 32 * depth(d); c += kLine) {
          __builtin_prefetch(from + kGroup * ld + c);  // of the next group
          if constexpr (kParts == 3) {
            const __m512 v = r < rows ? load(from + c, lanes_below(d - c)) : _mm512_setzero_ps();
            wild |= _mm512_cmp_ps_mask(_mm512_abs_ps(v), limit, _CMP_NLT_UQ);
            _mm512_store_ps(&x[r][c], v);
          } else {
            const __mmask32 held = d - c >= kLine ? ~0u : (1u << (d - c)) - 1;
            _mm512_store_si512(&x[r][c], r < rows ? _mm512_maskz_loadu_epi16(held, from + c) : _mm512_setzero_si512());
          }
        }
      }
    }

    /// 32 numbers of row r from c on, as a row of a left tile.
    void put_row(int64_t r, int64_t c, bf16* tile_row) const {
      if constexpr (kParts == 3)
        store_row<kParts>(tile_row, Split(_mm512_load_ps(&x[r][c])), Split(_mm512_load_ps(&x[r][c + 16])));
      else
        _mm512_storeu_si512(tile_row, _mm512_load_si512(&x[r][c]));
    }

    /// 16 numbers of rows r and r + 1 from c on, as a row of a right tile.
    void put_pairs(int64_t r, int64_t c, bf16* tile_row) const {
      if constexpr (kParts == 3) {
        store_pairs<kParts>(tile_row, Split(_mm512_load_ps(&x[r][c])), Split(_mm512_load_ps(&x[r + 1][c])));
      } else {
        auto wide = [&](int64_t row) {
          return _mm512_cvtepu16_epi32(_mm256_load_si256(reinterpret_cast<const __m256i*>(&x[row][c])));
        };
        _mm512_storeu_si512(tile_row, _mm512_or_si512(wide(r), _mm512_slli_epi32(wide(r + 1), 16)));
      }
    }
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
          for (int64_t r = 0; r < 16; ++r) stage.put_row(16 * half + r, 32 * k, tile + 32 * r);
          if (to.columns) transpose_parts(tile, to.columns + at);
        }
    if (to.across || to.down)
      for (int64_t t = 0; t < tiles(d); ++t) {
        const int64_t at = (g * tiles(d) + t) * kTile;
        bf16* tile = to.down ? to.down + at : scratch;
        for (int64_t r = 0; r < 16; ++r) stage.put_pairs(2 * r, 16 * t, tile + 32 * r);
        if (to.across) transpose_parts(tile, to.across + at);
      }
  }
  static void transpose_parts(const bf16* from, bf16* to) {
    for (int64_t p = 0; p < kTile; p += kTileElements) transpose_tile(from + p, to + p);
  }

  /// 1 / max(norm, floor) of a group of rows when `cosine`, else 1; 1 beyond the rows.
  static void invert_norms(const T* from, int64_t ld, int64_t rows, int64_t d, bool cosine, float* inverse) {
    for (int64_t r = 0; r < kGroup; ++r, from += ld) {
      const float norm = cosine && r < rows ? __builtin_sqrtf(dot(from, from, d)) : 1;
      inverse[r] = 1 / (norm < kNormFloor ? kNormFloor : norm);  // a NaN stays
    }
  }
};

}  // namespace videomae
