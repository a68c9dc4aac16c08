// The drive of a product: plan, pack, tiles. Everything that touches elements is in gemm_kernel.h.
#include "cpu/gemm.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "core/thread_pool.h"
#include "cpu/gemm_kernel.h"

namespace videomae {
namespace {

// Below this many multiply-adds a product runs on the calling thread: waking the pool costs more than it saves.
constexpr int64_t kParallelWork = 1 << 20;
// Bytes of a k block of one column of B; 2 vectors of columns and this depth fill most of a first-level cache.
constexpr int64_t kBlockBytes = 1536;
// Largest tile of C in panels (with AVX-512 168 x 512 floats, so that its panels of A and itself fit in L2), and the
// number of tiles below which tiles are halved to keep many cores busy.
constexpr int64_t kTileRows = 12, kTileColumns = 16, kEnoughTiles = 32;
constexpr int64_t kPackPanels = 8;  // panels packed as one piece
constexpr int64_t kCacheLine = 64;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T>
const GemmKernels<T>& kernels_of(const GemmKernelSet& set) {
  if constexpr (sizeof(T) == sizeof(float))
    return set.f32;
  else
    return set.f64;
}

const GemmKernelSet& current_set() {
#if defined(__x86_64__)
  const InstructionSet set = current_instruction_set();
  if (set >= InstructionSet::kAvx512) return kGemmAvx512;
  if (set >= InstructionSet::kAvx2) return kGemmAvx2;
#endif
  return kGemmPortable;
}

template <class T>
GemmPlan make_plan(const GemmKernels<T>& kernels, int64_t m, int64_t n, int64_t k) {
  GemmPlan plan;
  int64_t deepest = kBlockBytes / static_cast<int64_t>(sizeof(T));
  plan.k_blocks = std::max<int64_t>(1, ceil_div(k, deepest));  // k = 0: one empty block carries the epilogue
  plan.k_block = ceil_div(k, plan.k_blocks);
  if (plan.k_block > 0) plan.k_blocks = std::max<int64_t>(1, ceil_div(k, plan.k_block));
  plan.a_panels = ceil_div(m, kernels.rows);
  plan.b_panels = ceil_div(n, kernels.columns);
  int64_t down = ceil_div(plan.a_panels, kTileRows), across = ceil_div(plan.b_panels, kTileColumns);
  for (;;) {
    plan.tile_rows = ceil_div(plan.a_panels, down);
    plan.tile_columns = ceil_div(plan.b_panels, across);
    if (down * across >= kEnoughTiles || (plan.tile_rows <= 4 && plan.tile_columns <= 2)) return plan;
    if (plan.tile_columns > 2)
      across *= 2;
    else
      down *= 2;
  }
}

/// Elements of packed A, rounded up so that packed B after it starts on a cache line.
template <class T>
int64_t packed_a_size(const GemmKernels<T>& kernels, int64_t m, int64_t k) {
  int64_t line = kCacheLine / static_cast<int64_t>(sizeof(T));
  return ceil_div(ceil_div(m, kernels.rows) * kernels.step * k, line) * line;
}

template <class T>
int64_t packed_size(const GemmKernels<T>& kernels, int64_t m, int64_t n, int64_t k) {
  return packed_a_size(kernels, m, k) + ceil_div(n, kernels.columns) * kernels.columns * k;
}

template <class T>
void check(const Gemm<T>& g) {
  auto require = [](bool good, const char* what, int64_t got) {
    if (!good) throw std::invalid_argument(std::string("gemm: expected ") + what + "; got " + std::to_string(got));
  };
  require(g.m >= 0, "m >= 0", g.m);
  require(g.n >= 0, "n >= 0", g.n);
  require(g.k >= 0, "k >= 0", g.k);
  require(g.lda >= (g.a_transposed ? g.m : g.k), "lda of at least a row of A", g.lda);
  require(g.ldb >= (g.b_transposed ? g.k : g.n), "ldb of at least a row of B", g.ldb);
  require(g.ldc >= g.n, "ldc of at least a row of C", g.ldc);
  require(!g.residual || g.residual_ld >= g.n, "residual_ld of at least a row of C", g.residual_ld);
}

/// body(begin, end) over [0, count) in runs of `grain`.
struct Runs {
  int64_t count, grain;
  int64_t pieces() const { return ceil_div(count, grain); }
  PanelRange range(int64_t piece) const { return {piece * grain, std::min(count, (piece + 1) * grain)}; }
};

}  // namespace

template <class T>
size_t gemm_workspace(int64_t m, int64_t n, int64_t k) {
  int64_t size = packed_size(kernels_of<T>(kGemmPortable), m, n, k);
#if defined(__x86_64__)
  size = std::max(size, packed_size(kernels_of<T>(kGemmAvx2), m, n, k));
  size = std::max(size, packed_size(kernels_of<T>(kGemmAvx512), m, n, k));
#endif
  return static_cast<size_t>(size) * sizeof(T);
}

template <class T>
void gemm(const Gemm<T>& g, void* workspace) {
  check(g);
  if (g.m == 0 || g.n == 0) return;
  const GemmKernels<T>& kernels = kernels_of<T>(current_set());
  const GemmPlan plan = make_plan(kernels, g.m, g.n, g.k);
  T* packed_a = static_cast<T*>(workspace);
  T* packed_b = packed_a + packed_a_size(kernels, g.m, g.k);

  auto each = [parallel = g.m * g.n * g.k >= kParallelWork](int64_t count, auto&& body) {
    if (parallel) return parallel_for(count, body);
    for (int64_t i = 0; i < count; ++i) body(i);
  };
  if (g.k > 0) {
    Runs a_runs{plan.a_panels, kPackPanels}, b_runs{plan.b_panels, kPackPanels};
    int64_t a_pieces = a_runs.pieces() * plan.k_blocks, b_pieces = b_runs.pieces() * plan.k_blocks;
    each(a_pieces + b_pieces, [&](int64_t i) {
      if (i < a_pieces)
        kernels.pack_a(g, plan, i / a_runs.pieces(), a_runs.range(i % a_runs.pieces()), packed_a);
      else
        kernels.pack_b(g, plan, (i - a_pieces) / b_runs.pieces(), b_runs.range((i - a_pieces) % b_runs.pieces()),
                       packed_b);
    });
  }
  Runs rows{plan.a_panels, plan.tile_rows}, columns{plan.b_panels, plan.tile_columns};
  each(rows.pieces() * columns.pieces(), [&](int64_t i) {
    kernels.tile(g, plan, rows.range(i / columns.pieces()), columns.range(i % columns.pieces()), packed_a, packed_b);
  });
}

template size_t gemm_workspace<float>(int64_t, int64_t, int64_t);
template size_t gemm_workspace<double>(int64_t, int64_t, int64_t);
template void gemm(const Gemm<float>&, void*);
template void gemm(const Gemm<double>&, void*);

}  // namespace videomae
