// Speed of fused attention at the shapes of the ViT-B encoder and the decoders: medians in GFLOP/s, counting
// 4 N^2 d a head forward and 10 N^2 d backward. Usage: attention_bench [instruction set]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/instruction_set.h"
#include "core/thread_pool.h"
#include "cpu/flash_attention.h"

namespace {

template <class F>
double median_seconds(F&& run) {
  std::vector<double> seconds;
  double total = 0;
  while (seconds.size() < 7 || (total < 0.5 && seconds.size() < 500)) {
    auto start = std::chrono::steady_clock::now();
    run();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    total += seconds.back();
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

void* allocate(size_t bytes) { return std::aligned_alloc(64, (bytes + 63) / 64 * 64); }

template <class T>
void bench(const char* type, int64_t batch, int64_t heads, int64_t tokens, int64_t d) {
  int64_t width = heads * d;
  std::vector<T> qkv(batch * tokens * 3 * width), out(batch * tokens * width), grad(out.size()),
      lse(batch * heads * tokens), grad_qkv(qkv.size());
  for (size_t i = 0; i < qkv.size(); ++i) qkv[i] = T(i * 7919 % 1013) / 506 - 1;
  for (size_t i = 0; i < grad.size(); ++i) grad[i] = T(i * 6007 % 997) / 498 - 1;
  void* forward_space = allocate(videomae::flash_attention_workspace<T>(batch, tokens, heads, d));
  void* backward_space = allocate(videomae::flash_attention_backward_workspace<T>(batch, tokens, heads, d));
  videomae::FlashAttention<T> f{batch, tokens, heads, d, qkv.data(), nullptr, false, out.data(), lse.data()};
  videomae::FlashAttentionBackward<T> b{batch, tokens,     heads,      d,           qkv.data(),      nullptr,
                                        false, out.data(), lse.data(), grad.data(), grad_qkv.data(), nullptr};
  double forward = median_seconds([&] { videomae::flash_attention(f, forward_space); });
  double backward = median_seconds([&] { videomae::flash_attention_backward(b, backward_space); });
  std::free(forward_space);
  std::free(backward_space);
  double unit = 1e-9 * batch * heads * tokens * tokens * d;
  std::printf("%s (%ld, %ld, %ld, %ld)  forward %8.3f ms %6.1f GFLOP/s  backward %8.3f ms %6.1f GFLOP/s\n", type,
              long(batch), long(heads), long(tokens), long(d), forward * 1e3, 4 * unit / forward, backward * 1e3,
              10 * unit / backward);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) videomae::set_instruction_set(argv[1]);
  std::printf("instruction set %s, %d threads\n", videomae::instruction_set(), videomae::thread_count());
  bench<float>("f32", 1, 12, 1568, 64);
  bench<float>("f32", 2, 6, 160, 64);
  bench<float>("f32", 2, 12, 160, 64);
  bench<float>("f32", 2, 3, 944, 64);
  bench<double>("f64", 1, 12, 392, 64);
}
