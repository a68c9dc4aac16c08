// Speed of the dense product C (m, n) = A (m, k) B (k, n); bench/kernels.ts gives the shapes.
//   gemm_bench [--threads N] f32:2048x2048x2048:nt ...
// The two letters say whether A and B lie transposed in memory (t) or not (n). Prints a JSON row a product.
// VIDEOMAE_ISA names another instruction set.
#include <cstring>

#include "bench/timed_row.h"
#include "core/convert.h"
#include "cpu/gemm.h"

namespace {

using namespace videomae;

struct Product {
  long m, n, k;
  char layout[3];
};

template <class T>
void measure(const char* dtype, const Product& p) {
  std::vector<T> a(p.m * p.k), b(p.k * p.n), c(p.m * p.n);
  for (size_t i = 0; i < a.size(); ++i) a[i] = convert<T>(double(i * 7919 % 1013) / 506 - 1);
  for (size_t i = 0; i < b.size(); ++i) b[i] = convert<T>(double(i * 6007 % 997) / 498 - 1);
  bool a_transposed = p.layout[0] == 't', b_transposed = p.layout[1] == 't';
  bench::Buffer workspace = bench::allocate(gemm_workspace<T>(p.m, p.n, p.k));
  Gemm<T> product{
      p.m,          p.n,      p.k, a.data(), a_transposed ? p.m : p.k, a_transposed, b.data(), b_transposed ? p.k : p.n,
      b_transposed, c.data(), p.n};
  bench::Times times = bench::time_calls([&] { gemm(product, workspace.get()); });
  char fields[160];
  std::snprintf(fields, sizeof fields, "\"m\":%ld,\"n\":%ld,\"k\":%ld,\"layout\":\"%s\"", p.m, p.n, p.k, p.layout);
  bench::print_row("gemm", dtype, fields, times, 2.0 * double(p.m) * double(p.n) * double(p.k));
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
      set_thread_count(std::atoi(argv[++i]));
      continue;
    }
    Product p{};
    char dtype[5], rest;
    int read = std::sscanf(argv[i], "%4[bf0-9]:%ldx%ldx%ld:%2[nt]%c", dtype, &p.m, &p.n, &p.k, p.layout, &rest);
    auto is = [&](const char* name) { return read == 5 && std::strcmp(dtype, name) == 0; };
    const bool f64 = is("f64"), f32 = is("f32"), half = is("bf16");
    if (!(f64 || f32 || half) || p.m < 1 || p.n < 1 || p.k < 1 || !p.layout[1]) {
      std::fprintf(stderr, "gemm_bench: expected e.g. f32:2048x2048x2048:nt, got %s\n", argv[i]);
      return 2;
    }
    f64 ? measure<double>(dtype, p) : f32 ? measure<float>(dtype, p) : measure<bf16>(dtype, p);
  }
}
