// Which GPU this is, or why there is none. The emulator says that it is none.
#pragma once

#include <string>

#include "cuda/device/kernel.cuh"

namespace videomae::cuda {

struct DeviceInfo {
  std::string problem;  ///< why there is no usable GPU; empty when there is one
  std::string name;
  int capability = 0;           ///< 90 for 9.0
  int driver = 0, runtime = 0;  ///< versions of CUDA, 13000 for 13.0
  bool emulated = false;
};

inline DeviceInfo device_info() {
  DeviceInfo info;
#if VIDEOMAE_CUDA
  int count = 0;
  cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count == 0) error = cudaErrorNoDevice;
  cudaDeviceProp properties{};
  if (error == cudaSuccess) error = cudaGetDeviceProperties(&properties, 0);
  if (error == cudaSuccess) error = cudaFree(nullptr);  // makes the context
  if (error != cudaSuccess) {
    info.problem = std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error);
    return info;
  }
  cudaDriverGetVersion(&info.driver);
  cudaRuntimeGetVersion(&info.runtime);
  info.name = properties.name;
  info.capability = properties.major * 10 + properties.minor;
#else
  info.name = "the emulator", info.capability = 90, info.emulated = true;
#endif
  return info;
}

}  // namespace videomae::cuda
