#include "core/staging.h"

#include <cstring>

#include "core/graph.h"

namespace videomae {

Staging::Turn::Turn(Device device, size_t bytes)
    : host(Accelerator::of(device).pinned(), bytes),
      buffer(Tensor::empty({static_cast<int64_t>(bytes)}, DType::u8, device)),
      uploaded(device),
      consumed(device) {}

Staging::Staging(Device device, const std::vector<Input>& inputs) : device_(device) {
  constexpr size_t alignment = 256;
  size_t bytes = 0;
  for (const Input& input : inputs) {
    tensors_.push_back(Tensor::empty(input.shape, input.dtype, device));
    offsets_.push_back(bytes);
    bytes += (tensors_.back().bytes() + alignment - 1) / alignment * alignment;
  }
  if (rehearsing()) {  // as much memory is counted, and nothing is sent
    for (int i = 0; i < 2; ++i) tensors_.push_back(Tensor::empty({static_cast<int64_t>(bytes)}, DType::u8, device));
    return;
  }
  accelerator_ = &Accelerator::of(device);
  for (int i = 0; i < 2; ++i) turns_.push_back(std::make_unique<Turn>(device, bytes));
}

void Staging::put(size_t input, const Tensor& source) {
  const Tensor& target = tensors_[input];
  if (source.dtype() != target.dtype() || source.shape() != target.shape())
    throw Error("compileStep", "an input " + target.text(), source.text());
  if (accelerator_ == nullptr) return;
  if (source.device() == device_) {
    from_device_.emplace_back(input, source);
    return;
  }
  if (!source.device().is_cpu())
    throw Error("compileStep", "inputs on " + name_of(device_) + " or the CPU", "one on " + name_of(source.device()));
  Turn& turn = *turns_[turn_];
  if (!begun_) turn.uploaded.synchronize();  // the pinned memory is still being read
  begun_ = true;
  std::memcpy(turn.host.data<char>() + offsets_[input], source.data(), source.bytes());
  from_host_.push_back(input);
}

void Staging::send() {
  if (accelerator_ == nullptr) return;
  if (Graph::current() != nullptr) throw Error("compileStep", "inputs sent before the step", "some sent inside it");
  const Plugin& plugin = accelerator_->plugin();
  Turn& turn = *turns_[turn_];
  char* const buffer = turn.buffer.data<char>();
  turn.consumed.hold_up(Stream::copy);
  for (const size_t i : from_host_)
    call_plugin(plugin.copy, device_.index, static_cast<void*>(buffer + offsets_[i]),
                static_cast<const void*>(turn.host.data<char>() + offsets_[i]), tensors_[i].bytes(), Stream::copy);
  turn.uploaded.record(Stream::copy);
  const std::lock_guard<std::recursive_mutex> lock(accelerator_->compute_stream_mutex());
  turn.uploaded.hold_up(Stream::compute);
  for (const size_t i : from_host_) accelerator_->copy(tensors_[i].data(), buffer + offsets_[i], tensors_[i].bytes());
  for (const auto& [i, source] : from_device_) accelerator_->copy(tensors_[i].data(), source.data(), source.bytes());
  turn.consumed.record(Stream::compute);
  for (const Tensor& tensor : tensors_) tensor.mark_written();
  from_host_.clear();
  from_device_.clear();
  begun_ = false;
  turn_ = 1 - turn_;
}

}  // namespace videomae
