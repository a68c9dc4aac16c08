// Global memory for programs that stand on nothing but kernels: probes, benchmarks, tests.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "cuda/device/kernel.cuh"

#if !VIDEOMAE_CUDA
#include "cuda/emu/device_memory.h"
#endif

namespace videomae::cuda {

#if VIDEOMAE_CUDA
/// @throws Error that says which call failed and why
inline void check_cuda(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw Error(what, "success", std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error));
}
#endif

/// Until all that was launched has ended. @param what  for the Error when it failed
inline void synchronize(const char* what) {
#if VIDEOMAE_CUDA
  check_cuda(cudaGetLastError(), what);
  check_cuda(cudaDeviceSynchronize(), what);
#else
  (void)what;  // launches have ended when they return
#endif
}

/// Global memory of `count` elements that frees itself.
template <class T>
class Buffer {
 public:
  /// Every byte is `fill`.
  explicit Buffer(size_t count, int fill = 0) : count_(count) {
#if VIDEOMAE_CUDA
    check_cuda(cudaMalloc(&data_, bytes()), "cudaMalloc");
    check_cuda(cudaMemset(data_, fill, bytes()), "cudaMemset");
#else
    data_ = emu::allocate_device(bytes());
    if (!data_) throw Error("allocate", std::to_string(bytes()) + " bytes", "none");
    std::memset(data_, fill, bytes());
#endif
  }
  explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) {
#if VIDEOMAE_CUDA
    check_cuda(cudaMemcpy(data_, values.data(), bytes(), cudaMemcpyHostToDevice), "cudaMemcpy to the device");
#else
    if (count_) std::memcpy(data_, values.data(), bytes());
#endif
  }
  ~Buffer() {
#if VIDEOMAE_CUDA
    cudaFree(data_);
#else
    emu::release_device(data_);
#endif
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  T* data() const { return static_cast<T*>(data_); }
  size_t count() const { return count_; }
  size_t bytes() const { return count_ * sizeof(T); }

  std::vector<T> read() const {
    std::vector<T> values(count_);
#if VIDEOMAE_CUDA
    check_cuda(cudaMemcpy(values.data(), data_, bytes(), cudaMemcpyDeviceToHost), "cudaMemcpy to the host");
#else
    if (count_) std::memcpy(values.data(), data_, bytes());
#endif
    return values;
  }

 private:
  void* data_ = nullptr;
  size_t count_;
};

/// For launch(): the default stream.
struct DefaultStream {
  void* stream = nullptr;
  bool programmatic = false;
};

}  // namespace videomae::cuda
