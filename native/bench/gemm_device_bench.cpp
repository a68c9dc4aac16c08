// Speed of the products of linear layers on a device: rows of the kind `gemm` of bench/row.ts, at the shapes that
// bench/peers/gemm.py measures.
//   gemm_device_bench [--device emu] bf16:nt:5120x3072x768 ...
// A dtype, a layout and m x n x k of C (m, n) = A B. "nt" is the forward pass, and is also measured with bias and GELU;
// "nn" the gradient of the input, and "tn" that of the weight, which is f32. VIDEOMAE_CUBLASLT decides who makes plain
// products. Calls are captured in a graph that goes over several sets of operands. Exit status: 2 for arguments, 3
// without a usable device.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "bench/recorded_graph.h"
#include "bench/timed_row.h"
#include "ops/execute.h"

namespace videomae::bench {
namespace {

Device device{DeviceKind::cuda, 0};

struct Size {
  DType dtype;
  char layout[3];
  long m, n, k;
};

/// Numbers in [-1, 1): with zeros a processor would run faster than with data.
Tensor numbers(const Shape& shape, DType dtype, uint32_t seed) {
  const Tensor host = Draw(dtype, seed).real(shape, -1, 1).tensor, t = Tensor::empty(shape, dtype, device);
  Accelerator::of(device).upload(t.data(), host.data(), host.bytes());
  return t;
}

/// Times calls of ops that `make(i)` gives, and prints their row.
template <class Make>
void measure(const Size& s, const char* epilogue, const Make& make) {
  const double bytes = double(s.m * s.n + s.m * s.k + s.n * s.k) * double(size_of(s.dtype));
  const int sets = device.kind == DeviceKind::emu ? 1 : std::clamp(static_cast<int>(std::ceil(2e8 / bytes)), 2, 12);
  std::vector<decltype(make(uint32_t{}))> ops;
  for (int i = 0; i < sets; ++i) ops.push_back(make(10 * i));
  RecordedGraph graph(device, [&] {
    for (const auto& op : ops) {
      auto copy = op;  // its results are gone afterwards
      execute(copy);
    }
  });
  Times times = time_calls([&] { graph.launch(), Accelerator::of(device).synchronize(); });
  for (double* seconds : {&times.median, &times.least, &times.most}) *seconds /= sets;
  const char* blas = std::getenv("VIDEOMAE_CUBLASLT");
  std::printf(
      "{\"bench\":\"gemm\",\"device\":\"%s\",\"dtype\":\"%s\",\"layout\":\"%s\",\"m\":%ld,\"n\":%ld,\"k\":%ld,"
      "\"gflopPerSecond\":%.6g,\"medianMs\":%.6g,\"minMs\":%.6g,\"maxMs\":%.6g,\"repeats\":%d,"
      "\"variant\":{\"graph\":true,\"epilogue\":\"%s\",\"cublaslt\":\"%s\"}}\n",
      name_of(device.kind), name_of(s.dtype), s.layout, s.m, s.n, s.k,
      2e-9 * double(s.m) * double(s.n) * double(s.k) / times.median, 1e3 * times.median, 1e3 * times.least,
      1e3 * times.most, times.repeats, epilogue, blas ? blas : "where found");
  std::fflush(stdout);
}

void measure(const Size& s) {
  const std::string layout = s.layout;
  if (layout == "nt") {
    for (bool gelu : {false, true})
      measure(s, gelu ? "bias and gelu" : "none", [&](uint32_t seed) {
        Linear op{In{numbers({s.m, s.k}, s.dtype, seed)}, In{numbers({s.n, s.k}, s.dtype, seed + 1)}};
        if (gelu) op.bias.tensor = numbers({s.n}, DType::f32, seed + 2);
        op.gelu = gelu;
        return op;
      });
    return;
  }
  // C is gradX (rows, inputs) of gradY (rows, outputs), or gradW (outputs, inputs).
  const bool weight = layout == "tn";
  const long rows = weight ? s.k : s.m, outputs = weight ? s.m : s.k, inputs = s.n;
  measure(s, "none", [&](uint32_t seed) {
    LinearBackward op{In{numbers({rows, outputs}, s.dtype, seed)},
                      OptionalIn{{numbers({rows, inputs}, s.dtype, seed + 1)}},
                      In{numbers({outputs, inputs}, s.dtype, seed + 2)}};
    op.grad_x.wanted = !weight, op.grad_weight.wanted = weight;
    op.grad_bias.wanted = op.grad_input_bias.wanted = false;
    return op;
  });
}

}  // namespace
}  // namespace videomae::bench

int main(int argc, char** argv) {
  using namespace videomae;
  try {
    for (int i = 1; i < argc; ++i) {
      if (std::strcmp(argv[i], "--device") == 0 && i + 1 < argc) {
        bench::device.kind = std::strcmp(argv[++i], "emu") == 0 ? DeviceKind::emu : DeviceKind::cuda;
        continue;
      }
      bench::Size s{};
      char dtype[5], rest;
      const int read =
          std::sscanf(argv[i], "%4[a-z0-9]:%2[nt]:%ldx%ldx%ld%c", dtype, s.layout, &s.m, &s.n, &s.k, &rest);
      const bool f32 = std::strcmp(dtype, "f32") == 0;
      const bool known =
          std::strcmp(s.layout, "nt") == 0 || std::strcmp(s.layout, "nn") == 0 || std::strcmp(s.layout, "tn") == 0;
      if (read != 5 || s.m < 1 || s.n < 1 || s.k < 1 || !known || (!f32 && std::strcmp(dtype, "bf16") != 0)) {
        std::fprintf(stderr, "gemm_device_bench: expected e.g. bf16:nt:5120x3072x768, got %s\n", argv[i]);
        return 2;
      }
      s.dtype = f32 ? DType::f32 : DType::bf16;
      Accelerator::of(bench::device);
      bench::measure(s);
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "gemm_device_bench: %s\n", error.what());
    return 3;
  }
}
