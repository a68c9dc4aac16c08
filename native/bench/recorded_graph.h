// Calls recorded in a graph that can be launched any number of times: first plainly, to plan their memory, then
// captured while the plan is replayed.
#pragma once

#include "core/accelerator.h"
#include "core/arena.h"
#include "core/graph.h"

namespace videomae::bench {

/// What `body` gives to a device, as a graph. The tensors that it makes must be gone when it returns.
class RecordedGraph {
 public:
  template <class Body>
  RecordedGraph(Device device, const Body& body) : arena_(device), graph_(device) {
    for (bool recorded : {false, true}) {
      graph_.begin(recorded);
      arena_.open();
      body();
      arena_.close();
      graph_.end();
      if (!recorded) arena_.plan();
    }
  }

  void launch() { graph_.launch(); }

 private:
  Arena arena_;
  Graph graph_;
};

}  // namespace videomae::bench
