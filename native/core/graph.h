// A step on a device, captured: what a thread gave to the compute stream, to be done again and again without it. The
// graph keeps alive every block that the step touched and that its arena does not hold.
//
// A step that is to be captured must not wait for the device, and must not work elsewhere: neither would be repeated.
// Both are errors from its first run on, before it is captured.
#pragma once

#include <memory>
#include <vector>

#include "core/accelerator.h"
#include "core/tensor.h"

namespace videomae {

class Graph {
 public:
  explicit Graph(Device device) : accelerator_(Accelerator::of(device)) {}
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  Device device() const { return accelerator_.device(); }
  bool captured() const { return graph_ != nullptr; }
  bool recording() const { return recording_; }

  /// This thread's step begins. When it is recorded, what the thread gives to the device until the end is not done.
  void begin(bool recorded);
  /// It has ended. Throws Error when what was recorded cannot be replayed; nothing is kept then.
  void end();
  /// It has failed; what was recorded is forgotten.
  void discard();
  /// Does what was recorded, later and in order, like everything given to a device.
  void launch();

  /// While recording: keeps something for as long as the recording can be replayed.
  void hold(std::shared_ptr<const void> thing) { held_.push_back(std::move(thing)); }
  /// While this thread records: keeps what the tensor lies in, unless a planned arena does.
  static void hold_touched(const Tensor& tensor, bool written = false);
  /// The step that this thread is in.
  static Graph* current();
  /// The step that this thread is recording.
  static Graph* recorder();
  /// Throws Error inside a step, naming what in it waits for the device.
  static void refuse_waiting(const std::string& what);

 private:
  void forget();

  Accelerator& accelerator_;
  void* graph_ = nullptr;
  bool recording_ = false;
  std::vector<std::shared_ptr<const void>> held_;
  std::vector<Tensor> written_;  // in place: every launch gives them another version
};

}  // namespace videomae
