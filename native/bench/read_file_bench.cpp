// How fast a plain program reads a file into a fresh buffer: the ceiling for reading weights. Each thread fills its
// part of the buffer with positioned reads. Prints the seconds from the allocation to the last byte, and the
// processor's. Usage: read_file_bench <file> [threads]
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

/// Reads bytes [from, until) of a file to their places in a buffer.
bool read_part(int file, char* buffer, size_t from, size_t until) {
  constexpr size_t chunk = size_t(64) << 20;
  while (from < until) {
    const ssize_t got = pread(file, buffer + from, std::min(chunk, until - from), static_cast<off_t>(from));
    if (got <= 0) return false;
    from += static_cast<size_t>(got);
  }
  return true;
}

/// Seconds that the processor has spent on this process.
double processor_seconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * t.tv_usec; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
  const int file = argc > 1 ? open(argv[1], O_RDONLY) : -1;
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) {
    std::fprintf(stderr, "usage: read_file_bench <file> [threads]\n");
    return 1;
  }
  const size_t size = static_cast<size_t>(status.st_size);
  const size_t count = argc > 2 ? std::max(1, std::atoi(argv[2])) : 1;
  const double processor = processor_seconds();
  const auto start = std::chrono::steady_clock::now();
  char* buffer = static_cast<char*>(std::malloc(size));
  std::vector<std::thread> threads;
  std::vector<char> whole(count);
  for (size_t i = 0; i < count; ++i) {
    threads.emplace_back(
        [=, &whole] { whole[i] = buffer && read_part(file, buffer, size * i / count, size * (i + 1) / count); });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!std::all_of(whole.begin(), whole.end(), [](char ok) { return ok; })) {
    std::fprintf(stderr, "read_file_bench: the file could not be read\n");
    return 1;
  }
  std::printf("%.6f %.6f\n", seconds, processor_seconds() - processor);
  std::free(buffer);
}
