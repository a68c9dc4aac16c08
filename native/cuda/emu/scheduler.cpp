#include "cuda/emu/scheduler.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <iterator>
#include <map>

#include "core/error.h"
#include "cuda/emu/kernel_name.h"
#include "cuda/emu/stacks.h"

namespace videomae::cuda::emu {
namespace {

/// Rounds in which threads only gave way to each other, after which they are taken to wait for ever.
constexpr uint32_t kIdleRounds = 100000;

char failure_expected[256], failure_got[1024];

}  // namespace

__thread bool in_kernel = false;
Scheduler scheduler;

uint64_t Scheduler::random() {  // xorshift64*
  state_ ^= state_ >> 12, state_ ^= state_ << 25, state_ ^= state_ >> 27;
  return state_ * 0x2545F4914F6CDD1Du >> 32;
}

uint32_t Scheduler::random_below(uint32_t limit) { return static_cast<uint32_t>(random() * limit >> 32); }

void Scheduler::begin_launch(const GridLaunch& next, Order order, uint64_t seed) {
  launch = &next, order_ = order, state_ = (seed + 1) * 0x9E3779B97F4A7C15u | 1;
  for (int i = 0; i < 4; ++i) random();
  const dim3 block = next.block;
  const uint32_t threads = block.x * block.y * block.z, count = (threads + 31) / 32;
  const size_t size = static_cast<size_t>(next.cluster);
  while (blocks.size() < size) blocks.push_back(std::make_unique<Block>());
  warps_.clear();
  for (size_t rank = 0; rank < size; ++rank) {
    Block& one = *blocks[rank];
    one.fibers.resize(threads);
    one.warps.resize(count);
    for (Warp& warp : one.warps) {
      warp.number = static_cast<uint32_t>(warps_.size());
      warps_.push_back(&warp);
    }
  }
  ready_.assign((warps_.size() + 63) / 64, 0);
  blockDim = block, gridDim = next.grid;
  const uintptr_t words[] = {reinterpret_cast<uintptr_t>(&threadIdx), reinterpret_cast<uintptr_t>(&blockIdx),
                             reinterpret_cast<uintptr_t>(&blockDim), reinterpret_cast<uintptr_t>(&gridDim)};
  words_begin = *std::min_element(std::begin(words), std::end(words));
  words_bytes = *std::max_element(std::begin(words), std::end(words)) + sizeof(dim3) - words_begin;
}

void Scheduler::end_launch() { launch = nullptr, current = nullptr; }

void Scheduler::place_block(Block& block, uint32_t number, uint32_t rank) {
  const dim3 grid = launch->grid, shape = launch->block;
  block.index = {number % grid.x, number / grid.x % grid.y, number / grid.x / grid.y};
  block.rank = rank;
  for (Barrier& barrier : block.barriers)
    barrier.expected = barrier.arrived = 0, barrier.waiting.clear(), barrier.arrivals.clear();
  block.mbarriers.clear();
  block.shared.reset(launch->shared_bytes);
  block.shadow.reset(launch->shared_bytes);
  const uint32_t threads = static_cast<uint32_t>(block.fibers.size());
  for (Warp& warp : block.warps) {
    const uint32_t first = static_cast<uint32_t>(&warp - block.warps.data()) * 32;
    warp.lanes = &block.fibers[first];
    warp.count = threads - first < 32 ? threads - first : 32;
    warp.runnable = warp.ended = warp.arrived = 0;
    warp.collective = nullptr;
  }
  for (uint32_t i = 0; i < threads; ++i) {
    Fiber& fiber = block.fibers[i];
    fiber.stack = static_cast<unsigned char*>(stack_low(rank * threads + i));
    fiber.place = new_stack(fiber.stack, kStackBytes, enter_thread);
    fiber.thread = {i % shape.x, i / shape.x % shape.y, i / shape.x / shape.y};
    fiber.index = i, fiber.block = &block, fiber.warp = &block.warps[i / 32];
    fiber.ended = false;
    fiber.clock.restart(32 * fiber.warp->number + i % 32);
    fiber.copies.copies.clear(), fiber.copies.ends.clear();
    fiber.stores.stores.clear(), fiber.stores.ends.clear();
    fiber.wgmma = WgmmaState{};
    fiber.cluster_arrivals = fiber.cluster_waits = 0;
    fiber.waited_for_kernels_ahead = !launch->programmatic;
    wake(fiber);
  }
}

const Fiber* Scheduler::thread(uint32_t number) const {
  if (number / 32 >= warps_.size()) return nullptr;
  const Warp& warp = *warps_[number / 32];
  return number % 32 < warp.count ? &warp.lanes[number % 32] : nullptr;
}

void Scheduler::run_cluster(uint32_t number) {
  cluster = number;
  const uint32_t size = static_cast<uint32_t>(launch->cluster), first = number * size;
  std::fill(ready_.begin(), ready_.end(), 0);
  yielded_.clear(), transfers_.clear(), transfer_ = nullptr;
  cluster_barrier = ClusterBarrier{};
  failed_ = false, unfinished_ = 0, idle_rounds_ = 0;
  for (uint32_t rank = 0; rank < size; ++rank) {
    place_block(*blocks[rank], first + rank, rank);
    unfinished_ += static_cast<uint32_t>(blocks[rank]->fibers.size());
  }
  current = nullptr;
  Fiber* fiber = next();
  current = fiber, threadIdx = fiber->thread, blockIdx = fiber->block->index;
  host_ = SavedStack{};
  in_kernel = true;
  switch_stack(host_, fiber->place);
  in_kernel = false;
  current = nullptr;
  if (failed_) throw Error(kernel_name(launch->kernel), failure_expected, failure_got);
  if (!transfers_.empty()) {
    throw Error(kernel_name(launch->kernel), "a wait for every copy before the block ends", "copies under way");
  }
  for (uint32_t rank = 0; rank < size; ++rank) {
    if (!same_wgmma_of_warpgroups(*blocks[rank])) {
      throw Error(kernel_name(launch->kernel), "the same wgmma of all four warps of a warpgroup", "others");
    }
    if (blocks[rank]->shared.intact()) continue;
    throw Error(kernel_name(launch->kernel),
                "writes within the " + std::to_string(launch->shared_bytes) + " bytes of shared memory",
                "a write behind them in block " + std::to_string(first + rank));
  }
}

void Scheduler::enter_thread() {
  SavedStack from;  // another thread's; the host's when this is the first
  begin_stack(from);
  if (!scheduler.host_.low) scheduler.host_.low = from.low, scheduler.host_.bytes = from.bytes;
  scheduler.launch->thread();
  Fiber& fiber = *scheduler.current;
  if (!fiber.waited_for_kernels_ahead) fail("dependent_launch_wait() before the kernel ends", "none");
  finish_stores();
  finish_wgmma();
  fiber.ended = true;
  fiber.warp->ended |= 1u << fiber.lane();
  if (--scheduler.unfinished_ == 0) {
    switch_stack(fiber.place, scheduler.host_);
  } else {
    scheduler.go_on();
  }
  __builtin_unreachable();
}

void Scheduler::wake(Fiber& fiber) {
  fiber.waits_for = nullptr;
  Warp& warp = *fiber.warp;
  warp.runnable |= 1u << fiber.lane();
  ready_[warp.number / 64] |= uint64_t{1} << warp.number % 64;
  idle_rounds_ = 0;
}

void Scheduler::wake_all(Warp& warp) {
  warp.runnable = ~0u;
  ready_[warp.number / 64] |= uint64_t{1} << warp.number % 64;
  idle_rounds_ = 0;
}

void Scheduler::wait(const char* what) {
  current->waits_for = what;
  go_on();
}

void Scheduler::give_way(const char* what) {
  current->waits_for = what;
  yielded_.push_back(current);
  go_on();
}

/// Switches to the thread whose turn it is, which may be the same.
void Scheduler::go_on() {
  Fiber* from = current;
  Fiber* to = next();
  if (to == from) return;
  current = to, threadIdx = to->thread, blockIdx = to->block->index;
  switch_stack(from->place, to->place);
}

Warp* Scheduler::pick_warp() {
  const size_t words = ready_.size();
  if (order_ == Order::reversed) {
    for (size_t i = words; i-- > 0;) {
      if (ready_[i]) return warps_[i * 64 + 63 - static_cast<size_t>(__builtin_clzll(ready_[i]))];
    }
    return nullptr;
  }
  if (order_ == Order::random) {
    const uint64_t draw = random();
    if (current && current->warp->runnable && draw % 8) return current->warp;
    const size_t start = (draw >> 3) * warps_.size() >> 29;
    const uint64_t later = ready_[start / 64] & ~uint64_t{0} << start % 64;
    if (later) return warps_[start / 64 * 64 + static_cast<size_t>(__builtin_ctzll(later))];
    for (size_t i = 1; i <= words; ++i) {
      const size_t word = (start / 64 + i) % words;
      if (ready_[word]) return warps_[word * 64 + static_cast<size_t>(__builtin_ctzll(ready_[word]))];
    }
    return nullptr;
  }
  for (size_t i = 0; i < words; ++i) {
    if (ready_[i]) return warps_[i * 64 + static_cast<size_t>(__builtin_ctzll(ready_[i]))];
  }
  return nullptr;
}

void Scheduler::later(std::function<void()> work) { transfers_.push_back(std::move(work)); }

/// Does one of the transfers under way, if there is any.
bool Scheduler::finish_transfer() {
  if (transfers_.empty()) return false;
  const size_t last = transfers_.size() - 1;
  const size_t which = order_ == Order::random     ? random_below(static_cast<uint32_t>(last + 1))
                       : order_ == Order::reversed ? last
                                                   : 0;
  transfer_ = std::move(transfers_[which]);
  transfers_.erase(transfers_.begin() + static_cast<std::ptrdiff_t>(which));
  transfer_();
  return true;
}

Fiber* Scheduler::next() {
  if (!transfers_.empty() && order_ == Order::random && random_below(64) == 0) finish_transfer();
  Warp* warp = pick_warp();
  while (!warp) {
    if (!finish_transfer()) {
      if (yielded_.empty() || ++idle_rounds_ > kIdleRounds) report_deadlock();
      const uint32_t rounds = idle_rounds_;
      for (Fiber* fiber : yielded_) wake(*fiber);
      idle_rounds_ = rounds;
      yielded_.clear();
    } else if (!yielded_.empty()) {  // what they ask for may have come
      for (Fiber* fiber : yielded_) wake(*fiber);
      yielded_.clear();
    }
    warp = pick_warp();
  }
  uint32_t lane = 0;
  if (order_ == Order::reversed) {
    lane = 31 - static_cast<uint32_t>(__builtin_clz(warp->runnable));
  } else {
    const uint32_t start = order_ == Order::random ? static_cast<uint32_t>(random() & 31) : 0;
    const uint32_t later = warp->runnable & ~0u << start;
    lane = static_cast<uint32_t>(__builtin_ctz(later ? later : warp->runnable));
  }
  warp->runnable &= ~(1u << lane);
  if (!warp->runnable) ready_[warp->number / 64] &= ~(uint64_t{1} << warp->number % 64);
  return &warp->lanes[lane];
}

std::string describe_threads(const Block& block, const std::function<bool(const Fiber&)>& chosen) {
  std::string text;
  const size_t count = block.fibers.size();
  for (size_t i = 0; i < count; ++i) {
    if (!chosen(block.fibers[i])) continue;
    size_t last = i;
    while (last + 1 < count && chosen(block.fibers[last + 1])) ++last;
    if (text.size() > 120) return text + ", ...";
    text += (text.empty() ? "" : ", ") + std::to_string(i) + (last > i ? ".." + std::to_string(last) : "");
    i = last;
  }
  return text;
}

void Scheduler::report_deadlock() {
  {
    std::string text;
    for (const auto& block : blocks) {
      if (static_cast<int>(block->rank) >= launch->cluster) continue;
      std::map<std::string, int> reasons;
      for (const Fiber& fiber : block->fibers) ++reasons[fiber.ended ? "" : fiber.waits_for];
      std::string part;
      for (const auto& [reason, count] : reasons) {
        const std::string threads = describe_threads(*block, [&](const Fiber& fiber) {
          return (fiber.ended ? std::string() : std::string(fiber.waits_for)) == reason;
        });
        part += (part.empty() ? "" : "; ") + std::string("threads ") + threads +
                (reason.empty() ? " have ended" : " wait at " + reason);
      }
      text += (text.empty() ? "" : "; ") +
              ("block " + std::to_string(block->index.x) + ", " + std::to_string(block->index.y) + ", " +
               std::to_string(block->index.z) + ": " + part);
    }
    std::snprintf(failure_expected, sizeof(failure_expected), "that all threads come to where others wait");
    std::snprintf(failure_got, sizeof(failure_got), "%s", text.c_str());
  }
  abandon();
}

void Scheduler::abandon() {
  failed_ = true;
  SavedStack nowhere = current->place;
  switch_stack(nowhere, host_);
  __builtin_unreachable();
}

void fail(const char* expected, const char* got, ...) {
  std::snprintf(failure_expected, sizeof(failure_expected), "%s", expected);
  std::va_list values;
  va_start(values, got);
  const int length = std::vsnprintf(failure_got, sizeof(failure_got), got, values);
  va_end(values);
  if (length >= 0 && static_cast<size_t>(length) < sizeof(failure_got)) {
    std::snprintf(failure_got + length, sizeof(failure_got) - static_cast<size_t>(length),
                  " (thread %u, %u, %u of block %u, %u, %u)", threadIdx.x, threadIdx.y, threadIdx.z, blockIdx.x,
                  blockIdx.y, blockIdx.z);
  }
  scheduler.abandon();
}

}  // namespace videomae::cuda::emu
