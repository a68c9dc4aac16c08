// The inner parts of a product, packing and one tile of C, written once and compiled per instruction set and format.
//
// A Format says how a block of C, Format::rows x Format::columns, is summed: how its operands lie in panels and which
// micro-kernel multiplies them (gemm_wide.h, gemm_pairs.h, gemm_amx.h). A packed operand holds, for each block of k,
// one panel after another: Format::rows lines of A or Format::columns of B, zero beyond the last line and beyond k. (A
// line is a row of op(A) or a column of op(B).) A format may keep several sums of an element apart, Format::sums, which
// the epilogue adds. Zeros of the padding only reach sums that are never copied to C.
#pragma once

#include "cpu/ahead.h"
#include "cpu/gemm.h"
#include "cpu/gemm_epilogue.h"

namespace videomae {

/// Who packs an operand, and when.
enum class Packing {
  before,  // all threads together, whole, before the tiles; or it came packed
  once,    // each thread what its tiles need, the first of them that does
  tile,    // each tile its own part
};

/// How a product is cut. The order of the sum over k depends on shape and instruction set only.
struct GemmPlan {
  int64_t k_block, k_blocks;   // block i covers [i * k_block, min(k, (i + 1) * k_block))
  int64_t chunk_blocks;        // blocks of k for which a tile goes through all its rows before the next
  int64_t a_panels, b_panels;  // over all rows, over all columns
  int64_t tile_a, tile_b;      // panels of a tile
  Packing pack_a, pack_b;
  int64_t a_together;  // panels of A that a tile takes through a block of k before the next block
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

/// What a tile multiplies, and its space.
struct GemmSpace {
  char *a, *b;  // packed operands, whole; of Packing::tile `a_together` panels for a block, or the tile's for a chunk
  void* sums;
  bool first_a, first_b;  // whether the tile is this thread's first in its rows, in its columns
};

/// What one format offers for elements of type T.
template <class T>
struct GemmKernels {
  using W = wide_t<T>;
  int rows, columns, sums;           // of a block of C; how many sums of each element are kept apart
  int64_t a_pitch, b_pitch;          // bytes of a panel for each k
  int64_t deepest, depth_unit;       // the longest block of k, and what its length is a multiple of (padded at the end)
  int64_t panel_bytes;               // of B that a tile multiplies with at a time: they stay in the second-level cache
  int64_t few_panels, chunk_panels;  // of B: with fewer a tile takes k in chunks instead, and has so many then
  bool packs_once;                   // whether packing a small operand once a thread is better than once for all
  void (*pack_a)(const GemmOperand<T>&, PanelRange panels, int64_t k0, int64_t depth, void* to);
  void (*pack_b)(const GemmOperand<T>&, PanelRange panels, int64_t k0, int64_t depth, void* to);
  void (*tile)(const Gemm<T>&, const GemmPlan&, PanelRange rows, PanelRange columns, const GemmSpace&);
  void (*wide_tile)(const Gemm<T, W>&, const GemmPlan&, PanelRange rows, PanelRange columns, const GemmSpace&);

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

  static constexpr int64_t kPartLines = 32;

  /// A panel of A in a block of k.
  struct Place {
    int64_t block, p;
  };

  /// The source of a panel of at most kPartLines lines, as what the multiplication of one block asks for.
  static Ahead source(const GemmOperand<T>& x, int64_t line, int64_t lines, int64_t k) {
    constexpr int64_t kStep = Format::step_depth;
    const int64_t pitch = x.ld * static_cast<int64_t>(sizeof(T));
    const char* at = reinterpret_cast<const char*>(x.element(line, k));
    if (x.lines_contiguous) return {at, kStep == 1 ? 64 : pitch, kStep * pitch, Ahead::kTurn * kStep * pitch};
    return {at, lines > Ahead::kTurn ? Ahead::kTurn * pitch : 0, pitch, 64};
  }

