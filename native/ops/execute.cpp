#include "ops/execute.h"

#include <atomic>

#include "core/accelerator.h"
#include "core/graph.h"

namespace videomae {
namespace {

std::atomic<const KernelTable*> cpu_kernels;

constexpr uint64_t layout = ops_layout();

const Kernel& cpu_kernel(OpId id) { return cpu_kernels.load()->kernels[static_cast<int>(id)]; }

/// The plug-in behind a device, once it is known to see ops as this library does.
const Plugin& checked_plugin(Device device) {
  const Plugin& plugin = plugin_of(device.kind);
  check(plugin.layout == layout, name_of(device.kind), "a plug-in of the same build as the addon", "another one",
        "install the package again, or build it with npm run build:native");
  return plugin;
}

}  // namespace

void register_kernels(const KernelTable* table) { cpu_kernels.store(table); }

size_t workspace_of(Device device, OpId id, const void* op) {
  if (device.is_cpu()) return cpu_kernel(id).workspace(op);
  size_t bytes = 0;
  call_plugin(checked_plugin(device).workspace, static_cast<int32_t>(id), op, &bytes);
  return bytes;
}

void run_kernel(Device device, OpId id, void* op, void* workspace) {
  if (device.is_cpu()) return cpu_kernel(id).run(op, Context{workspace});
  Accelerator& accelerator = Accelerator::of(device);
  const Context context{workspace, accelerator.compute_stream(), accelerator.description().limits, accelerator.fault()};
  const std::lock_guard<std::recursive_mutex> lock(accelerator.compute_stream_mutex());
  call_plugin(accelerator.plugin().run, device.index, static_cast<int32_t>(id), op, static_cast<const void*>(&context));
}

bool recording() { return Graph::recorder() != nullptr; }

void hold_touched(const Tensor& tensor, bool written) { Graph::hold_touched(tensor, written); }

void check_step(Device device, const char* op) {
  const Graph* graph = Graph::current();
  if (graph == nullptr || graph->device() == device) return;
  throw Error(op, "tensors on " + name_of(graph->device()) + " in a step compiled for it", "some on " + name_of(device),
              "work on another device would not be repeated: give the tensor to the step as an input, or move it to "
              "the device before");
}

}  // namespace videomae
