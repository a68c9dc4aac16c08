// A measured row of the native benchmarks: times of a call, and the line of JSON that bench/kernels.ts completes with
// what it knows of the machine (the format is bench/row.ts). One line a row, flushed at once.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/instruction_set.h"
#include "core/thread_pool.h"

namespace videomae::bench {

struct Times {
  double median, least, most;  // seconds
  int repeats;
  double other_cores;  // cores that other processes kept busy meanwhile; negative: too short a time to tell
};

/// Busy seconds of all processors since the start of the machine.
inline double busy_seconds() {
  std::FILE* file = std::fopen("/proc/stat", "r");
  if (!file) return 0;
  unsigned long long t[8] = {};
  int read = std::fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", t, t + 1, t + 2, t + 3, t + 4, t + 5,
                         t + 6, t + 7);
  std::fclose(file);
  if (read != 8) return 0;
  return double(t[0] + t[1] + t[2] + t[5] + t[6] + t[7]) / double(sysconf(_SC_CLK_TCK));
}

/// Processor seconds of this process.
inline double own_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/// Runs for about half a second: at least 7 times, at most 500, after two runs that do not count.
template <class F>
Times time_calls(F&& run) {
  using Clock = std::chrono::steady_clock;
  run(), run();
  std::vector<double> seconds;
  double total = 0, busy = busy_seconds(), own = own_seconds();
  while (seconds.size() < 7 || (total < 0.5 && seconds.size() < 500)) {
    auto start = Clock::now();
    run();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    total += seconds.back();
  }
  double other = std::max(0.0, busy_seconds() - busy - (own_seconds() - own)) / total;
  std::sort(seconds.begin(), seconds.end());
  return {seconds[seconds.size() / 2], seconds.front(), seconds.back(), int(seconds.size()), total > 0.2 ? other : -1};
}

/// Prints the row; `fields` is JSON without braces, `operations` those of one call.
inline void print_row(const char* bench, const char* dtype, const std::string& fields, const Times& t,
                      double operations) {
  std::printf("{\"bench\":\"%s\",\"system\":\"videomae\",\"device\":\"cpu\",\"threads\":%d,\"dtype\":\"%s\",%s,", bench,
              thread_count(), dtype, fields.c_str());
  std::printf("\"gflopPerSecond\":%.6g,\"medianMs\":%.6g,\"minMs\":%.6g,\"maxMs\":%.6g,\"repeats\":%d,",
              1e-9 * operations / t.median, 1e3 * t.median, 1e3 * t.least, 1e3 * t.most, t.repeats);
  if (t.other_cores >= 0) std::printf("\"otherCores\":%.2f,", t.other_cores);
  std::printf("\"variant\":{\"instructionSet\":\"%s\"}}\n", instruction_set());
  std::fflush(stdout);
}

using Buffer = std::unique_ptr<void, void (*)(void*)>;

/// Memory aligned to 64 bytes.
inline Buffer allocate(size_t bytes) { return {std::aligned_alloc(64, (bytes + 63) / 64 * 64 + 64), std::free}; }

}  // namespace videomae::bench
