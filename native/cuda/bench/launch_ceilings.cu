// What a kernel costs that does nothing: a thousand launched one by one, and a thousand in a graph.
#include "cuda/bench/ceiling.cuh"

namespace videomae::bench {
namespace {

constexpr int kLaunches = 1000, kRepeats = 20;

__global__ void nothing() {}

}  // namespace

void measure_launches() {
  cudaStream_t stream;
  check(cudaStreamCreate(&stream), "cudaStreamCreate");
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  for (int i = 0; i < kLaunches; ++i) nothing<<<1, 32, 0, stream>>>();
  check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
  check(cudaGraphInstantiate(&executable, graph, 0), "cudaGraphInstantiate");

  const auto say = [](const char* name, const std::vector<float>& times) {
    say_ceiling(name, times[times.size() / 2] * 1e3 / kLaunches, "us a kernel", times);
  };
  say("launch gap, eager", time_repeats(kRepeats, [&](int) {
        for (int i = 0; i < kLaunches; ++i) nothing<<<1, 32>>>();
      }));
  say("launch gap, graph",
      time_repeats(kRepeats, [&](int) { check(cudaGraphLaunch(executable, nullptr), "cudaGraphLaunch"); }));
  check(cudaGraphExecDestroy(executable), "cudaGraphExecDestroy");
  check(cudaGraphDestroy(graph), "cudaGraphDestroy");
  check(cudaStreamDestroy(stream), "cudaStreamDestroy");
}

}  // namespace videomae::bench
