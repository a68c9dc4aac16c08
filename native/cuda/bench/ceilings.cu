// The program `ceilings`: what this machine is and the most that it can do, a JSON object a line, each flushed at once.
// Kernels are judged by these figures. Exit status: 0, 1 when a measurement failed, 3 without a usable GPU.
#include "cuda/bench/ceiling.cuh"
#include "cuda/device/device_info.cuh"

namespace videomae::bench {
namespace {

int attribute(cudaDeviceAttr which) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, 0), "cudaDeviceGetAttribute");
  return value;
}

void say_machine(const cuda::DeviceInfo& device) {
  cudaDeviceProp p{};
  check(cudaGetDeviceProperties(&p, 0), "cudaGetDeviceProperties");
  std::printf(
      "{\"bench\":\"machine\",\"gpu\":%s,\"capability\":\"%d.%d\",\"driver\":%d,\"runtime\":%d,\"multiprocessors\":%d,"
      "\"clockMhz\":%.0f,\"memoryClockMhz\":%.0f,\"memoryBusBits\":%d,\"memoryBytes\":%zu,\"l2Bytes\":%d,"
      "\"persistingL2Bytes\":%d,\"sharedBytesABlock\":%zu,\"sharedBytesABlockOptIn\":%zu,"
      "\"sharedBytesAMultiprocessor\":%zu,\"registersABlock\":%d,\"registersAMultiprocessor\":%d,"
      "\"threadsAMultiprocessor\":%d,\"blocksAMultiprocessor\":%d,\"copyEngines\":%d,\"ecc\":%d,"
      "\"clusterLaunch\":%d}\n",
      probe::json_string(p.name).c_str(), p.major, p.minor, device.driver, device.runtime, p.multiProcessorCount,
      attribute(cudaDevAttrClockRate) * 1e-3, attribute(cudaDevAttrMemoryClockRate) * 1e-3, p.memoryBusWidth,
      p.totalGlobalMem, p.l2CacheSize, p.persistingL2CacheMaxSize, p.sharedMemPerBlock, p.sharedMemPerBlockOptin,
      p.sharedMemPerMultiprocessor, p.regsPerBlock, p.regsPerMultiprocessor, p.maxThreadsPerMultiProcessor,
      p.maxBlocksPerMultiProcessor, p.asyncEngineCount, p.ECCEnabled, attribute(cudaDevAttrClusterLaunch));
  std::fflush(stdout);
}

/// One that fails does not cost the others; an error that stays with the context fails them all, each by name.
bool measured(const char* group, void (*measure)()) {
  try {
    measure();
    return true;
  } catch (const std::exception& error) {
    std::printf("{\"bench\":\"ceiling\",\"name\":\"%s\",\"error\":%s}\n", group,
                probe::json_string(error.what()).c_str());
    std::fflush(stdout);
    return false;
  }
}

int measure_all() {
  const cuda::DeviceInfo device = cuda::device_info();
  if (!device.problem.empty()) {
    std::printf("{\"bench\":\"ceiling\",\"error\":%s}\n", probe::json_string(device.problem).c_str());
    return 3;
  }
  bool good = measured("machine", [] { say_machine(cuda::device_info()); });
  good &= measured("memory", measure_memory);
  good &= measured("launches", measure_launches);
  if (device.capability / 10 == 8 || device.capability == 90) good &= measured("arithmetic", measure_arithmetic);
  if (device.capability == 90) good &= measured("wgmma", measure_wgmma);
  return good ? 0 : 1;
}

}  // namespace
}  // namespace videomae::bench

int main() { return videomae::bench::measure_all(); }
