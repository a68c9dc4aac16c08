// Speed of fused attention alone, forward and forward + backward; bench/kernels.ts gives the shapes.
//   attention_bench [--threads N] f32:1x12x1568x64 ...
// Clips, heads, tokens, head width. Prints two JSON rows a shape; operations are counted as 4 N^2 d a head forward and
// 10 N^2 d backward. VIDEOMAE_ISA names another instruction set.
#include <cstring>

#include "bench/timed_row.h"
#include "core/convert.h"
#include "cpu/flash_attention.h"

namespace {

using namespace videomae;

struct Size {
  long clips, heads, tokens, head_width;
};

template <class T>
void measure(const char* dtype, const Size& s) {
  size_t heads_out = size_t(s.clips) * s.tokens * s.heads * s.head_width;
  std::vector<T> qkv(3 * heads_out), out(heads_out), grad(heads_out), grad_qkv(qkv.size());
  std::vector<wide_t<T>> lse(s.clips * s.heads * s.tokens);
  for (size_t i = 0; i < qkv.size(); ++i) qkv[i] = convert<T>(double(i * 7919 % 1013) / 506 - 1);
  for (size_t i = 0; i < grad.size(); ++i) grad[i] = convert<T>(double(i * 6007 % 997) / 498 - 1);
  bench::Buffer forward_space = bench::allocate(flash_attention_workspace<T>(s.clips, s.tokens, s.heads, s.head_width));
  bench::Buffer backward_space =
      bench::allocate(flash_attention_backward_workspace<T>(s.clips, s.tokens, s.heads, s.head_width));
  FlashAttention<T> forward{s.clips, s.tokens, s.heads,    s.head_width, qkv.data(),
                            nullptr, false,    out.data(), lse.data()};
  FlashAttentionBackward<T> backward{s.clips, s.tokens,   s.heads,    s.head_width, qkv.data(),      nullptr,
                                     false,   out.data(), lse.data(), grad.data(),  grad_qkv.data(), nullptr};
  double unit = double(s.clips) * double(s.heads) * double(s.tokens) * double(s.tokens) * double(s.head_width);
  auto print = [&](const char* pass, const bench::Times& times, double operations) {
    char fields[200];
    std::snprintf(fields, sizeof fields, "\"pass\":\"%s\",\"clips\":%ld,\"heads\":%ld,\"tokens\":%ld,\"headWidth\":%ld",
                  pass, s.clips, s.heads, s.tokens, s.head_width);
    bench::print_row("attention", dtype, fields, times, operations);
  };
  print("forward", bench::time_calls([&] { flash_attention(forward, forward_space.get()); }), 4 * unit);
  bench::Times both = bench::time_calls([&] {
    flash_attention(forward, forward_space.get());
    flash_attention_backward(backward, backward_space.get());
  });
  print("forward+backward", both, 14 * unit);
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
      set_thread_count(std::atoi(argv[++i]));
      continue;
    }
    Size s{};
    char dtype[5], rest;
    int read =
        std::sscanf(argv[i], "%4[bf0-9]:%ldx%ldx%ldx%ld%c", dtype, &s.clips, &s.heads, &s.tokens, &s.head_width, &rest);
    bool positive = s.clips > 0 && s.heads > 0 && s.tokens > 0 && s.head_width > 0;
    auto is = [&](const char* name) { return read == 5 && std::strcmp(dtype, name) == 0; };
    if (!(is("f64") || is("f32") || is("bf16")) || !positive || s.head_width > kAttentionMaxHeadDim) {
      std::fprintf(stderr, "attention_bench: expected e.g. f32:1x12x1568x64, got %s\n", argv[i]);
      return 2;
    }
    is("f64") ? measure<double>(dtype, s) : is("f32") ? measure<float>(dtype, s) : measure<bf16>(dtype, s);
  }
}
