// The drive of a product: plan, pack, tiles. Everything that touches elements is in gemm_kernel.h and what it includes.
#include "cpu/gemm.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/instruction_set.h"
#include "core/thread_pool.h"
#include "cpu/gemm_kernel.h"

namespace videomae {
namespace {

// Below this many multiply-adds a product runs on the calling thread: waking the pool costs more than it saves.
constexpr int64_t kParallelWork = 1 << 20;
// The sums of a tile where they outlive a row of blocks.
constexpr int64_t kSumBytes = 1 << 20;
// Tiles below which they are cut further, to keep cores busy, so long as few a core should get equally many of: nine
// would leave one of two cores waiting for a tenth of its time. The rows or columns that a tile keeps in any case.
constexpr int64_t kEnoughTiles = 8, kManyTiles = 16, kEvenTiles = 4, kLeastLines = 96;
constexpr int64_t kPackPanels = 4;  // packed as one piece, or by a tile together
// An operand of so many bytes at most is packed by each thread for itself, where so few share the work: what one core
// has packed reaches another slowly, and where they share no cache packing over it again waits for the other's copy.
constexpr int64_t kOnceBytes = 5 << 20, kOncePieces = 64, kFewThreads = 4;
constexpr int64_t kCacheLine = 64;

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T>
const GemmKernels<T>& kernels_of(const GemmKernelSet& set) {
  if constexpr (std::is_same_v<T, double>)
    return set.of_f64;
  else if constexpr (std::is_same_v<T, float>)
    return set.of_f32;
  else
    return set.of_bf16;
}

/// The kernels of an instruction set.
template <class T>
const GemmKernels<T>& kernels_for(InstructionSet set) {
#if defined(__x86_64__)
  if constexpr (std::is_same_v<T, bf16>) {
    if (set >= InstructionSet::kAmx) return kGemmAmx;
    if (set >= InstructionSet::kAvx512Bf16) return kGemmAvx512Bf16;
  }
  if constexpr (std::is_same_v<T, float>)
    if (set >= InstructionSet::kAmx) return kGemmAmxF32;
  if (set >= InstructionSet::kAvx512) return kernels_of<T>(kGemmAvx512);
  if (set >= InstructionSet::kAvx2) return kernels_of<T>(kGemmAvx2);
#endif
  return kernels_of<T>(kGemmPortable);
}

template <class T>
GemmPlan make_plan(const GemmKernels<T>& kernels, int64_t m, int64_t n, int64_t k, bool b_is_packed,
                   bool a_transposed = false) {
  GemmPlan plan;
  plan.k_blocks = std::max<int64_t>(1, ceil_div(k, kernels.deepest));  // k = 0: one empty block carries the epilogue
  plan.k_block = std::max<int64_t>(1, kernels.padded(ceil_div(k, plan.k_blocks)));
  plan.k_blocks = std::max<int64_t>(1, ceil_div(k, plan.k_block));
  plan.a_panels = ceil_div(m, kernels.rows);
  plan.b_panels = ceil_div(n, kernels.columns);

  auto level = [](int64_t panels, int64_t tile) {
    return ceil_div(panels, std::max<int64_t>(1, ceil_div(panels, std::max<int64_t>(1, tile))));
  };
  const int64_t panel_bytes = kernels.b_pitch * plan.k_block * plan.k_blocks;
  plan.tile_a = plan.a_panels;
  plan.tile_b = level(plan.b_panels, kernels.panel_bytes / panel_bytes);
  plan.chunk_blocks = plan.k_blocks;
  if (plan.tile_b < std::min(kernels.few_panels, plan.b_panels) && plan.k_blocks > 1) {
    plan.tile_b = level(plan.b_panels, kernels.chunk_panels);
    plan.chunk_blocks = std::max<int64_t>(1, kernels.panel_bytes / (plan.tile_b * kernels.b_pitch * plan.k_block));
    const int64_t row_bytes = plan.tile_b * kernels.sums_bytes();
    plan.tile_a = level(plan.a_panels, kSumBytes / row_bytes);
  }
  auto down = [&] { return ceil_div(plan.a_panels, plan.tile_a); };
  auto across = [&] { return ceil_div(plan.b_panels, plan.tile_b); };
  // The side of the larger operand is cut first, so that few tiles pack the same part of it.
  const bool larger_b = plan.b_panels * kernels.b_pitch > plan.a_panels * kernels.a_pitch;
  auto cut = [&](int64_t& tile, int64_t panels, int64_t lines) {
    const int64_t smaller = level(panels, tile - 1);
    return smaller < tile && smaller * lines >= kLeastLines && (tile = smaller);
  };
  auto cut_a = [&] { return cut(plan.tile_a, plan.a_panels, kernels.rows); };
  auto cut_b = [&] { return cut(plan.tile_b, plan.b_panels, kernels.columns); };
  plan.tile_a = level(plan.a_panels, plan.tile_a), plan.tile_b = level(plan.b_panels, plan.tile_b);
  auto few = [&](int64_t tiles) { return tiles < kEnoughTiles || (tiles < kManyTiles && tiles % kEvenTiles != 0); };
  while (few(down() * across()) && (larger_b ? cut_b() || cut_a() : cut_a() || cut_b())) {
  }

  // The larger operand is packed by the tiles, where no two of them need the same part.
  const auto shared = [&](int64_t pieces, int64_t bytes) {
    const bool once = kernels.packs_once && thread_count() <= kFewThreads && pieces <= kOncePieces;
    return once && bytes <= kOnceBytes ? Packing::once : Packing::before;
  };
  plan.pack_a = (b_is_packed || !larger_b) && across() == 1
                    ? Packing::tile
                    : shared(down(), plan.a_panels * kernels.a_pitch * kernels.padded(k));
  plan.pack_b = b_is_packed               ? Packing::before
                : larger_b && down() == 1 ? Packing::tile
                                          : shared(across(), plan.b_panels * kernels.b_pitch * kernels.padded(k));
  // Neighbouring lines share cache lines and pages where A lies transposed.
  plan.a_together = plan.pack_a != Packing::before && a_transposed ? kPackPanels : 1;
  return plan;
}

constexpr size_t whole_lines(int64_t bytes) { return static_cast<size_t>(ceil_div(bytes, kCacheLine) * kCacheLine); }

template <class T>
size_t packed_a_bytes(const GemmKernels<T>& kernels, int64_t m, int64_t k) {
  return whole_lines(ceil_div(m, kernels.rows) * kernels.a_pitch * kernels.padded(k));
}
template <class T>
size_t packed_b_bytes(const GemmKernels<T>& kernels, int64_t n, int64_t k) {
  return whole_lines(ceil_div(n, kernels.columns) * kernels.b_pitch * kernels.padded(k));
}

/// Stands before a packed B and says what it is good for: a cache line.
struct PackedLabel {
  int64_t n, k, element_bytes, instruction_set, unused[4];
};

template <class T>
PackedLabel label_of(int64_t n, int64_t k) {
  return {n, k, sizeof(T), static_cast<int64_t>(current_instruction_set()), {}};
}

template <class T, class C>
void check(const Gemm<T, C>& g) {
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
  const PackedLabel label = label_of<T>(g.n, g.k);
  require(!g.packed_b || std::memcmp(g.packed_b, &label, sizeof label) == 0,
          "packed_b of this size, dtype and instruction set", static_cast<int64_t>(current_instruction_set()));
}

/// [0, count) in runs of `grain`.
struct Runs {
  int64_t count, grain;
  int64_t pieces() const { return ceil_div(count, grain); }
  PanelRange range(int64_t piece) const { return {piece * grain, std::min(count, (piece + 1) * grain)}; }
};

/// body(i) for i in [0, count), on all threads or on this one.
template <class F>
void each(bool parallel, int64_t count, F&& body) {
  if (parallel) return parallel_for(count, body);
  for (int64_t i = 0; i < count; ++i) body(i);
}

/// Packs a whole operand, for each block of k one panel after another.
template <class T>
void pack_operand(const GemmOperand<T>& x, const GemmKernels<T>& kernels, bool is_b, int64_t panels,
                  const GemmPlan& plan, bool parallel, void* packed) {
  if (x.k == 0) return;
  const Runs runs{panels, kPackPanels};
  const int64_t pitch = is_b ? kernels.b_pitch : kernels.a_pitch;
  each(parallel, runs.pieces() * plan.k_blocks, [&](int64_t i) {
    const int64_t k0 = i % plan.k_blocks * plan.k_block, depth = std::min(plan.k_block, x.k - k0);
    const PanelRange range = runs.range(i / plan.k_blocks);
    char* to = static_cast<char*>(packed) + (k0 * panels + kernels.padded(depth) * range.begin) * pitch;
    (is_b ? kernels.pack_b : kernels.pack_a)(x, range, k0, depth, to);
  });
}

/// A thread's own space, kept for its next products.
class ThreadSpace {
 public:
  char* of(size_t bytes) {
    if (held_ < bytes) {
      space_.reset(static_cast<char*>(std::aligned_alloc(kCacheLine, bytes)));
      held_ = space_ ? bytes : 0;
      if (!space_) throw std::bad_alloc();
    }
    return space_.get();
  }

