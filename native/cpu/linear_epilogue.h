// The backward pass of what a linear layer does after its product: the bias and the exact GELU.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace videomae::cpu {

template <class T>
struct EpilogueGradient {
  int64_t m, n, rows_per_block;  // rows of one partial sum
  const T* gradient;             // (m, n), after the GELU
  const T* preactivation;        // (m, n), or null where there is no GELU
  T* before;                     // (m, n), the gradient before the GELU; written where there is one, perhaps in place
  wide_t<T>* partials;           // (blocks, n): scratch
  wide_t<T>* bias;               // (n): the columns' sums of the gradient before the GELU; may be null
  bool accumulate;               // the sums are added to what `bias` holds
};

/// One pass over the gradient, spread over the threads. Sums are those of unrounded numbers.
template <class T>
void linear_epilogue_backward(const EpilogueGradient<T>& g);

}  // namespace videomae::cpu
