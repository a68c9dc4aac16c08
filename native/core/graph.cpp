#include "core/graph.h"

namespace videomae {
namespace {

thread_local Graph* current = nullptr;

}  // namespace

Graph* Graph::capturing() { return current; }

Graph::~Graph() {
  if (current == this) discard();
  if (graph_ == nullptr) return;
  PluginError ignored;                           // a device that has failed has said so where it was used
  plugin_.synchronize(device_.index, &ignored);  // a replay may be reading what is held
  plugin_.destroy_graph(device_.index, graph_, &ignored);
}

void Graph::begin() {
  if (current != nullptr) throw Error("compileStep", "one capture at a time", "one inside another");
  if (captured()) throw Error("compileStep", "a graph without a recording", "one that has one");
  call_plugin(plugin_.begin_capture, device_.index);
  current = this;
}

void Graph::end() {
  current = nullptr;
  try {
    call_plugin(plugin_.end_capture, device_.index, uint8_t{1}, &graph_);
  } catch (...) {
    held_.clear();
    throw;
  }
}

void Graph::discard() {
  if (current == this) current = nullptr;
  PluginError ignored;  // the failure that ends the recording has been thrown already
  void* none = nullptr;
  plugin_.end_capture(device_.index, 0, &none, &ignored);
  held_.clear();
}

void Graph::launch() { call_plugin(plugin_.launch, device_.index, graph_); }

}  // namespace videomae
