// Starts a kernel.
//
//   launch(context, layer_norm_forward<T>, {dim3(rows), dim3(256), shared_bytes}, x, y, rows, width);
#pragma once

#include <cstddef>
#include <string>
#include <type_traits>

#include "core/error.h"
#include "cuda/device/dependent_launch.cuh"
#include "cuda/device/kernel.cuh"

#if !VIDEOMAE_CUDA
#include "cuda/emu/launch.h"
#endif

namespace videomae::cuda {

struct Launch {
  dim3 grid, block;
  size_t shared_bytes = 0;    ///< dynamic shared memory of a block
  int cluster = 1;            ///< blocks of a cluster, along x (capability 9.0)
  bool programmatic = false;  ///< may begin before the kernel ahead has ended (device/dependent_launch.cuh)
};

#if VIDEOMAE_CUDA

/// What a launch failed with, as an Error that names the kernel.
inline void check_launch(const void* kernel, const Launch& launch, cudaError_t error) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // not left behind for the next launch
  const char* name = nullptr;
  if (cudaFuncGetName(&name, kernel) != cudaSuccess || !name) name = "a kernel";
  const auto text = [](dim3 d) {
    return std::to_string(d.x) + " x " + std::to_string(d.y) + " x " + std::to_string(d.z);
  };
  throw Error(name, "a launch", std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error),
              "grid " + text(launch.grid) + ", block " + text(launch.block) + ", " +
                  std::to_string(launch.shared_bytes) + " bytes of shared memory");
}

/// Starts `kernel` on the stream of `context`, as one that may begin early if that says so. Arguments are converted to
/// the kernel's parameters and go by value.
/// @throws Error naming the kernel when it cannot be started
template <class Context, class... Parameters, class... Arguments>
void launch(const Context& context, void (*kernel)(Parameters...), const Launch& launch, Arguments... arguments) {
  const void* function = reinterpret_cast<const void*>(kernel);
  if (launch.shared_bytes > 48 * 1024) {
    check_launch(function, launch,
                 cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      static_cast<int>(launch.shared_bytes)));
  }
  cudaLaunchAttribute attributes[2];
  cudaLaunchConfig_t config{};
  config.gridDim = launch.grid, config.blockDim = launch.block, config.dynamicSmemBytes = launch.shared_bytes;
  config.stream = static_cast<cudaStream_t>(context.stream);
  config.attrs = attributes;
  if (launch.cluster > 1) {
    attributes[config.numAttrs].id = cudaLaunchAttributeClusterDimension;
    attributes[config.numAttrs].val.clusterDim.x = static_cast<unsigned>(launch.cluster);
    attributes[config.numAttrs].val.clusterDim.y = attributes[config.numAttrs].val.clusterDim.z = 1;
    ++config.numAttrs;
  }
  if (launch.programmatic || context.programmatic) {
    attributes[config.numAttrs].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[config.numAttrs].val.programmaticStreamSerializationAllowed = 1;
    ++config.numAttrs;
  }
  check_launch(function, launch, cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...));
}

#else

template <class Context, class... Parameters, class... Arguments>
void launch(const Context& context, void (*kernel)(Parameters...), const Launch& launch, Arguments... arguments) {
  static_assert((std::is_trivially_copyable_v<Parameters> && ...), "kernel arguments are plain structs and scalars");
  emu::enqueue(context.stream, {reinterpret_cast<const void*>(kernel),
                                launch.grid,
                                launch.block,
                                launch.shared_bytes,
                                launch.cluster,
                                launch.programmatic || context.programmatic,
                                [kernel, arguments...] { kernel(static_cast<Parameters>(arguments)...); },
                                {}});
}

#endif

}  // namespace videomae::cuda
