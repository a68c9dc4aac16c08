// The two inner parts of a product, packing and one tile of C, written once and compiled per instruction set.
//   Packed A: for each block of k, panels of Isa::rows rows of op(A), element (i, k) at [k][i], step kPanelStep.
//   Packed B: for each block of k, panels of kPanelColumns columns of op(B), element (k, j) at [k][j], zero beyond n.
// A block of k is short enough that one panel of B stays in the first-level cache while the panels of A of a tile pass
// by it. Zeros of the padding only reach columns of the micro-kernel's buffer that are never copied to C.
#pragma once

#include "cpu/gemm.h"
#include "cpu/math.h"
#include "cpu/micro_kernel.h"

namespace videomae {

/// How a product is cut; depends on shape and instruction set only.
struct GemmPlan {
  int64_t k_block, k_blocks;        // block b covers [b * k_block, min(k, (b + 1) * k_block))
  int64_t a_panels, b_panels;       // over rows, over columns
  int64_t tile_rows, tile_columns;  // of C, in panels
};

/// A half-open range of panels.
struct PanelRange {
  int64_t begin, end;
};

/// What one instruction set offers.
template <class T>
struct GemmKernels {
  int rows, step, columns;  // Isa::rows, kPanelStep, kPanelColumns
  void (*pack_a)(const Gemm<T>&, const GemmPlan&, int64_t k_block, PanelRange panels, T* packed_a);
  void (*pack_b)(const Gemm<T>&, const GemmPlan&, int64_t k_block, PanelRange panels, T* packed_b);
  void (*tile)(const Gemm<T>&, const GemmPlan&, PanelRange rows, PanelRange columns, const T* packed_a,
               const T* packed_b);
};

struct GemmKernelSet {
  GemmKernels<float> f32;
  GemmKernels<double> f64;
};

extern const GemmKernelSet kGemmPortable;
#if defined(__x86_64__)
extern const GemmKernelSet kGemmAvx2, kGemmAvx512;
#endif

template <class Isa, class T>
struct GemmKernel {
  using V = Vectors<Isa, T>;
  using Vec = typename V::Vec;
  static constexpr int64_t kRows = Isa::rows, kStep = kPanelStep<Isa, T>, kColumns = kPanelColumns<Isa, T>;

  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

  /// Packs panels of `width` lines (rows of op(A), columns of op(B)), padded to `step`, for the k in [k0, k0 + depth).
  /// `lines_contiguous`: neighbouring lines are neighbours in memory, so a panel row is a copy; otherwise neighbours
  /// along k are, and a panel is a transpose.
  template <int64_t width, int64_t step>
  static void pack(const T* from, int64_t ld, bool lines_contiguous, int64_t lines, int64_t k0, int64_t depth,
                   PanelRange panels, T* to) {
    if (!lines_contiguous) {
      for (int64_t p = panels.begin; p < panels.end; ++p)
        V::transpose(from + p * width * ld + k0, ld, smaller(width, lines - p * width), depth, to + p * step * depth,
                     step, step);
      if (panels.end * width > lines)
        clear_tail<step>(lines - (panels.end - 1) * width, depth, to + (panels.end - 1) * step * depth);
      return;
    }
    constexpr int64_t kChunk = 32;  // rows of the source walked together: long enough reads, panels written in runs
    for (int64_t k = 0; k < depth; k += kChunk) {
      int64_t end = smaller(depth, k + kChunk);
      for (int64_t p = panels.begin; p < panels.end; ++p) {
        int64_t held = smaller(width, lines - p * width);
        const T* source = from + (k0 + k) * ld + p * width;
        T* target = to + p * step * depth + k * step;
        for (int64_t i = k; i < end; ++i, source += ld, target += step) {
          if (held == width) {
            __builtin_memcpy(target, source, width * sizeof(T));
          } else {
            for (int64_t j = 0; j < step; ++j) target[j] = j < held ? source[j] : T(0);
          }
        }
      }
    }
  }

