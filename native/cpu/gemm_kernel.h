// The inner parts of a product, packing and one tile of C, written once and compiled per instruction set and format.
//
// A Format says how a block of C, Format::rows x Format::columns, is summed: how its operands lie in panels and which
// micro-kernel multiplies them (gemm_wide.h, gemm_pairs.h, gemm_amx.h). A packed operand holds, for each block of k,
// one panel after another: Format::rows lines of A or Format::columns of B, zero beyond the last line and beyond k. (A
// line is a row of op(A) or a column of op(B).) A format may keep several sums of an element apart, Format::sums, which
// the epilogue adds. Zeros of the padding only reach sums that are never copied to C.
#pragma once

#include "cpu/gemm.h"
#include "cpu/gemm_epilogue.h"

namespace videomae {

/// How a product is cut; depends on shape and instruction set only.
struct GemmPlan {
  int64_t k_block, k_blocks;   // block i covers [i * k_block, min(k, (i + 1) * k_block))
  int64_t chunk_blocks;        // blocks of k for which a tile goes through all its rows before the next
  int64_t a_panels, b_panels;  // over all rows, over all columns
  int64_t tile_a, tile_b;      // panels of a tile
  bool own_a, own_b;           // whether each tile packs its part itself; otherwise the operand is packed before, whole
  int64_t a_together;          // panels of A that a tile takes through a block of k before the next block
};

/// Operands that are packed before the tiles; null for one that tiles pack themselves.
struct GemmPacked {
  const void *a, *b;
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

/// The space of one tile: the panels that it packs, `a_together` of A for one block of k or all its columns of B for a
/// chunk of blocks, and its sums.
struct GemmScratch {
  void *panels, *sums;
};

/// What one format offers for elements of type T.
template <class T>
struct GemmKernels {
  using W = wide_t<T>;
  int rows, columns, sums;           // of a block of C; how many sums of each element are kept apart
  int64_t a_pitch, b_pitch;          // bytes of a panel for each k
  int64_t deepest, depth_unit;       // the longest block of k, and what its length is a multiple of (padded at the end)
  int64_t few_panels, chunk_panels;  // of B: with fewer a tile takes k in chunks instead, and has so many then
  void (*pack_a)(const GemmOperand<T>&, PanelRange panels, int64_t k0, int64_t depth, void* to);
  void (*pack_b)(const GemmOperand<T>&, PanelRange panels, int64_t k0, int64_t depth, void* to);
  void (*tile)(const Gemm<T>&, const GemmPlan&, PanelRange rows, PanelRange columns, const GemmPacked&,
               const GemmScratch&);
  void (*wide_tile)(const Gemm<T, W>&, const GemmPlan&, PanelRange rows, PanelRange columns, const GemmPacked&,
                    const GemmScratch&);

  int64_t padded(int64_t depth) const { return (depth + depth_unit - 1) / depth_unit * depth_unit; }
  /// Bytes of the sums of a block of C.
  int64_t sums_bytes() const { return int64_t{sums} * rows * columns * static_cast<int64_t>(sizeof(W)); }
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
extern const GemmKernels<float> kGemmAmxF32;
#endif

template <class T, class C>
GemmOperand<T> operand_a(const Gemm<T, C>& g) {
  return {g.a, g.lda, g.a_transposed, g.m, g.k};
}
template <class T, class C>
GemmOperand<T> operand_b(const Gemm<T, C>& g) {
  return {g.b, g.ldb, !g.b_transposed, g.n, g.k};
}

/// body(panel, k) for every panel and every `Step` of k: along memory, so that what is read next lies next.
template <int64_t Step, class F>
[[gnu::always_inline]] inline void for_squares(bool lines_contiguous, PanelRange panels, int64_t depth, F&& body) {
  if (lines_contiguous)
    for (int64_t i = 0; i < depth; i += Step)
      for (int64_t p = panels.begin; p < panels.end; ++p) body(p, i);
  else
    for (int64_t p = panels.begin; p < panels.end; ++p)
      for (int64_t i = 0; i < depth; i += Step) body(p, i);
}

template <class Isa, class T, class Format>
struct GemmKernel {
  using W = wide_t<T>;
  static constexpr int64_t kRows = Format::rows, kColumns = Format::columns;
  static constexpr int64_t kSums = kRows * kColumns * Format::sums;

  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
  static int64_t depth(const GemmPlan& plan, int64_t block, int64_t k) {
    return smaller(plan.k_block, k - block * plan.k_block);
  }
  static int64_t padded(int64_t depth) {
    return (depth + Format::depth_unit - 1) / Format::depth_unit * Format::depth_unit;
  }

