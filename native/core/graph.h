// A step captured on a device: what a thread gave to the compute stream, to be done again and again without it. The
// graph keeps alive every block that the step touched and that its arena does not hold.
#pragma once

#include <memory>
#include <vector>

#include "core/plugin_loader.h"

namespace videomae {

class Graph {
 public:
  explicit Graph(Device device) : device_(device), plugin_(plugin_of(device.kind)) {}
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  Device device() const { return device_; }
  bool captured() const { return graph_ != nullptr; }

  /// Records what this thread gives to the device from now on, instead of doing it.
  void begin();
  /// Ends the recording. Throws Error when something in it cannot be replayed; nothing is kept then.
  void end();
  /// Ends a recording that has failed, and forgets it.
  void discard();
  /// Does what was recorded, later and in order, like everything given to a device.
  void launch();
  /// Keeps something for as long as the recording can be replayed.
  void hold(std::shared_ptr<const void> thing) { held_.push_back(std::move(thing)); }

  /// The graph that this thread is recording.
  static Graph* capturing();

 private:
  const Device device_;
  const Plugin& plugin_;
  void* graph_ = nullptr;
  std::vector<std::shared_ptr<const void>> held_;
};

}  // namespace videomae
