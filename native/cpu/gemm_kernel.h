// The inner parts of a product, packing and one tile of C, written once and compiled per instruction set and format.
//
// A Format says how a block of C, Format::rows x Format::columns, is summed: how its operands lie in panels and which
// micro-kernel multiplies them (gemm_wide.h, gemm_pairs.h, gemm_amx.h). A packed operand holds, for each block of k, one
// panel after another: Format::rows lines of A or Format::columns of B, zero beyond the last line and beyond k. (A line
// is a row of op(A) or a column of op(B).) Zeros of the padding only reach sums that are never copied to C.
#pragma once

#include "cpu/gemm.h"
#include "cpu/gemm_epilogue.h"

namespace videomae {

/// How a product is cut; depends on shape and instruction set only.
struct GemmPlan {
  int64_t k_block, k_blocks;   // block i covers [i * k_block, min(k, (i + 1) * k_block))
  int64_t a_panels, b_panels;  // over all rows, over all columns
  int64_t tile_a, tile_b;      // panels of a tile
  bool own_b;                  // a tile packs its part of B, and A is packed before; or the other way about
};

/// A half-open range of panels.
struct PanelRange {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};

/// One operand, seen as lines.
template <class T>
struct GemmOperand {
  const T* data;
  int64_t ld;
  bool lines_contiguous;  // neighbouring lines are neighbours in memory; otherwise neighbours along k are
  int64_t lines, k;

  /// Where line `line` has its element `at`.
  const T* element(int64_t line, int64_t at) const {
    return data + (lines_contiguous ? at * ld + line : line * ld + at);
  }
};

/// The space of one tile: its packed panels for one block of k, and its sums.
struct GemmScratch {
  void *panels, *sums;
};

/// What one format offers for elements of type T.
template <class T>
struct GemmKernels {
  using W = wide_t<T>;
  int rows, columns;              // of a block of C
  int64_t a_pitch, b_pitch;       // bytes of a panel for each k
  int64_t deepest, depth_unit;    // the longest block of k, and what its length is a multiple of (padded at the end)
  void (*pack_a)(const GemmOperand<T>&, PanelRange panels, int64_t k0, int64_t depth, void* to);
  void (*pack_b)(const GemmOperand<T>&, PanelRange panels, int64_t k0, int64_t depth, void* to);
  void (*tile)(const Gemm<T>&, const GemmPlan&, PanelRange rows, PanelRange columns, const void* packed,
               const GemmScratch&);
  void (*wide_tile)(const Gemm<T, W>&, const GemmPlan&, PanelRange rows, PanelRange columns, const void* packed,
                    const GemmScratch&);

  int64_t padded(int64_t depth) const { return (depth + depth_unit - 1) / depth_unit * depth_unit; }
};

/// One instruction set's formats for operands that are multiplied in f64 or f32.
struct GemmKernelSet {
  GemmKernels<double> of_f64;
  GemmKernels<float> of_f32;
  GemmKernels<bf16> of_bf16;
};

extern const GemmKernelSet kGemmPortable;
#if defined(__x86_64__)
extern const GemmKernelSet kGemmAvx2, kGemmAvx512;
extern const GemmKernels<bf16> kGemmAvx512Bf16, kGemmAmx;
#endif

template <class T, class C>
GemmOperand<T> operand_a(const Gemm<T, C>& g) {
  return {g.a, g.lda, g.a_transposed, g.m, g.k};
}
template <class T, class C>
GemmOperand<T> operand_b(const Gemm<T, C>& g) {
  return {g.b, g.ldb, !g.b_transposed, g.n, g.k};
}

template <class Isa, class T, class Format>
struct GemmKernel {
  using W = wide_t<T>;
  static constexpr int64_t kRows = Format::rows, kColumns = Format::columns;

  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

  /// `packed`: the other operand, whole.
  template <class C>
  static void tile(const Gemm<T, C>& g, const GemmPlan& plan, PanelRange rows, PanelRange columns, const void* packed,
                   const GemmScratch& scratch) {
    const char* shared = static_cast<const char*>(packed);
    char* own = static_cast<char*>(scratch.panels);
    [[maybe_unused]] typename Format::Session session;
    Epilogue<Isa, T, C> epilogue(g);
    for (int64_t block = 0; block < plan.k_blocks; ++block) {
      const int64_t k0 = block * plan.k_block, depth = smaller(plan.k_block, g.k - k0);
      const int64_t padded = (depth + Format::depth_unit - 1) / Format::depth_unit * Format::depth_unit;
      const int64_t a_size = padded * Format::a_pitch, b_size = padded * Format::b_pitch;
      if (plan.own_b)
        Format::pack_b(operand_b(g), columns, k0, depth, own);
      else
        Format::pack_a(operand_a(g), rows, k0, depth, own);
      // The panels of one operand pass by one panel of the other, which stays in the first-level cache.
      const char* a = plan.own_b ? shared + k0 * plan.a_panels * Format::a_pitch + rows.begin * a_size : own;
      const char* b = plan.own_b ? own : shared + k0 * plan.b_panels * Format::b_pitch + columns.begin * b_size;
      auto multiply = [&](int64_t p, int64_t q) {
        const int64_t row = (rows.begin + p) * kRows, column = (columns.begin + q) * kColumns;
        const int64_t height = smaller(kRows, g.m - row), width = smaller(kColumns, g.n - column);
        const bool last = block + 1 == plan.k_blocks;
        const int64_t place = plan.k_blocks > 1 ? p * columns.size() + q : (p + q) % 2;  // not that of the one before
        W* sums = static_cast<W*>(scratch.sums) + place * kRows * kColumns;
        if (last) epilogue.request(row, height, column, width);
        Format::multiply(height, padded, a + p * a_size, b + q * b_size, sums, block > 0, plan.own_b, epilogue);
        epilogue.finish();
        if (last) epilogue.begin(row, height, column, width, sums, kColumns);
      };
      if (plan.own_b)
        for (int64_t p = 0; p < rows.size(); ++p)
          for (int64_t q = 0; q < columns.size(); ++q) multiply(p, q);
      else
        for (int64_t q = 0; q < columns.size(); ++q)
          for (int64_t p = 0; p < rows.size(); ++p) multiply(p, q);
    }
    epilogue.finish();
  }

  static constexpr GemmKernels<T> table() {
    return {Format::rows,    Format::columns,    Format::a_pitch, Format::b_pitch, Format::deepest,
            Format::depth_unit, Format::pack_a, Format::pack_b,  tile<T>,         tile<W>};
  }
};

}  // namespace videomae
