#include "core/cuda_driver.h"

#include <dlfcn.h>

#include <string>

#include "core/error.h"

namespace videomae {
namespace {

// The driver's interface as its own header (cuda.h) has it: CUresult is an int, 0 for success.
constexpr int no_device = 100;         // CUDA_ERROR_NO_DEVICE
constexpr int attribute_major = 75;    // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
constexpr int attribute_minor = 76;    // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR
constexpr int release = 13000;         // CUDA 13.0
constexpr int oldest_capability = 80;  // what the kernels are written for

const char* const wanted = "an NVIDIA GPU of capability 8.0 or more and driver 580 or newer";

template <class Function>
Function symbol(void* library, const char* name) {
  const auto function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr)
    throw Error("cuda", wanted, std::string("a libcuda.so.1 without ") + name, "reinstall NVIDIA's driver");
  return function;
}

std::string decimal(int number, int unit) {
  return std::to_string(number / unit) + "." + std::to_string(number % unit);
}

}  // namespace

void check_cuda_driver() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);  // never closed
  if (library == nullptr)
    throw Error("cuda", wanted, std::string("no driver (") + dlerror() + ")",
                "install NVIDIA's driver, or start the container with its GPUs (--gpus all)");
  const auto init = symbol<int (*)(unsigned)>(library, "cuInit");
  const auto version_of = symbol<int (*)(int*)>(library, "cuDriverGetVersion");
  const auto count_of = symbol<int (*)(int*)>(library, "cuDeviceGetCount");
  const auto attribute_of = symbol<int (*)(int*, int, int)>(library, "cuDeviceGetAttribute");

  int version = 0;
  if (version_of(&version) == 0 && version < release)
    throw Error("cuda", wanted, "a driver for CUDA " + decimal(version / 10, 100) + ", too old for CUDA 13",
                "install driver 580 or newer");
  int count = 0;
  const int status = init(0);
  if (status != 0 && status != no_device)
    throw Error("cuda", wanted, "a driver that does not start (cuInit: error " + std::to_string(status) + ")",
                "see whether nvidia-smi works; a driver just updated needs a restart");
  if (status == no_device || count_of(&count) != 0 || count == 0)
    throw Error("cuda", wanted, "a driver without a visible GPU", "see nvidia-smi and CUDA_VISIBLE_DEVICES");
  std::string seen;
  for (int device = 0; device < count; ++device) {
    int major = 0, minor = 0;
    attribute_of(&major, attribute_major, device);
    attribute_of(&minor, attribute_minor, device);
    if (major * 10 + minor >= oldest_capability) return;
    seen += (device ? ", " : "") + std::to_string(major) + "." + std::to_string(minor);
  }
  throw Error("cuda", wanted, "GPUs of capability " + seen, "use the CPU: these GPUs are too old for the kernels");
}

}  // namespace videomae