  /// Whether this is the thread's first call for those rows, or columns, of the product of that number. piece < 64.
  bool first_rows(uint64_t product, int64_t piece) { return first(product, rows_, piece); }
  bool first_columns(uint64_t product, int64_t piece) { return first(product, columns_, piece); }

 private:
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  bool first(uint64_t product, uint64_t& met, int64_t piece) {
    if (product_ != product) product_ = product, rows_ = columns_ = 0;
    const uint64_t before = std::exchange(met, met | uint64_t{1} << piece);
    return before != met;
  }

  std::unique_ptr<char, Free> space_;
  size_t held_ = 0;
  uint64_t product_ = 0, rows_ = 0, columns_ = 0;  // the pieces met are bits
};

/// This thread's, for products of all types.
ThreadSpace& thread_space() {
  thread_local ThreadSpace space;
  return space;
}

std::atomic<uint64_t> products{0};  // begun so far, of all types: the number of each

}  // namespace

template <class T>
size_t gemm_workspace(int64_t m, int64_t n, int64_t k) {
  if (m <= 0 || n <= 0) return 0;
  size_t bytes = 0;
  auto consider = [&](InstructionSet set) {
    const GemmKernels<T>& kernels = kernels_for<T>(set);
    const GemmPlan plan = make_plan(kernels, m, n, k, false);
    // Any number of threads may come to compute it.
    bytes = std::max(bytes, (plan.pack_a == Packing::tile ? 0 : packed_a_bytes(kernels, m, k)) +
                                (plan.pack_b == Packing::tile ? 0 : packed_b_bytes(kernels, n, k)));
  };
  for (InstructionSet set : {InstructionSet::kPortable, InstructionSet::kAvx2, InstructionSet::kAvx512,
                             InstructionSet::kAvx512Bf16, InstructionSet::kAmx})
    consider(set);
  return bytes;
}

template <class T>
size_t packed_b_bytes(int64_t n, int64_t k) {
  return sizeof(PackedLabel) + packed_b_bytes(kernels_for<T>(current_instruction_set()), n, k);
}

template <class T>
void pack_b(int64_t n, int64_t k, const T* b, int64_t ldb, bool b_transposed, void* to) {
  const PackedLabel label = label_of<T>(n, k);
  std::memcpy(to, &label, sizeof label);
  if (n <= 0 || k <= 0) return;
  const GemmKernels<T>& kernels = kernels_for<T>(current_instruction_set());
  const GemmPlan plan = make_plan(kernels, 1, n, k, true);
  pack_operand(GemmOperand<T>{b, ldb, !b_transposed, n, k}, kernels, true, plan.b_panels, plan,
               n * k >= kParallelWork / 64, static_cast<char*>(to) + sizeof label);
}

template <class T, class C>
void gemm(const Gemm<T, C>& g, void* workspace) {
  check(g);
  if (g.m == 0 || g.n == 0) return;
  const GemmKernels<T>& kernels = kernels_for<T>(current_instruction_set());
  const GemmPlan plan = make_plan(kernels, g.m, g.n, g.k, g.packed_b != nullptr, g.a_transposed);
  const bool parallel = g.m * g.n * g.k >= kParallelWork;
  char* free_space = static_cast<char*>(workspace);
  GemmSpace shared{};
  if (plan.pack_a == Packing::before) {
    pack_operand(operand_a(g), kernels, false, plan.a_panels, plan, parallel, free_space);
    shared.a = free_space;
    free_space += packed_a_bytes(kernels, g.m, g.k);
  }
  if (g.packed_b) {
    shared.b = const_cast<char*>(static_cast<const char*>(g.packed_b)) + sizeof(PackedLabel);  // only read
  } else if (plan.pack_b == Packing::before) {
    pack_operand(operand_b(g), kernels, true, plan.b_panels, plan, parallel, free_space);
    shared.b = free_space;
  }

  const auto space_for = [](Packing packing, int64_t whole, int64_t part) {
    return packing == Packing::once ? whole : packing == Packing::tile ? whole_lines(part) : 0;
  };
  const size_t a_bytes =
      space_for(plan.pack_a, packed_a_bytes(kernels, g.m, g.k), plan.a_together * kernels.a_pitch * plan.k_block);
  const size_t b_bytes = space_for(plan.pack_b, packed_b_bytes(kernels, g.n, g.k),
                                   plan.tile_b * kernels.b_pitch * plan.k_block * plan.chunk_blocks);
  const int64_t rows_kept = plan.chunk_blocks < plan.k_blocks ? plan.tile_a : plan.k_blocks > 1 ? plan.a_together : 1;
  const size_t sums = whole_lines(rows_kept * plan.tile_b * kernels.sums_bytes());
  const uint64_t number = ++products;
  const Runs rows{plan.a_panels, plan.tile_a}, columns{plan.b_panels, plan.tile_b};
  each(parallel, rows.pieces() * columns.pieces(), [&](int64_t i) {
    ThreadSpace& own = thread_space();
    char* at = own.of(a_bytes + b_bytes + sums);
    const int64_t row = i / columns.pieces(), column = i % columns.pieces();
    const GemmSpace space{shared.a ? shared.a : at, shared.b ? shared.b : at + a_bytes, at + a_bytes + b_bytes,
                          plan.pack_a == Packing::once && own.first_rows(number, row),
                          plan.pack_b == Packing::once && own.first_columns(number, column)};
    const PanelRange p = rows.range(row), q = columns.range(column);
    if constexpr (std::is_same_v<T, C>)
      kernels.tile(g, plan, p, q, space);
    else
      kernels.wide_tile(g, plan, p, q, space);
  });
}

#define VIDEOMAE_GEMM(T)                                                  \
  template size_t gemm_workspace<T>(int64_t, int64_t, int64_t);           \
  template size_t packed_b_bytes<T>(int64_t, int64_t);                    \
  template void pack_b(int64_t, int64_t, const T*, int64_t, bool, void*); \
  template void gemm(const Gemm<T, T>&, void*);
VIDEOMAE_GEMM(float)
VIDEOMAE_GEMM(double)
VIDEOMAE_GEMM(bf16)
template void gemm(const Gemm<bf16, float>&, void*);
#undef VIDEOMAE_GEMM

}  // namespace videomae
