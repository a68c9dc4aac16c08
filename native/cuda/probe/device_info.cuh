// Which GPU this is, or why there is none.
#pragma once

#include <cuda_runtime.h>

#include <string>

namespace videomae::probe {

struct DeviceInfo {
  cudaError_t error = cudaSuccess;  ///< why there is no usable GPU
  std::string name;
  int capability = 0;           ///< 90 for 9.0
  int driver = 0, runtime = 0;  ///< versions of CUDA, 13000 for 13.0
};

inline DeviceInfo device_info() {
  DeviceInfo info;
  int count = 0;
  info.error = cudaGetDeviceCount(&count);
  if (info.error == cudaSuccess && count == 0) info.error = cudaErrorNoDevice;
  cudaDeviceProp properties{};
  if (info.error == cudaSuccess) info.error = cudaGetDeviceProperties(&properties, 0);
  if (info.error == cudaSuccess) info.error = cudaFree(nullptr);  // makes the context
  if (info.error != cudaSuccess) return info;
  cudaDriverGetVersion(&info.driver);
  cudaRuntimeGetVersion(&info.runtime);
  info.name = properties.name;
  info.capability = properties.major * 10 + properties.minor;
  return info;
}

inline std::string no_gpu_reason(cudaError_t error) {
  return std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error);
}

}  // namespace videomae::probe
