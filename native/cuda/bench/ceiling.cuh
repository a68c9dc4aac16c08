// How a ceiling is measured: warmed up, timed by events on one stream, the median of repeats, with the spread told.
#pragma once

#include <algorithm>
#include <cstdio>
#include <vector>

#include "cuda/probe/gpu.cuh"
#include "cuda/probe/json.h"

namespace videomae::bench {

using cuda::Buffer;

inline void check(cudaError_t error, const char* what) { cuda::check_cuda(error, what); }

void measure_memory();
void measure_arithmetic();
void measure_wgmma();
void measure_launches();

/// Milliseconds of each repeat of `body(repeat)`, sorted.
template <class Body>
std::vector<float> time_repeats(int repeats, Body&& body) {
  cudaEvent_t start, stop;
  check(cudaEventCreate(&start), "cudaEventCreate");
  check(cudaEventCreate(&stop), "cudaEventCreate");
  std::vector<float> times;
  constexpr int kWarmUp = 3;
  for (int repeat = -kWarmUp; repeat < repeats; ++repeat) {
    check(cudaEventRecord(start), "cudaEventRecord");
    body(repeat + kWarmUp);
    check(cudaEventRecord(stop), "cudaEventRecord");
    check(cudaGetLastError(), "a launch");
    check(cudaEventSynchronize(stop), "cudaEventSynchronize");
    float ms = 0;
    check(cudaEventElapsedTime(&ms, start, stop), "cudaEventElapsedTime");
    if (repeat >= 0) times.push_back(ms);
  }
  check(cudaEventDestroy(start), "cudaEventDestroy");
  check(cudaEventDestroy(stop), "cudaEventDestroy");
  std::sort(times.begin(), times.end());
  return times;
}

/// @param value  what the median makes, in `unit`
inline void say_ceiling(const char* name, double value, const char* unit, const std::vector<float>& times) {
  std::printf(
      "{\"bench\":\"ceiling\",\"name\":%s,\"value\":%.6g,\"unit\":\"%s\",\"medianMs\":%.6g,\"minMs\":%.6g,"
      "\"maxMs\":%.6g,\"repeats\":%zu}\n",
      probe::json_string(name).c_str(), value, unit, times[times.size() / 2], times.front(), times.back(),
      times.size());
  std::fflush(stdout);
}

/// Rate of `amount` a repeat, by the median: amount 1e9 in a second is 1 of a "G" unit.
inline void say_rate(const char* name, double amount, double scale, const char* unit, const std::vector<float>& times) {
  say_ceiling(name, amount / (times[times.size() / 2] * 1e-3) / scale, unit, times);
}

inline int multiprocessors() {
  int count = 0;
  check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, 0), "cudaDeviceGetAttribute");
  return count;
}

/// A hash of an index: operands that are random to the hardware.
__device__ inline uint32_t scramble(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
  x = (x ^ (x >> 13)) * 0xC2B2AE35u;
  return x ^ (x >> 16);
}

/// Two bf16 in [-2, 2): random signs and mantissas, exponents of [1, 2) or [0.5, 1).
__device__ inline uint32_t random_bf16_pair(uint32_t index) { return (scramble(index) & 0x80FF80FFu) | 0x3F003F00u; }

}  // namespace videomae::bench
