// The drive of a product: cuBLASLt where it serves, else a plan, the main kernel, and the sums of its parts.
#include "cuda/gemm.h"

#include "cuda/column_sums.cuh"
#include "cuda/cublaslt.h"
#include "cuda/gemm_mma.cuh"
#include "cuda/gemm_plan.h"
#include "cuda/gemm_simt.cuh"

namespace videomae::cuda {
namespace {

constexpr int kMaxGridY = 65535;

size_t padded(size_t bytes) { return (bytes + 255) / 256 * 256; }
int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Rows of f32 sums of a part: whole quads.
int64_t part_pitch(const Gemm& g) { return ceil_div(g.n, 4) * 4; }

/// Parts of k. Column sums are of finished elements, which only one pass has tile by tile.
int parts_of(const Gemm& g) { return g.column_sums ? 1 : gemm_parts(g.m, g.n, g.k, g.batch); }

/// Column sums of the smallest tiles have the most rows.
int64_t partial_rows(const Gemm& g) { return ceil_div(g.m, SmallTile::block_m); }

/// That every quad of the matrices of C's shape, of the bias and of the residual begins at a multiple of its size.
template <class T>
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
  e.quads = quads_are_whole<T>(g);
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

/// Majors of the two operands as the kernels know them, and a product that has them: with both transposed, C^T = B^T A^T
/// would need a kernel of its own, which no layer uses; see gemm().
template <class Shape, bool chunked>
int64_t launch_mma(const Context& context, const Gemm& g, const MmaArguments& arguments, int parts) {
  const int64_t tiles_m = ceil_div(g.m, Shape::block_m), tiles = tiles_m * ceil_div(g.n, Shape::block_n);
  const Launch how{dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(g.batch), static_cast<unsigned>(parts)),
                   dim3(Shape::threads), Shape::shared_bytes};
  if (!g.a_transposed && g.b_transposed)
    launch(context, gemm_mma<Shape, Major::k, Major::k, chunked>, how, arguments);
  else if (!g.a_transposed)
    launch(context, gemm_mma<Shape, Major::k, Major::mn, chunked>, how, arguments);
  else if (!g.b_transposed)
    launch(context, gemm_mma<Shape, Major::mn, Major::mn, chunked>, how, arguments);
  else
    launch(context, gemm_mma<Shape, Major::mn, Major::k, chunked>, how, arguments);
  return tiles_m;
}
