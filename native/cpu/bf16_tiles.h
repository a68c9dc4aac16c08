// Products of matrices on the tile registers of AMX, and the packing of their operands. A tile is 1 KiB: 16 rows of 64
// bytes. One instruction adds to 16 x 16 floats the product of 16 x 32 and 32 x 16 bf16 numbers, sums kept in f32:
// sixteen times the rate of fused multiply-adds on AVX-512.
//   left operand L:   tile (i, k) holds L[16 i + r][32 k + c] at [r][c]
//   right operand R:  tile (k, j) holds R[32 k + 2 r + (0, 1)][16 j + c] at [r][c], two neighbours along k in one word
// So from the rows of one matrix, the left tile of a block and the right tile of its transpose are each other's
// transpose as 16 x 16 words, and there are two kinds of packing only: along the rows and across them. Parts: a bf16
// operand is one number an element. An f32 operand is the exact sum of three bf16 numbers of 8 bits each, high + middle
// + low, each part a tile of its own; of the nine products the six largest are added, the smallest first. Those left
// out are below 2^-24 of the product, a rounding of f32, so this is f32 arithmetic at 16 / 6 of its rate. It holds for
// numbers whose products stay finite: see `kTileLimit`. Compiled for AMX only; includes nothing with inline functions
// of its own, as vectors.h explains.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "core/dtype.h"
#include "cpu/amx.h"

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

template <int Parts>
struct TileProduct {
  static_assert(Parts == 1 || Parts == 3);

  /// One product of parts over all k, for 1 or 2 by 1 or 2 tiles of the result in registers 0 to 3.
  template <int Rows, int Columns>
  VIDEOMAE_INLINE void pass(int64_t depth, const bf16* a, int64_t a_step, int64_t a_step_k, const bf16* b,
                            int64_t b_step, int64_t b_step_k) {
    for (int64_t k = 0; k < depth; ++k, a += a_step_k, b += b_step_k) {
      _tile_loadd(4, a, 64);
      _tile_loadd(6, b, 64);
      _tile_dpbf16ps(0, 4, 6);
      if constexpr (Columns == 2) {
        _tile_loadd(7, b + b_step, 64);
        _tile_dpbf16ps(1, 4, 7);
      }
      if constexpr (Rows == 2) {
        _tile_loadd(5, a + a_step, 64);
        _tile_dpbf16ps(2, 5, 6);
        if constexpr (Columns == 2) _tile_dpbf16ps(3, 5, 7);
      }
    }
  }

  template <int Rows, int Columns, class Beside>
  VIDEOMAE_INLINE void square(int64_t depth, const TileOperand& left, int64_t i, const TileOperand& right, int64_t j,
                              const TileResult& result, bool add, Beside& beside) {
    const bf16 *a = left.data + i * left.step, *b = right.data + j * right.step;
    float* c = result.data + i * result.step_rows + j * result.step_columns;
    float *c1 = c + result.step_columns, *c2 = c + result.step_rows, *c3 = c2 + result.step_columns;
    const int64_t stride = result.row * 4;
    if (add) {
      _tile_loadd(0, c, stride);
      if constexpr (Columns == 2) _tile_loadd(1, c1, stride);
      if constexpr (Rows == 2) _tile_loadd(2, c2, stride);
      if constexpr (Rows == 2 && Columns == 2) _tile_loadd(3, c3, stride);
    } else {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    }
    auto parts = [&](int p, int q) __attribute__((always_inline)) {
      pass<Rows, Columns>(depth, a + p * kTileElements, left.step, left.step_k, b + q * kTileElements, right.step,
                          right.step_k);
      beside();
    };
    if constexpr (Parts == 3) parts(0, 2), parts(2, 0), parts(1, 1), parts(0, 1), parts(1, 0);
    parts(0, 0);
    _tile_stored(0, c, stride);
    if constexpr (Columns == 2) _tile_stored(1, c1, stride);
    if constexpr (Rows == 2) _tile_stored(2, c2, stride);
    if constexpr (Rows == 2 && Columns == 2) _tile_stored(3, c3, stride);
  }

  /// Calls of `beside` in one run.
  static constexpr int64_t calls(int64_t rows, int64_t columns) {
    return (rows + 1) / 2 * ((columns + 1) / 2) * (Parts == 3 ? 6 : 1);
  }

  /// result = left right, or result += it: rows x columns tiles, summed over `depth` tiles of 32. beside() is called
  /// each time that products have been asked for: vector work that it does runs while they are under way.
  template <class Beside>
  static void run(int64_t rows, int64_t columns, int64_t depth, const TileOperand& left, const TileOperand& right,
                  const TileResult& result, bool add, Beside beside) {
    __asm__ volatile("" ::: "memory");  // GCC does not know that tile loads read what was stored before
    int64_t i = 0;
    for (; i + 2 <= rows; i += 2) {
      int64_t j = 0;
      for (; j + 2 <= columns; j += 2) square<2, 2>(depth, left, i, right, j, result, add, beside);
      if (j < columns) square<2, 1>(depth, left, i, right, j, result, add, beside);
    }
    if (i == rows) return;
    int64_t j = 0;
    for (; j + 2 <= columns; j += 2) square<1, 2>(depth, left, i, right, j, result, add, beside);
    if (j < columns) square<1, 1>(depth, left, i, right, j, result, add, beside);
  }

  static void run(int64_t rows, int64_t columns, int64_t depth, const TileOperand& left, const TileOperand& right,
                  const TileResult& result, bool add) {
    run(rows, columns, depth, left, right, result, add, [] {});
  }
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
