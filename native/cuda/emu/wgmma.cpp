#include "cuda/emu/wgmma.h"

#include <cstring>

#include "cuda/emu/matrix.h"
#include "cuda/emu/scheduler.h"

namespace videomae::cuda::emu {
namespace {

float widened(uint16_t bits) { return same_bits<float>(static_cast<uint32_t>(bits) << 16); }

/// Sixteen bytes of shared memory that begin at a shared address: what a swizzle keeps together.
size_t chunk_at(uint32_t address) {
  const SharedMemory& memory = scheduler.current->block->shared;
  const size_t offset = size_t{address} - kSharedBase;
  if (address < kSharedBase || offset + 16 > memory.bytes()) {
    fail("a wgmma operand within the block's shared memory", "shared address %u", address);
  }
  return offset;
}

/// Calls visit(offset, mn, k) for the chunks of an operand's `count` rows from `first` on; a chunk holds eight elements
/// along the contiguous index, from (mn, k) on. `mn` counts from `first`.
template <class F>
void for_operand(uint64_t bits, Major major, int first, int count, F&& visit) {
  const WgmmaDescriptor descriptor = decode(bits);
  const int mn_step = major == Major::k ? 1 : 8, k_step = major == Major::k ? 8 : 1;
  for (int mn = 0; mn < count; mn += mn_step) {
    for (int k = 0; k < 16; k += k_step) {
      visit(chunk_at(wgmma_address(descriptor, major, static_cast<uint32_t>(first + mn), static_cast<uint32_t>(k))), mn,
            k);
    }
  }
}

/// Likewise for what a warp reads of shared memory in one step: its 16 rows of A, and all of B.
template <class F>
void for_chunks(const WgmmaStep& step, int warp_row, F&& visit) {
  if (!step.a_in_registers) for_operand(step.a, step.a_major, warp_row, 16, [&](size_t at, int, int) { visit(at); });
  for_operand(step.b, step.b_major, 0, step.n, [&](size_t at, int, int) { visit(at); });
}

/// One operand's rows as numbers: out (count, 16). The reading is over.
void take_operand(uint64_t bits, Major major, int first, int count, float* out) {
  Block& block = *scheduler.current->block;
  for_operand(bits, major, first, count, [&](size_t offset, int mn, int k) {
    uint16_t eight[8];
    std::memcpy(eight, block.shared.data() + offset, 16);
    for (int i = 0; i < 8; ++i) out[major == Major::k ? mn * 16 + k + i : (mn + i) * 16 + k] = widened(eight[i]);
    block.shadow.end_async_read(offset, 16);
  });
}

int row_of_warp(const Fiber& fiber) { return static_cast<int>(fiber.index / 32 % 4) * 16; }

void check_descriptor(uint64_t bits) {
  const WgmmaDescriptor descriptor = decode(bits);
  if (descriptor.base_offset) fail("a wgmma descriptor of base offset 0", "%u", descriptor.base_offset);
}

WgmmaAccumulators& accumulators_of(Fiber& fiber, float* d, int count) {
  for (WgmmaAccumulators& one : fiber.wgmma.accumulators) {
    if (one.d == d) return one;
  }
  fiber.wgmma.accumulators.push_back({d, count, std::vector<float>(d, d + count)});
  return fiber.wgmma.accumulators.back();
}

/// Step `number` of all lanes of the running thread's warp.
void do_step(Warp& warp, size_t number) {
  const WgmmaStep& first = warp.lanes[0].wgmma.steps[number];
  float a[16][16], all_b[256 * 16];
  if (first.a_in_registers) {
    for (int lane = 0; lane < 32; ++lane) {
      const uint32_t* registers = warp.lanes[lane].wgmma.steps[number].a_registers;
      for (int reg = 0; reg < 4; ++reg) {
        for (int half = 0; half < 2; ++half) {
          const Place place = mma_a_place({lane, reg, half});
          a[place.row][place.col] = widened(static_cast<uint16_t>(registers[reg] >> 16 * half));
        }
      }
    }
  } else {
    take_operand(first.a, first.a_major, row_of_warp(warp.lanes[0]), 16, &a[0][0]);
  }
  take_operand(first.b, first.b_major, 0, first.n, all_b);
  float* values[32];
  for (int lane = 0; lane < 32; ++lane) {
    values[lane] = accumulators_of(warp.lanes[lane], warp.lanes[lane].wgmma.steps[number].d, first.n / 2).values.data();
  }
  for (int column = 0; column < first.n; column += 8) {
    float b[16][8], d[16][8];
    for (int i = 0; i < 128; ++i) b[i % 16][i / 16] = all_b[column * 16 + i];
    for (int i = 0; i < 128; ++i) {
      const Place place = mma_d_place({i / 4, i % 4, 0});
      d[place.row][place.col] = first.accumulate ? values[i / 4][column / 2 + i % 4] : 0.0f;
    }
    add_products(d, a, b);
    for (int i = 0; i < 128; ++i) {
      const Place place = mma_d_place({i / 4, i % 4, 0});
      values[i / 4][column / 2 + i % 4] = d[place.row][place.col];
    }
  }
}

/// Drops the steps that are done, and gives accumulators back that no step under way adds to.
void finish_steps(Fiber& fiber, size_t count, size_t groups) {
  WgmmaState& state = fiber.wgmma;
  state.steps.erase(state.steps.begin(), state.steps.begin() + static_cast<std::ptrdiff_t>(count));
  state.ends.erase(state.ends.begin(), state.ends.begin() + static_cast<std::ptrdiff_t>(groups));
  for (size_t& end : state.ends) end -= count;
  for (size_t i = state.accumulators.size(); i-- > 0;) {
    WgmmaAccumulators& one = state.accumulators[i];
    bool busy = false;
    for (const WgmmaStep& step : state.steps) busy = busy || step.d == one.d;
    if (busy) continue;
    std::memcpy(one.d, one.values.data(), one.values.size() * sizeof(float));
    state.accumulators.erase(state.accumulators.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

bool same_step(const WgmmaStep& x, const WgmmaStep& y) {
  return x.n == y.n && x.a_in_registers == y.a_in_registers && (x.a_in_registers || x.a == y.a) && x.b == y.b &&
         x.a_major == y.a_major && x.b_major == y.b_major && x.accumulate == y.accumulate;
}

void finish_groups(void* const lanes[32]) {
  Warp& warp = *scheduler.current->warp;
  const WgmmaState& first = warp.lanes[0].wgmma;
  const size_t pending = *static_cast<const uint32_t*>(lanes[0]);
  for (int lane = 1; lane < 32; ++lane) {
    const WgmmaState& other = warp.lanes[lane].wgmma;
    bool same = other.steps.size() == first.steps.size() && other.ends == first.ends &&
                *static_cast<const uint32_t*>(lanes[lane]) == pending;
    for (size_t i = 0; same && i < first.steps.size(); ++i) same = same_step(first.steps[i], other.steps[i]);
    if (!same) fail("the same wgmma on all lanes of a warp", "lanes 0 and %d differ", lane);
  }
  if (first.ends.size() <= pending) return;
  const size_t groups = first.ends.size() - pending, count = first.ends[groups - 1];
  for (size_t i = 0; i < count; ++i) do_step(warp, i);
  for (int lane = 0; lane < 32; ++lane) finish_steps(warp.lanes[lane], count, groups);
}

}  // namespace

void wgmma_fence() { scheduler.current->wgmma.fenced = true; }

void wgmma_issue(float* d, int n, const uint32_t* a_registers, uint64_t a, Major a_major, uint64_t b, Major b_major,
                 bool accumulate) {
  Fiber& me = *scheduler.current;
  WgmmaState& state = me.wgmma;
  if (!state.fenced) fail("wgmma_fence() before a chain of wgmma", "none");
  if (me.warp->count < 32 || me.block->fibers.size() < (me.index / 128 + 1) * 128) {
    fail("wgmma of a whole warpgroup", "a block of %zu threads", me.block->fibers.size());
  }
  check_descriptor(b);
  if (!a_registers) check_descriptor(a);
  accumulators_of(me, d, n / 2);
  for (int i = 0; i < n / 2; ++i) d[i] = same_bits<float>(~0u);
  state.steps.push_back({d, n, a_registers != nullptr, {}, a, b, a_major, b_major, accumulate});
  WgmmaStep& step = state.steps.back();
  if (a_registers) std::memcpy(step.a_registers, a_registers, sizeof(step.a_registers));
  state.issued = (state.issued ^ b) * 0x9E3779B97F4A7C15u + static_cast<uint64_t>(n);
  if (me.lane() != 0) return;
  SharedShadow& shadow = me.block->shadow;
  for_chunks(step, row_of_warp(me), [&](size_t offset) { shadow.begin_async_read(offset, 16, "wgmma"); });
}

void wgmma_commit() {
  WgmmaState& state = scheduler.current->wgmma;
  state.ends.push_back(state.steps.size());
  state.fenced = false;
}

void wgmma_wait(uint32_t pending) {
  static constexpr Collective collective{"wgmma_wait", finish_groups};
  together(collective, &pending);
}

void finish_wgmma() {
  if (!scheduler.current->wgmma.steps.empty()) fail("wgmma_wait() before the thread ends", "wgmma under way");
}

bool same_wgmma_of_warpgroups(const Block& block) {
  for (const Fiber& fiber : block.fibers) {
    if (fiber.wgmma.issued != block.fibers[fiber.index / 128 * 128].wgmma.issued) return false;
  }
  return true;
}

}  // namespace videomae::cuda::emu
