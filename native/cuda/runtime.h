// What a plug-in stands on: CUDA's runtime (runtime_cuda.cu), or its imitation on the host (emu/runtime_emu.cpp). The
// functions are those of core/plugin.h, which says what they do, and two that take time; here they throw Error.
#pragma once

#include <memory>
#include <vector>

#include "core/error.h"
#include "core/plugin.h"

namespace videomae::cuda::runtime {

extern const bool needs_driver;

int count();
PluginDevice describe(int device);
void* open(int device);

void* allocate(int device, size_t bytes);
void release(int device, void* data);
void* allocate_pinned(int device, size_t bytes);
void release_pinned(int device, void* data);

void copy(int device, void* to, const void* from, size_t bytes, Stream stream);
void fill(int device, void* to, uint8_t value, size_t bytes, Stream stream);

void* create_event(int device);
void destroy_event(int device, void* event);
void record(int device, void* event, Stream stream);
void wait(int device, void* event, Stream stream);
bool finished(int device, void* event);
void synchronize_event(int device, void* event);
void synchronize(int device);

void begin_capture(int device);
void* end_capture(int device, bool keep);
void launch(int device, void* graph);
void destroy_graph(int device, void* graph);

/// Begins to take the time of what the compute stream is given from now on.
void* start_clock(int device);
/// Waits for all that it was given since; the milliseconds that it took, on the device. The clock is gone then. The
/// emulator's are the host's, and say nothing.
double stop_clock(int device, void* clock);

/// What an op's kernels may touch.
struct OperandRange {
  const char* name;
  const void* data;
  size_t bytes;
  bool written;  // an output, scratch, or changed in place
};

/// Whether OpRange wants to know the operands.
extern const bool watches_operands;

/// Around the kernels of an op: makes the device current, and shows the op to a profiler that is attached.
class OpRange {
 public:
  OpRange(int device, const char* op, const std::vector<OperandRange>& operands);
  ~OpRange();
  OpRange(const OpRange&) = delete;
  OpRange& operator=(const OpRange&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace videomae::cuda::runtime
