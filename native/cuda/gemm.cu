// The drive of a product: which variant makes it, and unless that is cuBLASLt a plan, the main kernel, and the sums of
// its parts.
#include "cuda/gemm.h"

#include "cuda/column_sums.cuh"
#include "cuda/cublaslt.h"
#include "cuda/gemm_mma.cuh"
#include "cuda/gemm_plan.h"
#include "cuda/gemm_simt.cuh"
#include "cuda/hopper/gemm_wgmma.h"
#include "cuda/variants.h"

namespace videomae::cuda {
namespace {

constexpr int kMaxGridY = 65535;

/// What can make a product: cuBLASLt, or a kernel of ours. `mma` takes the tile that the plan says.
enum class Maker { cublaslt, mma, mma_huge, mma_large, mma_small, wgmma_128x256, wgmma_128x192, wgmma_128x128 };

/// What tells products of the same sizes apart: dtype, layout, batch and the step after it that costs most.
std::string kind_of(const Gemm& g) {
  std::string kind = g.dtype == DType::f32 ? "f32-" : "";
  kind += g.a_transposed ? 't' : 'n';
  kind += g.b_transposed ? 't' : 'n';
  if (g.batch > 1) kind += "x" + std::to_string(g.batch);
  if (g.gate) return kind + "+gate";
  if (g.gelu) return kind + "+gelu";
  if (g.residual) return kind + "+residual";
  if (g.accumulate) return kind + "+add";
  return g.plain() ? kind : kind + "+bias";
}

size_t padded(size_t bytes) { return (bytes + 255) / 256 * 256; }

/// Rows of f32 sums of a part: whole quads.
int64_t part_pitch(const Gemm& g) { return ceil_div(g.n, 4) * 4; }

/// Parts of k. Column sums are of finished elements, which only one pass has tile by tile.
int parts_of(const Gemm& g, bool column_sums) { return column_sums ? 1 : gemm_parts(g.m, g.n, g.k, g.batch); }

TileKind planned_tile(const Context& context, const Gemm& g, int parts) {
  return choose_tile(g.m, g.n, g.batch * parts, context.limits.multiprocessors, context.limits.shared_optin);
}

/// Who makes a product: the first that can, where no choice names another.
Maker maker_of(const Context& context, const Gemm& g) {
  std::vector<Maker> makers;
  std::vector<const char*> names;
  const auto offer = [&](bool can, Maker maker, const char* name) {
    if (can) makers.push_back(maker), names.push_back(name);
  };
  offer(g.plain() && cublaslt_workspace() > 0, Maker::cublaslt, "cublaslt");
  offer(true, Maker::mma, "mma");
  if (g.dtype == DType::bf16) {
    const TileKind planned = planned_tile(context, g, parts_of(g, g.column_sums != nullptr));
    const auto other = [&](TileKind tile, uint64_t shared_bytes) {
      return g.batch == 1 && tile != planned && shared_bytes <= context.limits.shared_optin;
    };
    offer(other(TileKind::huge, HugeTile::shared_bytes), Maker::mma_huge, "mma-huge");
    offer(other(TileKind::large, LargeTile::shared_bytes), Maker::mma_large, "mma-large");
    offer(other(TileKind::small, SmallTile::shared_bytes), Maker::mma_small, "mma-small");
    const bool wgmma = wgmma_serves(context, g);
    offer(wgmma, Maker::wgmma_128x256, "wgmma-128x256");
    offer(wgmma, Maker::wgmma_128x192, "wgmma-128x192");
    offer(wgmma, Maker::wgmma_128x128, "wgmma-128x128");
  }
  const std::string kind = kind_of(g);
  return makers[static_cast<size_t>(chosen_variant({"gemm", kind.c_str(), {g.m, g.n, g.k}}, names))];
}

/// Rows of the partial column sums: the smallest tiles have the most, and wgmma as many.
int64_t partial_rows(const Gemm& g) { return ceil_div(g.m, SmallTile::block_m); }

/// That every quad of the matrices of C's shape, of the bias and of the residual begins at a multiple of its size.
bool quads_are_whole(const Gemm& g) {
  const auto whole = [&](const void* matrix, DType dtype, int64_t ld) {
    return dtype == DType::f32 ? whole_quads(static_cast<const float*>(matrix), ld)
                               : whole_quads(static_cast<const bf16*>(matrix), ld);
  };
  return whole(g.c, g.c_dtype, g.ldc) && g.c_step % 4 == 0 && whole(g.bias, DType::f32, 4) &&
         whole(g.preactivation, g.dtype, g.ldc) && whole(g.gate, g.dtype, g.ldc) &&
         (!g.residual || whole(g.residual, g.residual_dtype, g.residual_ld));
}

template <class T>
Epilogue<T> make_epilogue(const Gemm& g, float* column_partials) {
  Epilogue<T> e{};
  e.c = g.c, e.ldc = g.ldc, e.c_wide = g.c_dtype == DType::f32;
  e.m = static_cast<int>(g.m), e.n = static_cast<int>(g.n);
  e.accumulate = g.accumulate, e.bias = g.bias, e.gelu = g.gelu;
  e.preactivation = static_cast<T*>(g.preactivation), e.gate = static_cast<const T*>(g.gate);
  e.residual = g.residual, e.residual_ld = g.residual_ld, e.residual_wide = g.residual_dtype == DType::f32;
  e.residual_rows = g.residual_rows, e.residual_count = g.residual_rows ? g.residual_count : g.m;
  e.column_partials = g.column_sums ? column_partials : nullptr;
  e.quads = quads_are_whole(g);
  return e;
}

/// The epilogue of a part: its sums as they are.
template <class T>
Epilogue<T> part_epilogue(const Gemm& g, float* parts) {
  Epilogue<T> e{};
  e.c = parts, e.ldc = part_pitch(g), e.c_wide = true, e.quads = true;
  e.m = static_cast<int>(g.m), e.n = static_cast<int>(part_pitch(g));
  return e;
}

Access access_of(const bf16* data, int64_t ld, int64_t batch_step) {
  const auto multiple = [&](int elements) {
    return reinterpret_cast<uintptr_t>(data) % (2 * elements) == 0 && ld % elements == 0 && batch_step % elements == 0;
  };
  return multiple(kChunk) ? Access::chunks : multiple(2) ? Access::pairs : Access::elements;
}

/// A kernel that copies by chunks of 16 bytes, or by the elements' own alignment.
template <class Shape, bool chunked>
void launch_mma(const Context& context, const Launch& how, const Gemm& g, const MmaArguments& arguments) {
  if (!g.a_transposed && g.b_transposed)
    launch(context, gemm_mma<Shape, Major::k, Major::k, chunked>, how, arguments);
  else if (!g.a_transposed)
    launch(context, gemm_mma<Shape, Major::k, Major::mn, chunked>, how, arguments);
  else if (!g.b_transposed)
    launch(context, gemm_mma<Shape, Major::mn, Major::mn, chunked>, how, arguments);
  else
    launch(context, gemm_mma<Shape, Major::mn, Major::k, chunked>, how, arguments);
}

/// Tiles of C, its batch and its parts as a grid.
template <class Shape>
Launch grid_of(int64_t m, int64_t n, int64_t batch, int parts, int block_m, int block_n, int threads) {
  const int64_t tiles = ceil_div(m, block_m) * ceil_div(n, block_n);
  return {dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(batch), static_cast<unsigned>(parts)),
          dim3(static_cast<unsigned>(threads)), Shape::shared_bytes};
}

template <class Shape>
int64_t run_mma(const Context& context, const Gemm& g, const MmaArguments& arguments, int parts) {
  const Launch how = grid_of<Shape>(g.m, g.n, g.batch, parts, Shape::block_m, Shape::block_n, Shape::threads);
  const bool chunked = arguments.a.access == Access::chunks && arguments.b.access == Access::chunks;
  // Operands that are not aligned make copying the limit, for which other tiles have no more to give.
  constexpr bool copies_elements = std::is_same_v<Shape, LargeTile> || std::is_same_v<Shape, SmallTile>;
  if (chunked)
    launch_mma<Shape, true>(context, how, g, arguments);
  else if constexpr (copies_elements)
    launch_mma<Shape, false>(context, how, g, arguments);
  else
    return run_mma<LargeTile>(context, g, arguments, parts);
  return ceil_div(g.m, Shape::block_m);
}

/// The main kernel of a bf16 product; rows of partial column sums.
int64_t start(const Context& context, const Gemm& g, Maker maker, const Epilogue<bf16>& epilogue, int parts) {
  const int64_t part_step = g.m * part_pitch(g);
  switch (maker) {
    case Maker::wgmma_128x256:
      return start_wgmma(context, WgmmaTiles::m128n256, g, epilogue, parts, part_step);
    case Maker::wgmma_128x192:
      return start_wgmma(context, WgmmaTiles::m128n192, g, epilogue, parts, part_step);
    case Maker::wgmma_128x128:
      return start_wgmma(context, WgmmaTiles::m128n128, g, epilogue, parts, part_step);
    default:
      break;
  }
  const TileKind tile = maker == Maker::mma_huge    ? TileKind::huge
                        : maker == Maker::mma_large ? TileKind::large
                        : maker == Maker::mma_small ? TileKind::small
                                                    : planned_tile(context, g, parts);
  const auto operand = [](const void* data, int64_t ld, int64_t step) {
    const bf16* elements = static_cast<const bf16*>(data);
    return MmaOperand{elements, ld, step, access_of(elements, ld, step)};
  };
  const MmaArguments arguments{operand(g.a, g.lda, g.a_step),
                               operand(g.b, g.ldb, g.b_step),
                               static_cast<int>(g.m),
                               static_cast<int>(g.n),
                               static_cast<int>(g.k),
                               static_cast<int>(gemm_part_length(g.k, parts)),
                               g.c_step,
                               part_step,
                               epilogue};
  switch (tile) {
    case TileKind::huge:
      return run_mma<HugeTile>(context, g, arguments, parts);
    case TileKind::large:
      return fits_beside_itself<LargeTile>(context.limits.shared_per_sm)
                 ? run_mma<LargeTile>(context, g, arguments, parts)
                 : run_mma<CompactTile>(context, g, arguments, parts);
    default:
      return run_mma<SmallTile>(context, g, arguments, parts);
  }
}

/// The main kernel of an f32 product; rows of partial column sums.
int64_t start(const Context& context, const Gemm& g, Maker, const Epilogue<float>& epilogue, int parts) {
  const auto operand = [](const void* data, int64_t ld, bool k_first, int64_t step) {
    return SimtOperand{static_cast<const float*>(data), k_first ? 1 : ld, k_first ? ld : 1, step};
  };
  const SimtArguments arguments{operand(g.a, g.lda, g.a_transposed, g.a_step),
                                operand(g.b, g.ldb, !g.b_transposed, g.b_step),
                                static_cast<int>(g.m),
                                static_cast<int>(g.n),
                                static_cast<int>(g.k),
                                static_cast<int>(gemm_part_length(g.k, parts)),
                                g.c_step,
                                g.m * part_pitch(g),
                                epilogue};
  const auto run = [&](auto kernel, auto shape, int block) {
    using Shape = decltype(shape);
    launch(context, kernel, grid_of<Shape>(g.m, g.n, g.batch, parts, block, block, Shape::threads), arguments);
    return ceil_div(g.m, block);
  };
  const int64_t large_tiles = ceil_div(g.m, 128) * ceil_div(g.n, 128) * g.batch * parts;
  const bool large =
      large_tiles >= context.limits.multiprocessors && SimtShape<128>::shared_bytes <= context.limits.shared_optin;
  return large ? run(gemm_simt<128>, SimtShape<128>{}, 128) : run(gemm_simt<64>, SimtShape<64>{}, 64);
}

template <class T>
void run_product(const Context& context, const Gemm& g, Maker maker, char* workspace) {
  const int parts = parts_of(g, g.column_sums != nullptr);
  float* const scratch = reinterpret_cast<float*>(workspace);
  const Epilogue<T> epilogue = make_epilogue<T>(g, scratch);
  const int64_t sum_rows = start(context, g, maker, parts > 1 ? part_epilogue<T>(g, scratch) : epilogue, parts);
  if (parts > 1) {
    const int64_t quads = g.m * part_pitch(g) / 4;
    launch(context, gemm_add_parts<T>, {dim3(static_cast<unsigned>(ceil_div(quads, 256))), dim3(256)}, scratch, parts,
           static_cast<int>(part_pitch(g)), epilogue);
  }
  if (g.column_sums) start_add_partial_rows(context, scratch, sum_rows, g.n, g.column_sums, g.accumulate_sums);
}

void check_size(const char* what, int64_t size) {
  if (size >= 0 && size <= INT32_MAX - 4096) return;
  throw Error("gemm", std::string(what) + " below 2^31 on a GPU", std::to_string(size), "cut the product into several");
}

}  // namespace

