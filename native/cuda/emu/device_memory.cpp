#include "cuda/emu/device_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <unordered_map>

#include "cuda/emu/scheduler.h"

namespace videomae::cuda::emu {
namespace {

constexpr size_t kPage = 4096, kGuard = 16 * kPage, kAlignment = 256;
constexpr unsigned char kMargin = 0xA5;

struct Allocation {
  unsigned char* mapping;
  size_t mapped;
  unsigned char* data;
  size_t bytes;
};

std::mutex mutex;
std::map<uintptr_t, Allocation> allocations;  // by the first byte
uintptr_t lowest = UINTPTR_MAX, highest = 0;  // of all there have been

thread_local OperandList in_force;

// ---- the running launch ----

const std::vector<Operand>* watched = nullptr;
const Operand* last_hit = nullptr;

/// Which cluster of which launch touched a byte last. Clusters have numbers of their own through all launches, and so
/// has "several readers" of a launch: its first number.
struct Touched {
  uint32_t writer = 0, reader = 0;
};
constexpr uint32_t kMostNumbers = 0xFFFFFFFF;
struct TouchedPage {
  Touched bytes[kPage];
};
std::unordered_map<uintptr_t, std::unique_ptr<TouchedPage>> pages;
constexpr size_t kMostPages = 8192;  // 256 MiB of notes; beyond, what is known is forgotten
constexpr size_t kRecent = 256;
struct {
  uintptr_t page = UINTPTR_MAX;
  TouchedPage* notes = nullptr;
} recent[kRecent];
uint32_t several_readers = 1, next_number = 1;

Touched& touched(uintptr_t address) {
  const uintptr_t page = address / kPage;
  auto& slot = recent[page % kRecent];
  if (slot.page != page) {
    std::unique_ptr<TouchedPage>& notes = pages[page];
    if (!notes) notes = std::make_unique<TouchedPage>();
    slot.page = page, slot.notes = notes.get();
  }
  return slot.notes->bytes[address % kPage];
}

void forget() {
  pages.clear();
  for (auto& slot : recent) slot.page = UINTPTR_MAX, slot.notes = nullptr;
}

void note(uintptr_t address, size_t bytes, bool write, const Operand& operand) {
  const uint32_t mine = several_readers + 1 + scheduler.cluster;
  for (size_t i = 0; i < bytes; ++i) {
    Touched& byte = touched(address + i);
    const size_t offset = address + i - reinterpret_cast<uintptr_t>(operand.data);
    if (byte.writer != mine && byte.writer >= several_readers) {
      fail("no byte of the device that one block writes and another touches",
           "a %s of byte %zu of %s, which a block of cluster %u has written", write ? "write" : "read", offset,
           operand.name.c_str(), byte.writer - several_readers - 1);
    }
    if (!write) {
      byte.reader = byte.reader == mine || byte.reader < several_readers ? mine : several_readers;
      continue;
    }
    if (byte.reader != mine && byte.reader >= several_readers) {
      fail("no byte of the device that one block writes and another touches",
           "a write of byte %zu of %s, which another block has read", offset, operand.name.c_str());
    }
    byte.writer = mine;
  }
}

/// The allocation whose mapping holds an address; null when there is none.
const Allocation* allocation_at(uintptr_t address) {
  const auto holds = [&](const Allocation& allocation) {
    const uintptr_t from = reinterpret_cast<uintptr_t>(allocation.mapping);
    return address >= from && address - from < allocation.mapped;
  };
  const auto next = allocations.upper_bound(address);  // its guard may hold the address, or the one before it
  if (next != allocations.end() && holds(next->second)) return &next->second;
  if (next != allocations.begin() && holds(std::prev(next)->second)) return &std::prev(next)->second;
  return nullptr;
}

bool is_allocated(uintptr_t address) {
  const std::lock_guard<std::mutex> lock(mutex);
  return allocation_at(address) != nullptr;
}

}  // namespace

void* allocate_device(size_t bytes) {
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const size_t open = (rounded + kPage - 1) / kPage * kPage, mapped = kGuard + open + kGuard;
  void* memory = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  unsigned char* mapping = static_cast<unsigned char*>(memory);
  if (open && mprotect(mapping + kGuard, open, PROT_READ | PROT_WRITE) != 0) {
    munmap(memory, mapped);
    return nullptr;
  }
  unsigned char* data = mapping + kGuard + open - rounded;  // its end is where the guard begins
  if (bytes) std::memset(data, kPoison, bytes);
  std::memset(data + bytes, kMargin, rounded - bytes);
  const std::lock_guard<std::mutex> lock(mutex);
  allocations[reinterpret_cast<uintptr_t>(data)] = {mapping, mapped, data, bytes};
  lowest = std::min(lowest, reinterpret_cast<uintptr_t>(memory));
  highest = std::max(highest, reinterpret_cast<uintptr_t>(memory) + mapped);
  return data;
}

void release_device(void* data) {
  const std::lock_guard<std::mutex> lock(mutex);
  const auto at = allocations.find(reinterpret_cast<uintptr_t>(data));
  if (at == allocations.end()) return;
  munmap(at->second.mapping, at->second.mapped);
  allocations.erase(at);
}

Operands::Operands(std::vector<Operand> list) : before_(in_force) {
  in_force = std::make_shared<const std::vector<Operand>>(std::move(list));
}

Operands::~Operands() { in_force = before_; }

OperandList operands() { return in_force; }

void watch_operands(const std::vector<Operand>* list, uint32_t clusters) {
  watched = list, last_hit = nullptr;
  if (!list) return;
  const bool numbers_end = kMostNumbers - next_number <= clusters;
  if (numbers_end || pages.size() > kMostPages) forget();
  several_readers = numbers_end ? 1 : next_number;
  next_number = several_readers + 1 + clusters;
}

void check_device_access(const void* address, size_t bytes, bool write) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(address);
  const auto holds = [&](const Operand& operand) {
    const uintptr_t from = reinterpret_cast<uintptr_t>(operand.data);
    return at >= from && bytes <= operand.bytes && at - from <= operand.bytes - bytes && (!write || operand.written);
  };
  if (!scheduler.current->waited_for_kernels_ahead && at >= lowest && at < highest && is_allocated(at)) {
    fail("dependent_launch_wait() before memory of the device is touched", "a %s of %zu bytes",
         write ? "write" : "read", bytes);
  }
  if (watched) {
    if (last_hit && holds(*last_hit)) return note(at, bytes, write, *last_hit);
    for (const Operand& operand : *watched) {
      if (!holds(operand)) continue;
      last_hit = &operand;
      return note(at, bytes, write, operand);
    }
  }
  if (at < lowest || at >= highest) return;
  char place[256];
  if (!describe_address(address, place)) return;
  fail(watched ? "accesses to the op's operands alone" : "accesses within the device's memory", "a %s of %zu bytes, %s",
       write ? "write" : "read", bytes, place);
}

