#include "core/graph.h"

namespace videomae {
namespace {

thread_local Graph* entered = nullptr;

using AdoptedLock = std::unique_lock<std::recursive_mutex>;

}  // namespace

Graph* Graph::current() { return entered; }

Graph* Graph::recorder() { return entered != nullptr && entered->recording_ ? entered : nullptr; }

void Graph::hold_touched(const Tensor& tensor, bool written) {
  Graph* graph = recorder();
  if (graph == nullptr || !tensor.defined() || tensor.block()->planned) return;
  if (written)
    graph->written_.push_back(tensor);
  else
    graph->hold(tensor.block());
}

void Graph::refuse_waiting(const std::string& what) {
  if (entered != nullptr)
    throw Error("compileStep", "a step that waits for nothing", what + " inside it",
                "return the tensor from the step, and read it outside");
}

Graph::~Graph() {
  if (entered == this) discard();
  if (graph_ == nullptr) return;
  const Plugin& plugin = accelerator_.plugin();
  PluginError ignored;                           // a device that has failed has said so where it was used
  plugin.synchronize(device().index, &ignored);  // a replay may be reading what is held
  plugin.destroy_graph(device().index, graph_, &ignored);
}

void Graph::begin(bool recorded) {
  if (entered != nullptr)
    throw Error("compileStep", "one compiled step at a time", "a step inside another",
                "call the inner function plainly");
  if (captured()) throw Error("compileStep", "a step that is not yet captured", "one that is");
  if (recorded) {
    accelerator_.compute_stream_mutex().lock();
    try {
      call_plugin(accelerator_.plugin().begin_capture, device().index);
    } catch (...) {
      accelerator_.compute_stream_mutex().unlock();
      throw;
    }
  }
  recording_ = recorded;
  entered = this;
}

void Graph::end() {
  if (entered != this) throw Error("compileStep", "a step that has begun", "one that has not");
  entered = nullptr;
  if (!recording_) return;
  recording_ = false;
  const AdoptedLock lock(accelerator_.compute_stream_mutex(), std::adopt_lock);
  try {
    call_plugin(accelerator_.plugin().end_capture, device().index, uint8_t{1}, &graph_);
  } catch (...) {
    forget();
    throw;
  }
}

void Graph::discard() {
  if (entered != this) return;
  entered = nullptr;
  if (!recording_) return;
  recording_ = false;
  const AdoptedLock lock(accelerator_.compute_stream_mutex(), std::adopt_lock);
  PluginError ignored;  // the failure that ends the recording has been thrown already
  void* none = nullptr;
  accelerator_.plugin().end_capture(device().index, 0, &none, &ignored);
  forget();
}

void Graph::launch() {
  if (!captured()) throw Error("compileStep", "a step that is captured", "one that is not");
  if (entered != nullptr) throw Error("compileStep", "a launch outside of any step", "one inside a step");
  const std::lock_guard<std::recursive_mutex> lock(accelerator_.compute_stream_mutex());
  call_plugin(accelerator_.plugin().launch, device().index, graph_);
  for (const Tensor& tensor : written_) tensor.mark_written();
}

void Graph::forget() {
  held_.clear();
  written_.clear();
}

}  // namespace videomae