size_t gemm_workspace(const Gemm& g, After after) {
  const bool sums = after == After::column_sums;
  const int parts = parts_of(g, sums);
  const int64_t floats = sums ? partial_rows(g) * g.n : parts > 1 ? parts * g.m * part_pitch(g) : 0;
  const size_t ours = padded(static_cast<size_t>(floats) * 4);
  return after == After::nothing ? std::max(ours, cublaslt_workspace()) : ours;
}

void gemm(const Context& context, const Gemm& g, void* workspace) {
  check_size("m", g.m), check_size("n", g.n), check_size("k", g.k);
  if (g.m == 0 && g.n > 0 && g.column_sums)
    start_add_partial_rows(context, nullptr, 0, g.n, g.column_sums, g.accumulate_sums);
  if (g.m == 0 || g.n == 0) return;
  const Maker maker = maker_of(context, g);
  if (maker == Maker::cublaslt && cublaslt_product(context, g, workspace)) return;
  for (int64_t first = 0; first < g.batch; first += kMaxGridY) {
    Gemm items = g;
    items.batch = std::min<int64_t>(g.batch - first, kMaxGridY);
    const int64_t size = size_of(g.dtype), c_size = size_of(g.c_dtype);
    items.a = static_cast<const char*>(g.a) + first * g.a_step * size;
    items.b = static_cast<const char*>(g.b) + first * g.b_step * size;
    items.c = static_cast<char*>(g.c) + first * g.c_step * c_size;
    with_real("gemm", g.dtype,
              [&](auto t) { run_product<decltype(t)>(context, items, maker, static_cast<char*>(workspace)); });
  }
}

}  // namespace videomae::cuda
