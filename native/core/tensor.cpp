#include "core/tensor.h"

namespace videomae {
namespace {

/// The number of elements, or -1 when a size is negative or the product of the sizes is beyond any machine (2^46).
/// Sizes beside a 0 are bounded too, so that no product of some axes overflows.
int64_t checked_elements(const Shape& shape) {
  constexpr int64_t limit = int64_t{1} << 46;
  int64_t product = 1;
  bool empty = false;
  for (int64_t size : shape) {
    if (size < 0 || (size > 0 && product > limit / size)) return -1;
    if (size == 0)
      empty = true;
    else
      product *= size;
  }
  return empty ? 0 : product;
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  if (checked_elements(shape) < 0)
    throw Error("allocate", "axes of size 0 or more and at most 2^46 elements", shape.text());
  Tensor t;
  t.shape_ = shape;
  t.dtype_ = dtype;
  t.device_ = device;
  t.block_ = allocate(t.bytes(), device);
  return t;
}

Tensor Tensor::view(int64_t offset, const Shape& shape) const {
  const int64_t elements = checked_elements(shape), available = this->elements();
  if (offset < 0 || elements < 0 || offset > available || elements > available - offset)
    throw Error("view", "elements " + std::to_string(offset) + " and on of " + text(), shape.text());
  Tensor t = *this;
  t.shape_ = shape;
  t.offset_ += static_cast<size_t>(offset) * size_of(dtype_);
  return t;
}

}  // namespace videomae
