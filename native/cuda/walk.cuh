// Where the operands of an element lie in a space of merged axes (ops/merged_axes.h). Axes are counted from the last
// here, which is the one that runs go along.
#pragma once

#include "cuda/device/kernel.cuh"
#include "ops/merged_axes.h"

namespace videomae::cuda {

/// Division by a number that is known at launch: a multiplication and a shift (Granlund & Montgomery, "Division by
/// invariant integers using multiplication", 1994). Exact for 0 <= n < 2^63.
class Divisor {
 public:
  Divisor() = default;
  explicit Divisor(int64_t divisor) : divisor_(divisor) {
    if (divisor < 2) return;
    while (shift_ < 63 && (uint64_t{1} << (shift_ + 1)) < static_cast<uint64_t>(divisor)) ++shift_;
    // 2^(63 + l) / d, rounded up, with 2^l the first power of two that is at least d.
    factor_ = static_cast<uint64_t>((static_cast<unsigned __int128>(1) << (64 + shift_)) / divisor) + 1;
  }

  __device__ __forceinline__ int64_t operator()(int64_t n) const {
    return divisor_ == 1 ? n : static_cast<int64_t>(__umul64hi(static_cast<uint64_t>(n), factor_) >> shift_);
  }

  /// n / divisor; what remains is left in n.
  __device__ __forceinline__ int64_t split(int64_t& n) const {
    const int64_t quotient = (*this)(n);
    n -= quotient * divisor_;
    return quotient;
  }

 private:
  int64_t divisor_ = 1;
  uint64_t factor_ = 0;
  int shift_ = 0;
};

template <int N>
struct Offsets {
  int64_t at[N];
};

/// A space whose last axis is cut into runs of `width` elements.
template <int N>
class Walk {
 public:
  Walk(const MergedAxes<N>& axes, int width) : last_(axes.rank - 1) {
    for (int i = 0; i <= last_; ++i) {
      const int axis = last_ - i;
      if (i < last_) sizes_[i] = Divisor(i == 0 ? axes.sizes[axis] / width : axes.sizes[axis]);
      for (int k = 0; k < N; ++k) strides_[k][i] = axes.strides[k][axis] * (i == 0 ? width : 1);
    }
  }

  /// Offset of the first element of run `number` in each operand.
  __device__ __forceinline__ Offsets<N> operator()(int64_t number) const {
    Offsets<N> offsets{};
#pragma unroll
    for (int i = 0; i < Shape::max_rank; ++i) {
      if (i > last_) break;
      int64_t index = number;
      if (i < last_) number = sizes_[i].split(index);
#pragma unroll
      for (int k = 0; k < N; ++k) offsets.at[k] += index * strides_[k][i];
    }
    return offsets;
  }

 private:
  int last_;
  Divisor sizes_[Shape::max_rank];
  int64_t strides_[N][Shape::max_rank] = {};
};

}  // namespace videomae::cuda
