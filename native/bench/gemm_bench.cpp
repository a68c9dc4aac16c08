// Speed of the dense product at the shapes of the ViT-B encoder and the decoder, and at 2048 cubed: the median of
// repeated runs, in GFLOP/s. Usage: gemm_bench [instruction set]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/thread_pool.h"
#include "cpu/gemm.h"

namespace {

using videomae::Gemm;

template <class T>
void bench(const char* type, int64_t m, int64_t n, int64_t k, bool a_transposed, bool b_transposed) {
  std::vector<T> a(m * k), b(k * n), c(m * n);
  for (size_t i = 0; i < a.size(); ++i) a[i] = T(i % 17) / 17 - T(0.5);
  for (size_t i = 0; i < b.size(); ++i) b[i] = T(i % 23) / 23 - T(0.5);
  void* workspace = std::aligned_alloc(64, (videomae::gemm_workspace<T>(m, n, k) + 63) / 64 * 64);
  Gemm<T> g{m,        n, k, a.data(), a_transposed ? m : k, a_transposed, b.data(), b_transposed ? k : n, b_transposed,
            c.data(), n};
  std::vector<double> seconds;
  double total = 0;
  while (seconds.size() < 7 || (total < 0.5 && seconds.size() < 200)) {
    auto start = std::chrono::steady_clock::now();
    videomae::gemm(g, workspace);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    total += seconds.back();
  }
  std::free(workspace);
  std::sort(seconds.begin(), seconds.end());
  double median = seconds[seconds.size() / 2];
  std::printf("%s %5ld x %5ld x %5ld %c%c  %8.3f ms  %7.1f GFLOP/s\n", type, long(m), long(n), long(k),
              a_transposed ? 't' : 'n', b_transposed ? 't' : 'n', median * 1e3, 2e-9 * m * n * k / median);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) videomae::set_instruction_set(argv[1]);
  std::printf("instruction set %s, %d threads\n", videomae::instruction_set(), videomae::thread_count());
  bench<float>("f32", 2048, 2048, 2048, false, false);
  bench<float>("f32", 2048, 2048, 2048, false, true);
  bench<float>("f32", 2048, 2048, 2048, true, false);
  bench<float>("f32", 1280, 3072, 768, false, true);
  bench<float>("f32", 160, 2304, 768, false, true);
  bench<float>("f32", 320, 768, 3072, false, true);
  bench<float>("f32", 768, 3072, 320, true, false);
  bench<double>("f64", 1024, 1024, 1024, false, true);
}
