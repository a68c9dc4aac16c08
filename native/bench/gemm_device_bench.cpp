// Speed of the products of linear layers on a device: rows of the kind `gemm` of bench/row.ts, at the shapes that
// bench/peers/gemm.py measures.
//   gemm_device_bench [--device emu] bf16:nt:5120x3072x768 ...
// A dtype, a layout and m x n x k of C (m, n) = A B. "nt" is the forward pass, also with the steps that layers have
// after it, and with the GELU as a pass of its own; "nn" the gradient of the input, also with the GELU's derivative and
// its bias's gradient; "tn" the gradient of the weight, which is f32. VIDEOMAE_CUBLASLT and VIDEOMAE_CUDA_VARIANTS
// decide who makes products. Calls are captured in a graph that goes over several sets of operands. Exit status: 2 for
// arguments, 3 without a usable device.
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

/// Numbers in [-1, 1), the same million again and again: with zeros a processor would run faster than with data.
Tensor numbers(const Shape& shape, DType dtype) {
  constexpr int64_t drawn = 1 << 20;
  static const Tensor bf16 = Draw(DType::bf16, 1).real({drawn}, -1, 1).tensor;
  static const Tensor f32 = Draw(DType::f32, 1).real({drawn}, -1, 1).tensor;
  const Tensor &some = dtype == DType::bf16 ? bf16 : f32, t = Tensor::empty(shape, dtype, device);
  for (size_t done = 0; done < t.bytes(); done += some.bytes())
    Accelerator::of(device).upload(static_cast<char*>(t.data()) + done, some.data(),
                                   std::min(some.bytes(), t.bytes() - done));
  return t;
}

const char* setting(const char* variable, const char* otherwise) {
  const char* value = std::getenv(variable);
  return value ? value : otherwise;
}

/// Times calls of what `make()` gives for one set of operands, and prints their row.
template <class Make>
void measure(const Size& s, const char* epilogue, const Make& make) {
  const double bytes = double(s.m * s.n + s.m * s.k + s.n * s.k) * double(size_of(s.dtype));
  const int sets = device.kind == DeviceKind::emu ? 1 : std::clamp(static_cast<int>(std::ceil(2e8 / bytes)), 2, 12);
  std::vector<decltype(make())> calls;
  for (int i = 0; i < sets; ++i) calls.push_back(make());
  RecordedGraph graph(device, [&] {
    for (const auto& call : calls) call();
  });
  Times times = time_calls([&] { graph.launch(), Accelerator::of(device).synchronize(); });
  for (double* seconds : {&times.median, &times.least, &times.most}) *seconds /= sets;
  std::printf(
      "{\"bench\":\"gemm\",\"device\":\"%s\",\"dtype\":\"%s\",\"layout\":\"%s\",\"m\":%ld,\"n\":%ld,\"k\":%ld,"
      "\"gflopPerSecond\":%.6g,\"medianMs\":%.6g,\"minMs\":%.6g,\"maxMs\":%.6g,\"repeats\":%d,"
      "\"variant\":{\"graph\":true,\"epilogue\":\"%s\",\"cublaslt\":\"%s\",\"kernels\":\"%s\"}}\n",
      name_of(device.kind), name_of(s.dtype), s.layout, s.m, s.n, s.k,
      2e-9 * double(s.m) * double(s.n) * double(s.k) / times.median, 1e3 * times.median, 1e3 * times.least,
      1e3 * times.most, times.repeats, epilogue, setting("VIDEOMAE_CUBLASLT", "where found"),
      setting("VIDEOMAE_CUDA_VARIANTS", "by default"));
  std::fflush(stdout);
}

/// C = x W^T, with what follows it.
void measure_forward(const Size& s) {
  enum After { nothing, gelu, residual, gelu_apart };
  const char* const names[] = {"none", "bias and gelu", "bias and residual", "none, then gelu"};
  for (const After after : {nothing, gelu, residual, gelu_apart})
    measure(s, names[after], [&] {
      Linear op{In{numbers({s.m, s.k}, s.dtype)}, In{numbers({s.n, s.k}, s.dtype)}};
      if (after == gelu || after == residual) op.bias.tensor = numbers({s.n}, DType::f32);
      if (after == residual) op.residual.tensor = numbers({s.m, s.n}, s.dtype);
      op.gelu = after == gelu;
      return [op, apart = after == gelu_apart] {
        Linear made = op;  // its results are gone afterwards
        execute(made);
        if (!apart) return;
        Unary pass{In{made.y.tensor}};
        pass.kind.value = UnaryKind::gelu;
        execute(pass);
      };
    });
}

/// C is gradX (rows, inputs) of gradY (rows, outputs), or gradW (outputs, inputs).
void measure_backward(const Size& s, bool weight, bool through_gelu) {
  const long rows = weight ? s.k : s.m, outputs = weight ? s.m : s.k, inputs = s.n;
  measure(s, through_gelu ? "gelu derivative and sums" : "none", [&] {
    LinearBackward op{In{numbers({rows, outputs}, s.dtype)}, {}, In{numbers({outputs, inputs}, s.dtype)}};
    (through_gelu ? op.input_preactivation : op.x).tensor = numbers({rows, inputs}, s.dtype);
    op.grad_x.wanted = !weight, op.grad_weight.wanted = weight;
    op.grad_bias.wanted = false, op.grad_input_bias.wanted = through_gelu;
    return [op] {
      LinearBackward made = op;
      execute(made);
    };
  });
}

void measure(const Size& s) {
  const std::string layout = s.layout;
  if (layout == "nt") return measure_forward(s);
  measure_backward(s, layout == "tn", false);
  if (layout == "nn") measure_backward(s, false, true);
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
