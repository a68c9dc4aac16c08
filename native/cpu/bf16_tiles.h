// How the operands of products of tiles lie (tile_product_amx.h, tile_product_dot.h), and their packing. A tile is
// 1 KiB: 16 rows of 64 bytes.
//   left operand L:   tile (i, k) holds L[16 i + r][32 k + c] at [r][c]
//   right operand R:  tile (k, j) holds R[32 k + 2 r + (0, 1)][16 j + c] at [r][c], two neighbours along k in one word
// So from the rows of one matrix, the left tile of a block and the right tile of its transpose are each other's
// transpose as 16 x 16 words, and there are two kinds of packing only: along the rows and across them. Parts: a bf16
// operand is one number an element. An f32 operand is the exact sum of three bf16 numbers of 8 bits each, high + middle
// + low, each part a tile of its own; of the nine products the six largest are added, the smallest first. Those left
// out are below 2^-24 of the product, a rounding of f32, so this is f32 arithmetic. It holds for numbers whose products
// stay finite: see `kTileLimit`. Compiled for AVX-512 with bf16 only; includes nothing with inline functions of its
// own, as vectors.h explains.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "core/dtype.h"
#include "cpu/vectors.h"

namespace videomae {

constexpr int64_t kTileElements = 512;  // bf16 numbers of an operand's tile
constexpr int64_t kTileSums = 256;      // floats of a result's tile
constexpr float kTileLimit = 0x1p60f;   // |x| below it: no product or sum of these overflows
constexpr uint32_t kUpperHalf = 0xFFFF0000u;

/// Tiles of an operand: tile (along the result, along k) begins at data + along * step + k * step_k, its parts in a
/// row.
struct TileOperand {
  const bf16* data;
  int64_t step, step_k;
};

/// Tiles of a result: tile (i, j) begins at data + i * step_rows + j * step_columns; its rows are `row` floats apart.
struct TileResult {
  float* data;
  int64_t step_rows, step_columns, row;
};

/// The parts of a vector of floats, each a float whose lower half is not part of it.
template <int Parts>
struct SplitVector {
  __m512 part[Parts];

  [[gnu::always_inline]] explicit SplitVector(__m512 x) {
    if constexpr (Parts == 3) {
      part[0] = upper(x);
      const __m512 rest = _mm512_sub_ps(x, part[0]);
      part[1] = upper(rest);
      part[2] = _mm512_sub_ps(rest, part[1]);  // 7 bits at most: its lower half is zero
    } else {
      part[0] = x;
    }
  }

  /// x rounded to 8 bits, halves away from zero.
  VIDEOMAE_INLINE __m512 upper(__m512 x) {
    const __m512i bits = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
    return _mm512_castsi512_ps(_mm512_and_si512(bits, _mm512_set1_epi32(static_cast<int>(kUpperHalf))));
  }
};

/// 32 numbers in a row: a row of a left tile, the first vector in front.
template <int Parts>
VIDEOMAE_INLINE void store_row(bf16* tile_row, const SplitVector<Parts>& first, const SplitVector<Parts>& second) {
  for (int p = 0; p < Parts; ++p)
    _mm512_storeu_si512(tile_row + p * kTileElements, (__m512i)_mm512_cvtne2ps_pbh(second.part[p], first.part[p]));
}

/// 16 pairs: a row of a right tile, `even` and `odd` being neighbours along k.
template <int Parts>
VIDEOMAE_INLINE void store_pairs(bf16* tile_row, const SplitVector<Parts>& even, const SplitVector<Parts>& odd) {
  for (int p = 0; p < Parts; ++p) {
    __m512i pairs;
    if constexpr (Parts == 3) {  // parts have no lower half: nothing to round
      pairs = _mm512_mask_blend_epi16(0xAAAAAAAAu, _mm512_srli_epi32(_mm512_castps_si512(even.part[p]), 16),
                                      _mm512_castps_si512(odd.part[p]));
    } else {
      const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(even.part[p]));
      const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(odd.part[p]));
      pairs = _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
    }
    _mm512_storeu_si512(tile_row + p * kTileElements, pairs);
  }
}

/// The last three of the four rounds of a transposition of 16 x 16 words, which exchange blocks of 4, 2 and 1 words;
/// two shuffles for each pair of rows and round.
VIDEOMAE_INLINE void transpose_quarters(__m512i* rows) {
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    const int r = i / 4 * 8 + i % 4;
    const __m512i a = rows[r], b = rows[r + 4];
    rows[r] = _mm512_permutex2var_epi64(a, _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), b);
    rows[r + 4] = _mm512_permutex2var_epi64(a, _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15), b);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    const int r = i / 2 * 4 + i % 2;
    const __m512i a = rows[r], b = rows[r + 2];
    rows[r] = _mm512_unpacklo_epi64(a, b);
    rows[r + 2] = _mm512_unpackhi_epi64(a, b);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    const __m512i a = rows[2 * i], b = rows[2 * i + 1];
    rows[2 * i] = _mm512_mask_shuffle_epi32(a, 0xAAAA, b, _MM_PERM_CCAA);
    rows[2 * i + 1] = _mm512_mask_shuffle_epi32(b, 0x5555, a, _MM_PERM_DDBB);
  }
}

/// Transposes 16 x 16 words in registers.
VIDEOMAE_INLINE void transpose_words(__m512i* rows) {
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    const __m512i a = rows[i], b = rows[i + 8];
    rows[i] = _mm512_inserti64x4(a, _mm512_castsi512_si256(b), 1);
    rows[i + 8] = _mm512_shuffle_i64x2(a, b, 0xEE);
  }
  transpose_quarters(rows);
}

/// to = the transpose of `from` as 16 x 16 words; both dense.
VIDEOMAE_INLINE void transpose_tile(const void* from, void* to) {
  const char* source = static_cast<const char*>(from);
  __m512i rows[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const char* row = source + 64 * i + 32 * half;
      const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row));
      const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + 64 * 8));
      rows[i + 8 * half] = _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
    }
  transpose_quarters(rows);
#pragma GCC unroll 16
  for (int r = 0; r < 16; ++r) _mm512_storeu_si512(static_cast<char*>(to) + 64 * r, rows[r]);
}

}  // namespace videomae