  /// The columns of B pass by one panel of A, which stays in the first-level cache, block of k after block of k; then
  /// by the next panel: so the lines of C are written one after another, too.
  template <class C>
  static void tile(const Gemm<T, C>& g, const GemmPlan& plan, PanelRange rows, PanelRange columns,
                   const GemmPacked& packed, const GemmScratch& scratch) {
    [[maybe_unused]] typename Format::Session session;
    Epilogue<Isa, T, C, Format> epilogue(g);
    char* own = static_cast<char*>(scratch.panels);
    W* sums = static_cast<W*>(scratch.sums);
    const bool keep_all = plan.chunk_blocks < plan.k_blocks;  // sums of all rows, from chunk to chunk
    for (int64_t chunk = 0; chunk < plan.k_blocks; chunk += plan.chunk_blocks) {
      const int64_t end = smaller(plan.k_blocks, chunk + plan.chunk_blocks);
      for (int64_t block = chunk; plan.own_b && block < end; ++block)
        Format::pack_b(operand_b(g), columns, block * plan.k_block, depth(plan, block, g.k),
                       own + (block - chunk) * plan.k_block * columns.size() * Format::b_pitch);
      for (int64_t first = rows.begin; first < rows.end; first += plan.a_together) {
        const int64_t last = smaller(rows.end, first + plan.a_together);
        for (int64_t block = chunk; block < end; ++block) {
          const int64_t k0 = block * plan.k_block, held = depth(plan, block, g.k), size = padded(held);
          if (plan.own_a) Format::pack_a(operand_a(g), {first, last}, k0, held, own);
          for (int64_t p = first; p < last; ++p) {
            const int64_t kept = keep_all ? p - rows.begin : plan.k_blocks > 1 ? p - first : 0;
            W* row_sums = sums + kept * columns.size() * kSums;
            const char* a =
                plan.own_a ? own + (p - first) * size * Format::a_pitch
                           : static_cast<const char*>(packed.a) + (k0 * plan.a_panels + p * size) * Format::a_pitch;
            const char* b = plan.own_b ? own + (block - chunk) * plan.k_block * columns.size() * Format::b_pitch
                                       : static_cast<const char*>(packed.b) +
                                             (k0 * plan.b_panels + columns.begin * size) * Format::b_pitch;
            const bool same_panel = block + 1 < end;  // in the next round
            if (!plan.own_a && (same_panel || p + 1 < rows.end)) {
              const int64_t next = same_panel ? block + 1 : chunk, next_size = padded(depth(plan, next, g.k));
              epilogue.expect(
                  static_cast<const char*>(packed.a) +
                      (next * plan.k_block * plan.a_panels + (same_panel ? p : p + 1) * next_size) * Format::a_pitch,
                  next_size * Format::a_pitch);
            }
            for (int64_t q = columns.begin; q < columns.end; ++q, b += size * Format::b_pitch) {
              const int64_t row = p * kRows, column = q * kColumns;
              W* block_sums = row_sums + (q - columns.begin) * kSums;
              Format::multiply(smaller(kRows, g.m - row), size, a, b, block_sums, block > 0, epilogue);
              epilogue.finish();
              if (block + 1 == plan.k_blocks)
                epilogue.begin(row, smaller(kRows, g.m - row), column, smaller(kColumns, g.n - column), block_sums);
            }
            epilogue.finish();
          }
        }
      }
    }
  }

  static constexpr GemmKernels<T> table() {
    return {Format::rows,
            Format::columns,
            Format::sums,
            Format::a_pitch,
            Format::b_pitch,
            Format::deepest,
            Format::depth_unit,
            Format::few_panels,
            Format::chunk_panels,
            Format::pack_a,
            Format::pack_b,
            tile<T>,
            tile<W>};
  }
};

}  // namespace videomae
