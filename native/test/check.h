// The little the kernel tests need: CHECK, a deterministic fill, error against a reference, every instruction set here.
// A test program prints "ok <name>" for each case and ends with 1 when any check failed.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/instruction_set.h"

namespace videomae::test {

inline int failures = 0;

#define CHECK(condition)                                                 \
  do {                                                                   \
    if (!(condition)) {                                                  \
      ++videomae::test::failures;                                        \
      std::printf("FAILED %s:%d: %s\n", __FILE__, __LINE__, #condition); \
    }                                                                    \
  } while (0)

/// Runs one case; prints "ok <name>" when none of its checks failed.
template <class F>
void run_case(const std::string& name, F&& body) {
  int before = failures;
  body();
  std::printf("%s %s\n", failures == before ? "ok" : "FAILED", name.c_str());
}

/// Whether body throws an Error whose message contains `part`.
template <class F>
bool throws_error(const std::string& part, F&& body) {
  try {
    body();
  } catch (const Error& error) {
    if (std::string(error.what()).find(part) != std::string::npos) return true;
    std::printf("another error: %s\n", error.what());
  }
  return false;
}

inline int exit_status() { return failures ? 1 : 0; }

/// Numbers in [-1, 1), a function of seed and index only.
template <class T>
std::vector<T> numbers(size_t count, uint64_t seed) {
  std::vector<T> values(count);
  uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (T& value : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<T>(static_cast<double>(state >> 40) / (1 << 23) - 1.0);
  }
  return values;
}

/// Largest absolute difference; infinite when any is NaN.
template <class A, class B>
double max_error(const std::vector<A>& got, const std::vector<B>& expected) {
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    double error = std::fabs(static_cast<double>(got[i]) - static_cast<double>(expected[i]));
    if (!(error <= worst)) worst = std::isnan(error) ? INFINITY : error;
  }
  return worst;
}

/// That, divided by the largest finite magnitude expected (at least 1e-30).
template <class A, class B>
double error_ratio(const std::vector<A>& got, const std::vector<B>& expected) {
  double largest = 1e-30;
  for (B value : expected) largest = std::fmax(largest, std::fabs(static_cast<double>(value)));
  return max_error(got, expected) / largest;
}

/// The instruction sets this processor has; under the address sanitizer, which is slow, the narrowest and the widest.
inline std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const char* name : {"portable", "avx2", "avx512", "avx512bf16", "amx"}) {
    try {
      set_instruction_set(name);
      names.push_back(name);
    } catch (const Error&) {  // this processor has not got it
    }
  }
#if defined(__SANITIZE_ADDRESS__)
  if (names.size() > 2) names.erase(names.begin() + 1, names.end() - 1);
#endif
  return names;
}

/// Workspace of exactly the bytes asked for, so that a sanitizer sees any access beyond.
class Workspace {
 public:
  explicit Workspace(size_t bytes) : memory_(nullptr) {
    if (bytes && posix_memalign(&memory_, 64, bytes)) std::abort();
  }
  ~Workspace() { std::free(memory_); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  void* get() const { return memory_; }

 private:
  void* memory_;
};

}  // namespace videomae::test
