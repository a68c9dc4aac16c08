#include "core/graph.h"

namespace videomae {
namespace {

thread_local Graph* current = nullptr;

}  // namespace

Graph* Graph::capturing() { return current; }

Graph::~Graph() {
  if (current == this) discard();
  if (graph_ == nullptr) return;
  const Plugin& plugin = accelerator_.plugin();
  PluginError ignored;                           // a device that has failed has said so where it was used
  plugin.synchronize(device().index, &ignored);  // a replay may be reading what is held
  plugin.destroy_graph(device().index, graph_, &ignored);
}

void Graph::begin() {
  if (current != nullptr) throw Error("compileStep", "one capture at a time", "one inside another");
  if (captured()) throw Error("compileStep", "a graph without a recording", "one that has one");
  accelerator_.compute_stream_mutex().lock();
  try {
    call_plugin(accelerator_.plugin().begin_capture, device().index);
  } catch (...) {
    accelerator_.compute_stream_mutex().unlock();
    throw;
  }
  current = this;
}

void Graph::end() {
  current = nullptr;
  const std::unique_lock<std::recursive_mutex> lock(accelerator_.compute_stream_mutex(), std::adopt_lock);
  try {
    call_plugin(accelerator_.plugin().end_capture, device().index, uint8_t{1}, &graph_);
  } catch (...) {
    held_.clear();
    throw;
  }
}

void Graph::discard() {
  current = nullptr;
  const std::unique_lock<std::recursive_mutex> lock(accelerator_.compute_stream_mutex(), std::adopt_lock);
  PluginError ignored;  // the failure that ends the recording has been thrown already
  void* none = nullptr;
  accelerator_.plugin().end_capture(device().index, 0, &none, &ignored);
  held_.clear();
}

void Graph::launch() {
  const std::lock_guard<std::recursive_mutex> lock(accelerator_.compute_stream_mutex());
  call_plugin(accelerator_.plugin().launch, device().index, graph_);
}

}  // namespace videomae