  /// Whole vectors past the last line of a panel, which `transpose` leaves alone.
  template <int64_t step>
  static void clear_tail(int64_t held, int64_t depth, T* panel) {
    int64_t first = (held + V::lanes - 1) / V::lanes * V::lanes;
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t j = first; j < step; ++j) panel[k * step + j] = 0;
  }

  static void pack_a(const Gemm<T>& g, const GemmPlan& plan, int64_t block, PanelRange panels, T* packed) {
    int64_t k0 = block * plan.k_block;
    pack<kRows, kStep>(g.a, g.lda, g.a_transposed, g.m, k0, smaller(plan.k_block, g.k - k0), panels,
                       packed + k0 * plan.a_panels * kStep);
  }

  static void pack_b(const Gemm<T>& g, const GemmPlan& plan, int64_t block, PanelRange panels, T* packed) {
    int64_t k0 = block * plan.k_block;
    pack<kColumns, kColumns>(g.b, g.ldb, !g.b_transposed, g.n, k0, smaller(plan.k_block, g.k - k0), panels,
                             packed + k0 * plan.b_panels * kColumns);
  }

  /// Asks for the lines of C that write_block will touch.
  static void request_block(const Gemm<T>& g, int64_t row, int64_t rows, int64_t column) {
    for (int64_t i = 0; i < rows; ++i) {
      const T* c = g.c + (row + i) * g.ldc + column;
      __builtin_prefetch(c, 1);
      if (column + V::lanes < g.n) __builtin_prefetch(c + V::lanes, 1);
    }
  }

  /// Moves a block of sums, rows of kColumns, into C at (row, column); on the last block of k also the epilogue.
  static void write_block(const Gemm<T>& g, int64_t row, int64_t rows, int64_t column, const T* sums, bool add,
                          bool last) {
    for (int64_t i = 0; i < rows; ++i) {
      int64_t residual_row = g.residual_rows ? g.residual_rows[row + i] : row + i;
      for (int64_t v = 0; v < kColumns; v += V::lanes) {
        int64_t j = column + v, held = g.n - j;
        if (held <= 0) break;
        T* c = g.c + (row + i) * g.ldc + j;
        Vec x = V::load(sums + i * kColumns + v);
        if (add) x += V::load(c, held);
        if (last) {
          if (g.bias) x += V::load(g.bias + j, held);
          if (g.preactivation) V::store(g.preactivation + (row + i) * g.ldc + j, x, held);
          if (g.gelu) x = VectorMath<Isa, T>::gelu(x);
          if (g.residual) x += V::load(g.residual + residual_row * g.residual_ld + j, held);
        }
        V::store(c, x, held);
      }
    }
  }

  static void tile(const Gemm<T>& g, const GemmPlan& plan, PanelRange rows, PanelRange columns, const T* packed_a,
                   const T* packed_b) {
    alignas(64) T sums[kRows * kColumns];
    for (int64_t block = 0; block < plan.k_blocks; ++block) {
      int64_t k0 = block * plan.k_block, depth = smaller(plan.k_block, g.k - k0);
      const T* a = packed_a + k0 * plan.a_panels * kStep;
      const T* b = packed_b + k0 * plan.b_panels * kColumns;
      for (int64_t q = columns.begin; q < columns.end; ++q) {
        for (int64_t p = rows.begin; p < rows.end; ++p) {
          int64_t held = smaller(kRows, g.m - p * kRows);
          request_block(g, p * kRows, held, q * kColumns);
          // One call asks for half a panel of B: the first two of a column of blocks fetch the next column's panel.
          const T* ahead = b + q * kColumns * depth +
                           (p - rows.begin < 2 ? kColumns * depth + (p - rows.begin) * V::lanes * depth : 0);
          run_micro_kernel<Isa, T>(held, depth, a + p * kStep * depth, kStep, b + q * kColumns * depth, sums, false,
                                   ahead);
          write_block(g, p * kRows, held, q * kColumns, sums, g.accumulate || block > 0, block + 1 == plan.k_blocks);
        }
      }
    }
  }

  static constexpr GemmKernels<T> table() { return {kRows, kStep, kColumns, pack_a, pack_b, tile}; }
};

}  // namespace videomae
