// A tensor: a dtype, a shape, and a place in a block of memory. Always contiguous, row-major: what another layout would
// save, the op that reads it saves by reading strided (attention reads q, k, v out of the packed projection).
#pragma once

#include <memory>
#include <string>

#include "core/allocator.h"
#include "core/device.h"
#include "core/dtype.h"
#include "core/error.h"
#include "core/shape.h"

namespace videomae {

class Tensor {
 public:
  Tensor() = default;

  /// Allocated, not initialised. Throws Error for a negative size, more bytes than an address can name, or a device
  /// that is not there.
  static Tensor empty(const Shape& shape, DType dtype, Device device = {});

  /// The same memory seen from `offset` elements on with another shape. Throws Error when it reaches past the end.
  Tensor view(int64_t offset, const Shape& shape) const;

  bool defined() const { return block_ != nullptr; }
  /// Whether it is of a rehearsal and has no memory.
  bool counted() const { return block_->counted; }
  /// The memory it lies in, which others may share.
  const std::shared_ptr<Block>& block() const { return block_; }
  /// The version of its memory's contents (Block::version).
  uint64_t version() const { return block_->version; }
  /// Says that elements were written in place.
  void mark_written() const { block_->version = next_version(); }
  DType dtype() const { return dtype_; }
  Device device() const { return device_; }
  const Shape& shape() const { return shape_; }
  int64_t elements() const { return shape_.elements(); }
  size_t bytes() const { return static_cast<size_t>(elements()) * size_of(dtype_); }

  /// Its address on its device. Throws Error for a tensor of a rehearsal, which has no memory.
  void* data() const {
    if (block_->counted) refuse_counted();
    return static_cast<char*>(block_->data) + offset_;
  }
  template <class T>
  T* data() const {
    return static_cast<T*>(data());
  }

  /// "f32[8, 1568, 768]"
  std::string text() const { return defined() ? name_of(dtype_) + shape_.text() : "a freed tensor"; }

 private:
  [[noreturn]] static void refuse_counted() {
    throw Error("rehearse", "a tensor with memory behind it", "one of a rehearsal");
  }

  std::shared_ptr<Block> block_;
  size_t offset_ = 0;  // bytes
  Shape shape_;
  DType dtype_ = DType::f32;
  Device device_;
};

}  // namespace videomae
