// The launch of a product by wgmma: tensor maps of its operands, and a block for each multiprocessor.
#include "cuda/hopper/gemm_wgmma.h"

#include "cuda/device/tensor_map.cuh"
#include "cuda/hopper/gemm_wgmma.cuh"

namespace videomae::cuda {
namespace {

/// An operand as the copy engine sees it: the contiguous index first, then the other, then items of the batch.
template <class Shape>
CUtensorMap operand_map(const void* data, int64_t ld, int64_t batch_step, int64_t batch, Major major, int64_t mn,
                        int64_t k, int mn_size) {
  const int64_t inner = major == Major::k ? k : mn, outer = major == Major::k ? mn : k;
  const uint64_t size[3] = {static_cast<uint64_t>(inner), static_cast<uint64_t>(outer),
                            static_cast<uint64_t>(batch_step ? batch : 1)};
  const uint64_t strides[2] = {static_cast<uint64_t>(ld) * 2, static_cast<uint64_t>(batch_step ? batch_step : ld) * 2};
  const uint32_t box[3] = {static_cast<uint32_t>(Shape::box_width()),
                           static_cast<uint32_t>(Shape::box_height(major, mn_size)), 1};
  return bf16_tensor_map(data, 3, size, strides, box, Swizzle::b128, Fill::zero);
}

template <class Shape, Major a_major, Major b_major>
void launch_wgmma(const Context& context, const Gemm& g, const WgmmaArguments& arguments) {
  const CUtensorMap a = operand_map<Shape>(g.a, g.lda, g.a_step, g.batch, a_major, g.m, g.k, Shape::block_m);
  const CUtensorMap b = operand_map<Shape>(g.b, g.ldb, g.b_step, g.batch, b_major, g.n, g.k, Shape::block_n);
  const int64_t works =
      ceil_div(g.m, Shape::block_m) * ceil_div(arguments.epilogue.n, Shape::block_n) * g.batch * arguments.parts;
  const int64_t blocks = std::min<int64_t>(works, context.limits.multiprocessors);
  launch(context, gemm_wgmma<Shape, a_major, b_major>,
         {dim3(static_cast<unsigned>(blocks)), dim3(Shape::threads), Shape::shared_bytes}, a, b, arguments);
}

template <class Shape>
void launch_wgmma(const Context& context, const Gemm& g, const WgmmaArguments& arguments) {
  if (!g.a_transposed && g.b_transposed)
    launch_wgmma<Shape, Major::k, Major::k>(context, g, arguments);
  else if (!g.a_transposed)
    launch_wgmma<Shape, Major::k, Major::mn>(context, g, arguments);
  else if (!g.b_transposed)
    launch_wgmma<Shape, Major::mn, Major::mn>(context, g, arguments);
  else
    launch_wgmma<Shape, Major::mn, Major::k>(context, g, arguments);
}

}  // namespace

bool wgmma_serves(const Context& context, const Gemm& g) {
  const auto readable = [](const void* data, int64_t ld, int64_t step) {
    return aligned(16, {data}) && ld % 8 == 0 && step % 8 == 0;
  };
  return context.limits.capability == 90 && context.limits.shared_optin >= Wgmma128x256::shared_bytes &&
         g.dtype == DType::bf16 && g.k > 0 && readable(g.a, g.lda, g.a_step) && readable(g.b, g.ldb, g.b_step);
}

int64_t start_wgmma(const Context& context, WgmmaTiles tiles, const Gemm& g, const Epilogue<bf16>& epilogue, int parts,
                    int64_t part_step) {
  const WgmmaArguments arguments{static_cast<int>(ceil_div(g.k, 64)),
                                 static_cast<int>(g.batch),
                                 parts,
                                 g.a_step != 0,
                                 g.b_step != 0,
                                 g.c_step,
                                 part_step,
                                 epilogue};
  switch (tiles) {
    case WgmmaTiles::m128n256:
      launch_wgmma<Wgmma128x256>(context, g, arguments);
      break;
    case WgmmaTiles::m128n192:
      launch_wgmma<Wgmma128x192>(context, g, arguments);
      break;
    case WgmmaTiles::m128n128:
      launch_wgmma<Wgmma128x128>(context, g, arguments);
      break;
  }
  return ceil_div(g.m, 64);
}

}  // namespace videomae::cuda