bool describe_address(const void* address, char (&words)[256]) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(address);
  const std::lock_guard<std::mutex> lock(mutex);
  const Allocation* allocation = allocation_at(at);
  if (!allocation) return false;  // memory of the host, which may lie beside a word that a kernel writes there
  if (watched) {
    const Operand* near = nullptr;
    uintptr_t best = UINTPTR_MAX;
    for (const Operand& operand : *watched) {
      const uintptr_t from = reinterpret_cast<uintptr_t>(operand.data), until = from + operand.bytes;
      const uintptr_t distance = at < from ? from - at : at >= until ? at - until + 1 : 0;
      if (distance < best) best = distance, near = &operand;
    }
    if (near && best <= kGuard) {
      std::snprintf(words, sizeof(words), "byte %td of the %zu bytes of %s%s",
                    static_cast<const char*>(address) - static_cast<const char*>(near->data), near->bytes,
                    near->name.c_str(), best == 0 && !near->written ? ", which the op only reads" : "");
      return true;
    }
  }
  const ptrdiff_t offset = static_cast<const unsigned char*>(address) - allocation->data;
  const bool within = offset >= 0 && static_cast<size_t>(offset) < allocation->bytes;
  if (within && !watched) return false;
  std::snprintf(words, sizeof(words), "byte %td of an allocation of %zu bytes", offset, allocation->bytes);
  return true;
}

}  // namespace videomae::cuda::emu
