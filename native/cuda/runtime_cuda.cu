// The runtime on NVIDIA GPUs, over CUDA's own. cudart is linked in; it opens the driver at the first call.
#include <cuda_runtime.h>
#include <nvtx3/nvToolsExt.h>

#include <cstring>
#include <map>
#include <mutex>

#include "cuda/runtime.h"

namespace videomae::cuda::runtime {
namespace {

constexpr int oldest_capability = 80;

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // not left behind for the next call
  throw Error(what, "a GPU that works", std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error));
}

/// Calls that may be made while a step is captured although they are not part of it.
class OutsideCapture {
 public:
  OutsideCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  ~OutsideCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  OutsideCapture(const OutsideCapture&) = delete;
  OutsideCapture& operator=(const OutsideCapture&) = delete;

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

struct Streams {
  cudaStream_t compute = nullptr, copy = nullptr;
};

/// A device's streams, made when it is opened and kept.
Streams& streams_of(int device) {
  static std::mutex mutex;
  static auto* streams = new std::map<int, Streams>();
  const std::lock_guard<std::mutex> lock(mutex);
  return (*streams)[device];
}

void use(int device) { check(cudaSetDevice(device), "cudaSetDevice"); }

cudaStream_t stream_of(int device, Stream stream) {
  use(device);
  const Streams& streams = streams_of(device);
  return stream == Stream::compute ? streams.compute : streams.copy;
}

cudaEvent_t event_of(void* event) { return static_cast<cudaEvent_t>(event); }

}  // namespace

const bool needs_driver = true;

int count() {
  int devices = 0;
  check(cudaGetDeviceCount(&devices), "cudaGetDeviceCount");
  return devices;
}

PluginDevice describe(int device) {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  PluginDevice described{};
  std::strncpy(described.name, properties.name, sizeof described.name - 1);
  described.limits = {properties.major * 10 + properties.minor, properties.multiProcessorCount,
                      properties.sharedMemPerBlockOptin, properties.sharedMemPerMultiprocessor};
  described.memory_bytes = properties.totalGlobalMem;
  int driver = 0, runtime = 0;
  check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  const auto version = [](int number) {
    return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
  };
  const std::string software = "CUDA " + version(runtime) + ", driver for CUDA " + version(driver);
  std::strncpy(described.software, software.c_str(), sizeof described.software - 1);
  return described;
}

void* open(int device) {
  const PluginDevice described = describe(device);
  const int capability = described.limits.capability;
  if (capability < oldest_capability)
    throw Error("cuda", "a GPU of capability 8.0 or more",
                std::string(described.name) + " of capability " + std::to_string(capability / 10) + "." +
                    std::to_string(capability % 10),
                "choose another one, e.g. cuda:1");
  use(device);
  Streams& streams = streams_of(device);
  check(cudaStreamCreateWithFlags(&streams.compute, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  check(cudaStreamCreateWithFlags(&streams.copy, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  return streams.compute;
}

void* allocate(int device, size_t bytes) {
  use(device);
  void* data = nullptr;
  const cudaError_t error = cudaMalloc(&data, bytes);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check(error, "cudaMalloc");
  return data;
}

void release(int device, void* data) {
  synchronize(device);  // cudaFree does not promise to wait for other streams than the legacy one
  check(cudaFree(data), "cudaFree");
}

void* allocate_pinned(int device, size_t bytes) {
  use(device);
  const OutsideCapture outside;
  void* data = nullptr;
  const cudaError_t error = cudaHostAlloc(&data, bytes, cudaHostAllocPortable | cudaHostAllocMapped);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check(error, "cudaHostAlloc");
  return data;
}

void release_pinned(int device, void* data) {
  synchronize(device);
  check(cudaFreeHost(data), "cudaFreeHost");
}

void copy(int device, void* to, const void* from, size_t bytes, Stream stream) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_of(device, stream)), "cudaMemcpyAsync");
}

void fill(int device, void* to, uint8_t value, size_t bytes, Stream stream) {
  check(cudaMemsetAsync(to, value, bytes, stream_of(device, stream)), "cudaMemsetAsync");
}

void* create_event(int device) {
  use(device);
  cudaEvent_t event;
  // Whoever waits on the host sleeps: decoders need the processors.
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync), "cudaEventCreateWithFlags");
  return event;
}

void destroy_event(int device, void* event) {
  use(device);
  check(cudaEventDestroy(event_of(event)), "cudaEventDestroy");
}

void record(int device, void* event, Stream stream) {
  check(cudaEventRecord(event_of(event), stream_of(device, stream)), "cudaEventRecord");
}

void wait(int device, void* event, Stream stream) {
  check(cudaStreamWaitEvent(stream_of(device, stream), event_of(event)), "cudaStreamWaitEvent");
}

bool finished(int device, void* event) {
  use(device);
  const OutsideCapture outside;
  const cudaError_t error = cudaEventQuery(event_of(event));
  if (error == cudaErrorNotReady) {
    cudaGetLastError();
    return false;
  }
  check(error, "cudaEventQuery");
  return true;
}

void synchronize_event(int device, void* event) {
  use(device);
  check(cudaEventSynchronize(event_of(event)), "cudaEventSynchronize");
}

void synchronize(int device) {
  use(device);
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

void begin_capture(int device) {
  check(cudaStreamBeginCapture(stream_of(device, Stream::compute), cudaStreamCaptureModeThreadLocal),
        "cudaStreamBeginCapture");
}

void* end_capture(int device, bool keep) {
  cudaGraph_t graph = nullptr;
  const cudaError_t error = cudaStreamEndCapture(stream_of(device, Stream::compute), &graph);
  if (!keep || error != cudaSuccess) {
    cudaGetLastError();
    if (graph != nullptr) cudaGraphDestroy(graph);
    if (keep) check(error, "cudaStreamEndCapture");
    return nullptr;
  }
  cudaGraphExec_t executable = nullptr;
  const cudaError_t made = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(made, "cudaGraphInstantiate");
  return executable;
}

void launch(int device, void* graph) {
  check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(device, Stream::compute)), "cudaGraphLaunch");
}

void destroy_graph(int device, void* graph) {
  use(device);
  check(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)), "cudaGraphExecDestroy");
}

namespace {

/// Two places in a stream.
struct Clock {
  cudaEvent_t begin = nullptr, end = nullptr;
  Clock() {
    check(cudaEventCreate(&begin), "cudaEventCreate");
    check(cudaEventCreate(&end), "cudaEventCreate");
  }
  ~Clock() {
    cudaEventDestroy(begin);
    if (end != nullptr) cudaEventDestroy(end);
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
};

}  // namespace

void* start_clock(int device) {
  use(device);
  auto clock = std::make_unique<Clock>();
  record(device, clock->begin, Stream::compute);
  return clock.release();
}

double stop_clock(int device, void* started) {
  const std::unique_ptr<Clock> clock(static_cast<Clock*>(started));
  record(device, clock->end, Stream::compute);
  synchronize_event(device, clock->end);
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, clock->begin, clock->end), "cudaEventElapsedTime");
  return milliseconds;
}

const bool watches_operands = false;

struct OpRange::State {};

OpRange::OpRange(int device, const char* op, const std::vector<OperandRange>&) {
  use(device);
  nvtxRangePushA(op);
}

OpRange::~OpRange() { nvtxRangePop(); }

}  // namespace videomae::cuda::runtime
