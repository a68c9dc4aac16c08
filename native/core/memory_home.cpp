#include "core/memory_home.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <cstdlib>

#include "core/accelerator.h"
#include "core/arena.h"
#include "core/error.h"

namespace videomae {
namespace {

constexpr size_t cpu_alignment = 64, device_alignment = 256;

class SystemMemory : public MemorySource {
 public:
  void* take(size_t bytes) override { return std::aligned_alloc(cpu_alignment, bytes); }
  void give_back(void* data) override { std::free(data); }
  void trim() override {
#if defined(__GLIBC__)
    // The C library keeps what was freed below other blocks of its heap: hundreds of megabytes after a first step.
    malloc_trim(0);
#endif
  }
  size_t alignment() const override { return cpu_alignment; }
};

class CountedMemory : public MemorySource {
 public:
  explicit CountedMemory(size_t alignment) : alignment_(alignment) {}
  void* take(size_t) override { return reinterpret_cast<void*>(alignment_); }  // an address that is never followed
  void give_back(void*) override {}
  size_t alignment() const override { return alignment_; }
  bool counting() const override { return true; }

 private:
  const size_t alignment_;
};

/// Allocators of a rehearsal, made as devices are used.
struct CountedHomes {
  std::map<std::string, Home> homes;

  const Home& of(Device device) {
    Home& home = homes[name_of(device)];
    if (!home)
      home = std::make_shared<CachingAllocator>(
          std::make_unique<CountedMemory>(device.is_cpu() ? cpu_alignment : device_alignment));
    return home;
  }
};

thread_local std::unique_ptr<CountedHomes> rehearsal;

}  // namespace

Home home_of(Device device) {
  if (rehearsal) return rehearsal->of(device);
  if (!device.is_cpu()) return Accelerator::of(device).memory();
  // Never destroyed: blocks may be released while the process ends.
  static const Home* system = new Home(std::make_shared<CachingAllocator>(std::make_unique<SystemMemory>()));
  return *system;
}

Rehearsal::Rehearsal() {
  if (rehearsal) throw Error("rehearse", "one rehearsal at a time", "one inside another");
  if (Arena::is_open()) throw Error("rehearse", "no compiled step under way", "one inside it");
  rehearsal = std::make_unique<CountedHomes>();
}

Rehearsal::~Rehearsal() { rehearsal.reset(); }

bool rehearsing() { return rehearsal != nullptr; }

MemoryStatistics memory_statistics(Device device) { return home_of(device)->statistics(); }
void reset_peak(Device device) { home_of(device)->reset_peak(); }
void empty_cache(Device device) { home_of(device)->empty(); }

}  // namespace videomae
