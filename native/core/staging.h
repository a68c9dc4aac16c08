// The way of a step's inputs to a device. They are copied into pinned memory, go up on the copy stream while the step
// before is computed, and reach the tensors that the step reads when that has ended. Two sets of buffers take turns, so
// the host waits only when it is two steps ahead.
#pragma once

#include <vector>

#include "core/accelerator.h"
#include "core/tensor.h"

namespace videomae {

class Staging {
 public:
  struct Input {
    Shape shape;
    DType dtype;
  };

  Staging(Device device, const std::vector<Input>& inputs);

  /// What the step reads, in the order of the inputs: on the device, the same at every step.
  const std::vector<Tensor>& tensors() const { return tensors_; }

  /// An input of the next step, with the dtype and shape it was described with, on the CPU or on the device. One on the
  /// CPU has been read when this returns.
  void put(size_t input, const Tensor& source);
  /// Sends what was put on its way. What is given to the device from now on sees it.
  void send();

 private:
  struct Turn {
    Turn(Device device, size_t bytes);
    PinnedMemory::Block host;
    Tensor buffer;  // on the device
    Event uploaded, consumed;
  };

  const Device device_;
  Accelerator* accelerator_ = nullptr;  // none in a rehearsal
  std::vector<Tensor> tensors_;
  std::vector<size_t> offsets_;  // of the inputs in the buffers
  std::vector<std::unique_ptr<Turn>> turns_;
  size_t turn_ = 0;
  bool begun_ = false;  // something was put since the last send()
  std::vector<size_t> from_host_;
  std::vector<std::pair<size_t, Tensor>> from_device_;
};

}  // namespace videomae
