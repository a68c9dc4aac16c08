#include "cuda/emu/launch.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <string>
#include <vector>

#include "core/error.h"
#include "cuda/emu/faults.h"
#include "cuda/emu/kernel_name.h"
#include "cuda/emu/launch_record.h"
#include "cuda/emu/scheduler.h"

namespace videomae::cuda::emu {
namespace {

constexpr int kLargestCluster = 16;

std::mutex running;  // the scheduler is one
Queue queue = nullptr;

struct Ordering {
  Order order = Order::random;
  uint64_t seed = 1, launches = 0;
};

/// What the environment says, read once.
Ordering& ordering() {
  static Ordering chosen = [] {
    Ordering from_environment;
    if (const char* seed = std::getenv("VIDEOMAE_EMU_SEED")) from_environment.seed = std::strtoull(seed, nullptr, 10);
    if (const char* order = std::getenv("VIDEOMAE_EMU_ORDER")) {
      const std::string name = order;
      if (name == "forward") {
        from_environment.order = Order::forward;
      } else if (name == "reversed") {
        from_environment.order = Order::reversed;
      } else if (name != "random") {
        throw Error("VIDEOMAE_EMU_ORDER", "forward, reversed or random", name);
      }
    }
    return from_environment;
  }();
  return chosen;
}

std::string text(dim3 d) { return std::to_string(d.x) + " x " + std::to_string(d.y) + " x " + std::to_string(d.z); }

/// What the hardware refuses.
void check(const GridLaunch& launch) {
  const auto refuse = [&](const std::string& expected, const std::string& got) {
    throw Error(kernel_name(launch.kernel), expected, got);
  };
  const dim3 grid = launch.grid, block = launch.block;
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  if (!threads || threads > 1024 || block.z > 64) refuse("a block of 1 to 1024 threads", text(block));
  if (!grid.x || !grid.y || !grid.z || grid.x > 0x7FFFFFFF || grid.y > 65535 || grid.z > 65535) {
    refuse("a grid of 1 to 2^31 - 1 blocks along x and 1 to 65535 along y and z", text(grid));
  }
  if (uint64_t{grid.x} * grid.y * grid.z > 0x7FFFFFFF) refuse("fewer than 2^31 blocks", text(grid));
  if (launch.shared_bytes > largest_shared()) {
    refuse("at most " + std::to_string(largest_shared()) + " bytes of shared memory",
           std::to_string(launch.shared_bytes));
  }
  if (launch.cluster < 1 || launch.cluster > kLargestCluster || grid.x % static_cast<unsigned>(launch.cluster)) {
    refuse("a cluster of 1 to 16 blocks that divides the grid", std::to_string(launch.cluster) + " of " + text(grid));
  }
}

uint32_t clusters_of(const GridLaunch& launch) {
  return launch.grid.x * launch.grid.y * launch.grid.z / static_cast<uint32_t>(launch.cluster);
}

}  // namespace

void run(const GridLaunch& launch) {
  const std::lock_guard<std::mutex> lock(running);
  check(launch);
  record_launch(launch);
  Ordering& how = ordering();
  scheduler.begin_launch(launch, how.order, how.seed * 0x10001 + how.launches++);
  watch_operands(launch.operands.get(), clusters_of(launch));
  const Faults faults;
  std::vector<uint32_t> clusters(clusters_of(launch));
  std::iota(clusters.begin(), clusters.end(), 0u);
  if (how.order == Order::reversed) std::reverse(clusters.begin(), clusters.end());
  if (how.order == Order::random) {
    for (size_t i = clusters.size(); i > 1; --i)
      std::swap(clusters[i - 1], clusters[scheduler.random_below(static_cast<uint32_t>(i))]);
  }
  try {
    for (const uint32_t cluster : clusters) scheduler.run_cluster(cluster);
  } catch (...) {
    scheduler.end_launch();
    throw;
  }
  scheduler.end_launch();
}

// Kernels run one after another here, so that there is nothing to wait for; a kernel that may begin early must still
// wait before it touches memory of the device (device_memory.cpp).
void dependent_launch_wait() { scheduler.current->waited_for_kernels_ahead = true; }
void dependent_launch_allow() {}

void set_queue(Queue next) { queue = next; }

void enqueue(void* stream, GridLaunch&& launch) {
  launch.operands = operands();
  if (queue) return queue(stream, std::move(launch));
  run(launch);
}

void set_order(Order order, uint64_t seed) {
  const std::lock_guard<std::mutex> lock(running);
  ordering() = {order, seed, 0};
}

}  // namespace videomae::cuda::emu