  /// The columns of B pass by one panel of A, which stays in the first-level cache, block of k after block of k; then
  /// by the next panel: so the lines of C are written one after another, too. What is packed here is packed panel by
  /// panel where it is multiplied first, and the multiplications before ask for it.
  template <class C>
  static void tile(const Gemm<T, C>& g, const GemmPlan& plan, PanelRange rows, PanelRange columns,
                   const GemmSpace& space) {
    [[maybe_unused]] typename Format::Session session;
    Epilogue<Isa, T, C, Format> epilogue(g);
    const GemmOperand<T> from_a = operand_a(g), from_b = operand_b(g);
    const bool tile_a = plan.pack_a == Packing::tile, tile_b = plan.pack_b == Packing::tile;
    const bool pack_a = tile_a || (plan.pack_a == Packing::once && space.first_a);
    const bool pack_b = tile_b || (plan.pack_b == Packing::once && space.first_b);
    W* sums = static_cast<W*>(space.sums);
    const bool keep_all = plan.chunk_blocks < plan.k_blocks;  // sums of all rows, from chunk to chunk
    // Where a panel of A or B lies.
    auto a_at = [&](Place place, int64_t first) {
      const int64_t size = padded(depth(plan, place.block, g.k));
      const int64_t whole = place.block * plan.k_block * plan.a_panels + place.p * size;
      return space.a + (tile_a ? (place.p - first) * size : whole) * Format::a_pitch;
    };
    auto b_at = [&](int64_t block, int64_t chunk, int64_t q) {
      const int64_t size = padded(depth(plan, block, g.k));
      return space.b + (tile_b ? (block - chunk) * plan.k_block * columns.size() + (q - columns.begin) * size
                               : block * plan.k_block * plan.b_panels + q * size) *
                           Format::b_pitch;
    };
    for (int64_t chunk = 0; chunk < plan.k_blocks; chunk += plan.chunk_blocks) {
      const int64_t end = smaller(plan.k_blocks, chunk + plan.chunk_blocks);
      for (int64_t first = rows.begin; first < rows.end; first += plan.a_together) {
        const int64_t last = smaller(rows.end, first + plan.a_together);
        for (int64_t block = chunk; block < end; ++block) {
          const int64_t k0 = block * plan.k_block, held = depth(plan, block, g.k), size = padded(held);
          if (pack_a) Format::pack_a(from_a, {first, last}, k0, held, a_at({block, first}, first));
          for (int64_t p = first; p < last; ++p) {
            const int64_t kept = keep_all ? p - rows.begin : plan.k_blocks > 1 ? p - first : 0;
            W* row_sums = sums + kept * columns.size() * kSums;
            const bool packs = pack_b && p == rows.begin;
            const Place next = p + 1 < last && !pack_a ? Place{block, p + 1}
                               : block + 1 < end       ? Place{block + 1, first}
                                                       : Place{chunk, last};
            // A group that will be packed is asked for in parts, while each panel of this one is multiplied.
            const int64_t part = pack_a ? (p - first) * kPartLines : 0;
            const bool asks_a = next.p < rows.end && part < kRows * plan.a_together;
            if (asks_a && !pack_a)
              epilogue.expect(a_at(next, first), padded(depth(plan, next.block, g.k)) * Format::a_pitch);
            for (int64_t q = columns.begin; q < columns.end; ++q) {
              const int64_t row = p * kRows, column = q * kColumns;
              W* block_sums = row_sums + (q - columns.begin) * kSums;
              char* b = b_at(block, chunk, q);
              if (packs) Format::pack_b(from_b, {q, q + 1}, k0, held, b);
              Ahead ahead = Ahead::nothing(b);
              if constexpr (Format::step_depth > 0) {
                if (packs && q + 1 < columns.end)
                  ahead = source(from_b, column + kColumns, kColumns, k0);
                else if (asks_a && q == (packs ? columns.end - 1 : columns.begin))
                  ahead = pack_a ? source(from_a, next.p * kRows + part, kRows, next.block * plan.k_block)
                                 : Ahead::along(a_at(next, first));
              }
              Format::multiply(smaller(kRows, g.m - row), size, a_at({block, p}, first), b, block_sums, block > 0,
                               ahead, epilogue);
              epilogue.finish();
              if (block + 1 == plan.k_blocks) {
                const bool line_ends = q + 1 == columns.end;
                epilogue.begin(row, smaller(kRows, g.m - row), column, smaller(kColumns, g.n - column), block_sums,
                               line_ends ? kRows : 0, line_ends ? (columns.begin - q) * kColumns : kColumns);
              }
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
            Format::panel_bytes,
            Format::few_panels,
            Format::chunk_panels,
            Format::step_depth > 0,
            Format::pack_a,
            Format::pack_b,
            tile<T>,
            tile<W>};
  }
};

}  // namespace videomae
