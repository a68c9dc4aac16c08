// The runtime of the emulator: memory of the host, streams that do their work at the last moment, graphs that replay
// recorded launches. VIDEOMAE_EMU_DEVICES sets how many devices there are (1), VIDEOMAE_EMU_MEMORY the bytes of each
// (2^30), VIDEOMAE_EMU_SHARED_MEMORY the bytes that a block can have (227 KiB).
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "cuda/emu/device_memory.h"
#include "cuda/emu/launch.h"
#include "cuda/emu/shared_memory.h"
#include "cuda/emu/stream_queue.h"
#include "cuda/runtime.h"

namespace videomae::cuda::runtime {
namespace {

constexpr size_t alignment = 256;
/// What memory holds that nobody has written: as f32 and bf16 a NaN, as an index -1.
constexpr int poison = 0xFF;

uint64_t setting(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

struct EmulatedDevice {
  emu::StreamQueue queue;
  std::mutex mutex;
  std::map<void*, size_t> blocks, pinned;
  uint64_t used = 0;
  const uint64_t memory_bytes = setting("VIDEOMAE_EMU_MEMORY", uint64_t{1} << 30);
};

/// An event of CUDA never recorded is passed at once; so is this one.
struct EmulatedEvent {
  emu::Place place;
};

EmulatedDevice& device_of(int device) {
  static std::mutex mutex;
  static auto* devices = new std::map<int, std::unique_ptr<EmulatedDevice>>();  // never destroyed
  const std::lock_guard<std::mutex> lock(mutex);
  auto& found = (*devices)[device];
  if (!found) found = std::make_unique<EmulatedDevice>();
  return *found;
}

emu::StreamQueue& queue_of(int device) { return device_of(device).queue; }

emu::Place& place_of(void* event) { return static_cast<EmulatedEvent*>(event)->place; }

/// Whether an address lies in a block of the map.
bool holds(const std::map<void*, size_t>& blocks, const void* address) {
  auto behind = blocks.upper_bound(const_cast<void*>(address));
  if (behind == blocks.begin()) return false;
  --behind;
  return static_cast<const char*>(address) < static_cast<const char*>(behind->first) + behind->second;
}

void take_launch(void* stream, emu::GridLaunch&& launch) {
  static_cast<emu::StreamQueue*>(stream)->give(Stream::compute, [launch = std::move(launch)] { emu::run(launch); });
}

}  // namespace

const bool needs_driver = false;

int count() { return static_cast<int>(setting("VIDEOMAE_EMU_DEVICES", 1)); }

PluginDevice describe(int device) {
  PluginDevice described{};
  std::strcpy(described.name, "emulated GPU of capability 9.0");
  std::strcpy(described.software, "the emulator");
  described.limits = {90, 4, emu::largest_shared(), emu::largest_shared() + (1 << 10)};
  described.memory_bytes = device_of(device).memory_bytes;
  return described;
}

void* open(int device) {
  emu::set_queue(take_launch);
  return &queue_of(device);
}

void* allocate(int device, size_t bytes) {
  EmulatedDevice& d = device_of(device);
  d.queue.refuse_in_capture("an allocation");
  const std::lock_guard<std::mutex> lock(d.mutex);
  if (d.used + bytes > d.memory_bytes) return nullptr;
  void* data = emu::allocate_device(bytes);
  if (data == nullptr) return nullptr;
  d.blocks[data] = bytes;
  d.used += bytes;
  return data;
}

void release(int device, void* data) {
  EmulatedDevice& d = device_of(device);
  d.queue.reach_all();
  const std::lock_guard<std::mutex> lock(d.mutex);
  d.used -= d.blocks.at(data);
  d.blocks.erase(data);
  emu::release_device(data);
}

void* allocate_pinned(int device, size_t bytes) {
  EmulatedDevice& d = device_of(device);
  const std::lock_guard<std::mutex> lock(d.mutex);
  void* data = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (data == nullptr) return nullptr;
  std::memset(data, poison, bytes);
  d.pinned[data] = bytes;
  return data;
}

void release_pinned(int device, void* data) {
  EmulatedDevice& d = device_of(device);
  d.queue.reach_all();
  const std::lock_guard<std::mutex> lock(d.mutex);
  d.pinned.erase(data);
  std::free(data);
}

void copy(int device, void* to, const void* from, size_t bytes, Stream stream) {
  EmulatedDevice& d = device_of(device);
  {
    const std::lock_guard<std::mutex> lock(d.mutex);
    const bool up = holds(d.pinned, from), down = holds(d.pinned, to);
    if ((!up && !holds(d.blocks, from)) || (!down && !holds(d.blocks, to)))
      throw Error("copy", "memory of the device, or pinned memory of the host", "an address of neither");
    if (down) std::memset(to, poison, bytes);  // whoever reads it before the copy is done must notice
  }
  d.queue.give(stream, [=] { std::memcpy(to, from, bytes); });
}

void fill(int device, void* to, uint8_t value, size_t bytes, Stream stream) {
  queue_of(device).give(stream, [=] { std::memset(to, value, bytes); });
}

void* create_event(int) { return new EmulatedEvent(); }
void destroy_event(int, void* event) { delete static_cast<EmulatedEvent*>(event); }
void record(int device, void* event, Stream stream) { place_of(event) = queue_of(device).end_of(stream); }
void wait(int device, void* event, Stream stream) { queue_of(device).hold_up(stream, place_of(event)); }
bool finished(int device, void* event) { return queue_of(device).passed(place_of(event)); }
void synchronize_event(int device, void* event) { queue_of(device).reach(place_of(event)); }
void synchronize(int device) { queue_of(device).reach_all(); }

void begin_capture(int device) { queue_of(device).begin_capture(); }
void* end_capture(int device, bool keep) { return queue_of(device).end_capture(keep); }
void launch(int device, void* graph) { queue_of(device).launch(*static_cast<emu::RecordedGraph*>(graph)); }
void destroy_graph(int, void* graph) { delete static_cast<emu::RecordedGraph*>(graph); }

void* start_clock(int device) {
  auto* begun = new std::chrono::steady_clock::time_point();
  queue_of(device).give(Stream::compute, [begun] { *begun = std::chrono::steady_clock::now(); });
  return begun;
}

double stop_clock(int device, void* clock) {
  const std::unique_ptr<std::chrono::steady_clock::time_point> begun(
      static_cast<std::chrono::steady_clock::time_point*>(clock));
  queue_of(device).reach(queue_of(device).end_of(Stream::compute));
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - *begun).count();
}

const bool watches_operands = true;

struct OpRange::State {
  explicit State(const std::vector<OperandRange>& ranges) : operands(list(ranges)) {}

  static std::vector<emu::Operand> list(const std::vector<OperandRange>& ranges) {
    std::vector<emu::Operand> operands;
    for (const OperandRange& range : ranges) operands.push_back({range.name, range.data, range.bytes, range.written});
    return operands;
  }

  const emu::Operands operands;
};

OpRange::OpRange(int, const char*, const std::vector<OperandRange>& operands)
    : state_(std::make_unique<State>(operands)) {}
OpRange::~OpRange() = default;

}  // namespace videomae::cuda::runtime
