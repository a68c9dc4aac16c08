// Planted bugs: kernels that each carry one mistake, and must be caught in every order of threads and under every seed;
// and the same kernels without it, which must be right. What catches a mistake is an Error of the emulator, or, where
// the mistake is only one of values, a wrong result.
#pragma once

#include "cuda/device/buffer.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/shared_memory.cuh"
#include "test/check.h"

namespace videomae::cuda {

constexpr DefaultStream context;
constexpr int kThreads = 128;

/// Runs a kernel over 1024 numbers 0, 1, 2 ... and 1024 results, and compares with what is expected. Both lie in one
/// allocation, side by side, as tensors do.
template <class Kernel, class Expected>
void run(Kernel* kernel, Launch how, Expected&& expected, size_t count = kThreads) {
  std::vector<int> values(2048, -5);
  for (int i = 0; i < 1024; ++i) values[i] = i;
  const Buffer<int> memory(values);
  int* x = memory.data();
  int* y = x + 1024;
  {
    const emu::Operands operands({{"x", x, 4096, false}, {"y", y, count * 4, true}});
    launch(context, kernel, how, y, static_cast<const int*>(x));
  }
  const std::vector<int> got = memory.read();
  for (size_t i = 0; i < count; ++i) {
    if (got[1024 + i] != expected(static_cast<int>(i))) throw Error("result", "right", "wrong");
  }
}

inline int mirrored(int i) { return kThreads - 1 - i; }
inline int same(int i) { return i; }

struct Bug {
  const char* name;
  void (*planted)();
  void (*mended)();
  const char* words;  // of the Error that catches it
};

/// The two runs of a kernel template, with the bug and without.
#define PLAIN(kernel, shared_bytes, expected)                                  \
  [] {                                                                         \
    run(kernel<true>, {dim3(1), dim3(kThreads), shared_bytes}, expected);      \
  },                                                                           \
      [] {                                                                     \
        run(kernel<false>, {dim3(1), dim3(kThreads), shared_bytes}, expected); \
      }

inline std::string error_of(void (*body)()) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

inline void check_bug(const Bug& bug) {
  std::string first;
  for (int run = 0; run < 12; ++run) {
    const emu::Order order = run == 0 ? emu::Order::forward : run == 1 ? emu::Order::reversed : emu::Order::random;
    emu::set_order(order, static_cast<uint64_t>(run));
    const std::string mended = error_of(bug.mended), caught = error_of(bug.planted);
    CHECK(mended.empty());
    CHECK(!caught.empty());
    CHECK(caught.find(bug.words) != std::string::npos);
    if (!mended.empty()) std::printf("run %d, without the bug: %s\n", run, mended.c_str());
    if (first.empty()) std::printf("  %s\n", (first = caught).c_str());
    if (caught.find(bug.words) == std::string::npos) std::printf("run %d: %s\n", run, caught.c_str());
  }
}

template <size_t count>
int check_bugs(const Bug (&bugs)[count]) {
  for (const Bug& bug : bugs) test::run_case(bug.name, [&] { check_bug(bug); });
  return test::exit_status();
}

}  // namespace videomae::cuda
