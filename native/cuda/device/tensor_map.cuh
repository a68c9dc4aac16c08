// Tensor maps: what the copy engine knows about a tensor of bf16 in global memory and the boxes it moves.
//
// cuTensorMapEncodeTiled belongs to the driver; its address comes from the runtime, so nothing links to libcuda.
// Axes are named from the contiguous one on. Requirements (CUDA driver API, cuTensorMapEncodeTiled): the tensor begins
// at a multiple of 16 bytes, strides are multiples of 16 bytes, a box has at most 256 elements an axis, its contiguous
// side is a multiple of 16 bytes, and at most swizzle_span() bytes when swizzled.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "cuda/device/kernel.cuh"
#include "cuda/device/swizzle.h"

#if VIDEOMAE_CUDA
#include <cuda.h>
#else
#include "cuda/emu/tensor_map.h"
#endif

namespace videomae::cuda {

/// What a load writes for elements outside the tensor.
enum class Fill { zero, nan };

#if VIDEOMAE_CUDA
constexpr CUtensorMapSwizzle tensor_map_swizzle(Swizzle swizzle) {
  return swizzle == Swizzle::b128  ? CU_TENSOR_MAP_SWIZZLE_128B
         : swizzle == Swizzle::b64 ? CU_TENSOR_MAP_SWIZZLE_64B
         : swizzle == Swizzle::b32 ? CU_TENSOR_MAP_SWIZZLE_32B
                                   : CU_TENSOR_MAP_SWIZZLE_NONE;
}
#endif

#if VIDEOMAE_CUDA
/// The driver's function, looked up once.
/// @throws std::runtime_error where the driver has none
inline decltype(&cuTensorMapEncodeTiled) tensor_map_encoder() {
  static const auto encoder = [] {
    void* entry = nullptr;
    cudaDriverEntryPointQueryResult found{};
    const cudaError_t error =
        cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry, 12000, cudaEnableDefault, &found);
    if (error != cudaSuccess || found != cudaDriverEntryPointSuccess)
      throw std::runtime_error(std::string("cuTensorMapEncodeTiled: not in this driver: ") + cudaGetErrorName(error));
    return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(entry);
  }();
  return encoder;
}
#endif

/// @param rank  2 or 3
/// @param size  elements of each axis
/// @param stride_bytes  from one element to the next, of axes 1 to rank - 1
/// @param box  elements of each axis
/// @throws std::runtime_error where the driver has no such function or refuses the map
inline CUtensorMap bf16_tensor_map(const void* global, int rank, const uint64_t* size, const uint64_t* stride_bytes,
                                   const uint32_t* box, Swizzle swizzle, Fill fill) {
#if VIDEOMAE_CUDA
  const uint32_t element_stride[3] = {1, 1, 1};
  CUtensorMap map;
  const CUresult result = tensor_map_encoder()(
      &map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, static_cast<cuuint32_t>(rank), const_cast<void*>(global), size,
      stride_bytes, box, element_stride, CU_TENSOR_MAP_INTERLEAVE_NONE, tensor_map_swizzle(swizzle),
      CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
      fill == Fill::nan ? CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA : CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) {
    throw std::runtime_error("cuTensorMapEncodeTiled: CUresult " + std::to_string(static_cast<int>(result)));
  }
  return map;
#else
  return emu::tensor_map(global, rank, size, stride_bytes, box, swizzle, fill == Fill::nan);
#endif
}

}  // namespace videomae::cuda
