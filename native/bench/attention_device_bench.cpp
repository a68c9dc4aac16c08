// Speed of fused attention on a device, forward and forward + backward: the work of bench/peers/attention.py.
//   attention_device_bench [--device cuda|emu] bf16:32x12x160x64 ...
// Clips, heads, tokens, head width. Prints two JSON rows a shape, which lack only what bench/machine.ts knows;
// operations are counted as 4 N^2 d a head forward and 10 N^2 d backward, whatever a kernel recomputes. A measurement
// is a captured graph of several calls over sets of operands that together are larger than the second-level cache, as
// in training, where every layer has its own. Which kernels may run is said by VIDEOMAE_CUDA_VARIANTS
// (native/cuda/variants.h), and rows repeat it. Exit status: 0, 2 for arguments, 3 without a usable device.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bench/recorded_graph.h"
#include "ops/execute.h"

namespace {

using namespace videomae;

struct Size {
  long clips, heads, tokens, head_width;
};

/// Numbers in [-1, 1) on a device.
Tensor numbers(const Shape& shape, DType dtype, Device device, uint32_t seed) {
  Draw draw(dtype, seed);
  const Tensor host = draw.real(shape, -1, 1).tensor, t = Tensor::empty(shape, dtype, device);
  Accelerator::of(device).upload(t.data(), host.data(), host.bytes());
  return t;
}

/// The ops of one layer with their operands.
struct Layer {
  Attention forward;
  AttentionBackward backward;
};

std::vector<Layer> layers(const Size& s, DType dtype, Device device) {
  constexpr int64_t cache = 100 << 20;
  const int64_t bytes = 8 * s.clips * s.tokens * s.heads * s.head_width * static_cast<int64_t>(size_of(dtype));
  std::vector<Layer> all(device.kind == DeviceKind::emu ? 1 : std::clamp<int64_t>(cache / bytes + 1, 2, 16));
  uint32_t seed = 1;
  for (Layer& layer : all) {
    layer.forward.qkv.tensor = numbers({s.clips, s.tokens, 3 * s.heads * s.head_width}, dtype, device, seed++);
    layer.forward.heads = layer.backward.heads = s.heads;
    layer.backward.grad_y.tensor = numbers({s.clips, s.tokens, s.heads * s.head_width}, dtype, device, seed++);
    layer.backward.qkv = layer.forward.qkv;
  }
  return all;
}

/// Copies of the ops, so that results go back to the arena.
void call(const Layer& layer, bool with_backward) {
  Attention forward = layer.forward;
  execute(forward);
  if (!with_backward) return;
  AttentionBackward backward = layer.backward;
  backward.y.tensor = forward.y.tensor, backward.lse.tensor = forward.lse.tensor;
  execute(backward);
}

/// Milliseconds of one call: half a second of graphs of one call a layer.
std::vector<double> times(const std::vector<Layer>& all, bool backward, Device device) {
  bench::RecordedGraph graph(device, [&] {
    for (const Layer& layer : all) call(layer, backward);
  });
  using Clock = std::chrono::steady_clock;
  const auto replay = [&](int times) {
    const auto start = Clock::now();
    for (int i = 0; i < times; ++i) graph.launch();
    Accelerator::of(device).synchronize();
    return 1e3 * std::chrono::duration<double>(Clock::now() - start).count();
  };
  replay(1);
  // So many graphs that waiting for the device once does not count.
  const int graphs = std::clamp(static_cast<int>(20 / replay(1)), 1, 1000);
  std::vector<double> milliseconds;
  double total = 0;
  while (milliseconds.size() < 7 || (total < 500 && milliseconds.size() < 500)) {
    const double taken = replay(graphs);
    total += taken;
    milliseconds.push_back(taken / (graphs * static_cast<double>(all.size())));
    if (device.kind == DeviceKind::emu) break;  // shows that it runs; its times mean nothing
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  return milliseconds;
}

/// Which kernels stand in for others, as a field of a row: what VIDEOMAE_CUDA_VARIANTS asks for. A kernel that cannot
/// do the work leaves it to the others.
std::string chosen_kernels() {
  const char* chosen = std::getenv("VIDEOMAE_CUDA_VARIANTS");
  return chosen && *chosen ? std::string(",\"kernels\":\"") + chosen + "\"" : "";
}

void measure(const Size& s, DType dtype, Device device) {
  const std::vector<Layer> all = layers(s, dtype, device);
  const double unit = double(s.clips) * double(s.heads) * double(s.tokens) * double(s.tokens) * double(s.head_width);
  for (bool backward : {false, true}) {
    const std::vector<double> ms = times(all, backward, device);
    const double median = ms[ms.size() / 2];
    std::printf(
        "{\"bench\":\"attention\",\"system\":\"videomae\",\"device\":\"%s\",\"dtype\":\"%s\",\"pass\":\"%s\","
        "\"clips\":%ld,\"heads\":%ld,\"tokens\":%ld,\"headWidth\":%ld,\"gflopPerSecond\":%.6g,\"medianMs\":%.6g,"
        "\"minMs\":%.6g,\"maxMs\":%.6g,\"repeats\":%zu,\"variant\":{\"backend\":\"%s\",\"graph\":true%s}}\n",
        name_of(device.kind), name_of(dtype), backward ? "forward+backward" : "forward", s.clips, s.heads, s.tokens,
        s.head_width, 1e-6 * (backward ? 14 : 4) * unit / median, median, ms.front(), ms.back(), ms.size(),
        dtype == DType::f32 ? "multiply-add" : "tensor core", chosen_kernels().c_str());
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Device device{DeviceKind::cuda, 0};
  try {
    for (int i = 1; i < argc; ++i) {
      if (std::strcmp(argv[i], "--device") == 0 && i + 1 < argc) {
        device.kind = std::strcmp(argv[++i], "emu") == 0 ? DeviceKind::emu : DeviceKind::cuda;
        continue;
      }
      Size s{};
      char dtype[5], rest;
      const int read = std::sscanf(argv[i], "%4[a-z0-9]:%ldx%ldx%ldx%ld%c", dtype, &s.clips, &s.heads, &s.tokens,
                                   &s.head_width, &rest);
      const bool positive = s.clips > 0 && s.heads > 0 && s.tokens > 0 && s.head_width > 0 && s.head_width <= 128;
      const bool f32 = std::strcmp(dtype, "f32") == 0;
      if (read != 5 || !positive || (!f32 && std::strcmp(dtype, "bf16") != 0)) {
        std::fprintf(stderr, "attention_device_bench: expected e.g. bf16:32x12x160x64, got %s\n", argv[i]);
        return 2;
      }
      Accelerator::of(device);
      measure(s, f32 ? DType::f32 : DType::bf16, device);
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "attention_device_bench: %s\n", error.what());
    return 3;
  }
}
