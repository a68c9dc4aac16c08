#include "cuda/emu/launch_record.h"

#include <cstdio>
#include <cstdlib>
#include <set>
#include <tuple>

#include "core/error.h"
#include "cuda/emu/kernel_name.h"

namespace videomae::cuda::emu {
namespace {

/// The file that the environment names, read once; null where it names none.
std::FILE* record() {
  static std::FILE* file = []() -> std::FILE* {
    const char* path = std::getenv("VIDEOMAE_EMU_LAUNCHES");
    if (path == nullptr) return nullptr;
    std::FILE* opened = std::fopen(path, "a");  // other processes may write to it too
    if (opened == nullptr) throw Error("VIDEOMAE_EMU_LAUNCHES", "a file that can be written", path);
    return opened;
  }();
  return file;
}

}  // namespace

void record_launch(const GridLaunch& launch) {
  std::FILE* file = record();
  if (file == nullptr) return;
  static std::set<std::tuple<const void*, unsigned, size_t>> known;
  const unsigned threads = launch.block.x * launch.block.y * launch.block.z;
  if (!known.insert({launch.kernel, threads, launch.shared_bytes}).second) return;
  std::fprintf(file, "{\"kernel\":\"%s\",\"threads\":%u,\"sharedBytes\":%zu}\n", kernel_name(launch.kernel).c_str(),
               threads, launch.shared_bytes);
  std::fflush(file);
}

}  // namespace videomae::cuda::emu
