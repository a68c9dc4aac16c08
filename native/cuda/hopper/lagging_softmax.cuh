// Online softmax over accumulators of wgmma, with the lazy maximum of attention_forward.cuh. A thread holds parts of
// two rows, 8 apart: register i belongs to row i / 2 % 2 (wgmma_layout.h).
//
// Sums lag behind: their product with the probabilities before is still under way when the next are made, so what sums
// are to be multiplied with is kept until they have come.
#pragma once

#include <cfloat>

#include "cuda/device/bfloat16.cuh"
#include "cuda/device/exp2.cuh"
#include "cuda/device/max_nan.cuh"
#include "cuda/device/shuffle.cuh"

namespace videomae::cuda {

/// One exponential of so many is a polynomial on the multiply-add units. The special-function unit makes 16 a clock; a
/// polynomial takes 9 instructions of 128 threads a clock, beside 4.5 for every element: at one of eight both are done
/// after about the same time.
constexpr int kExponentialsPerPolynomial = 8;

struct LaggingSoftmax {
  float reference[2];   // what exponents are relative to: a maximum of some keys so far, unscaled
  float total[2];       // this thread's part of the sum
  float correction[2];  // of sums of the keys before

  __device__ __forceinline__ void begin() {
#pragma unroll
    for (int half = 0; half < 2; ++half) reference[half] = -FLT_MAX, total[half] = 0;
  }

  /// Logits become probabilities. A NaN among them makes its whole row NaN by way of the maximum, because the
  /// polynomial knows none.
  template <int count>
  __device__ __forceinline__ void exponentiate(float (&s)[count], float scale) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float highest = reference[half];
#pragma unroll
      for (int i = 2 * half; i < count; i += 4) highest = max_nan(highest, max_nan(s[i], s[i + 1]));
      highest = max_nan(highest, shuffle_xor(highest, 1));
      highest = max_nan(highest, shuffle_xor(highest, 2));
      const float old = reference[half] * scale;
      correction[half] = 1;
      if (!(highest * scale <= old + 8)) {
        correction[half] = exp2_approximate(old - highest * scale);
        reference[half] = highest;
        total[half] *= correction[half];
      }
    }
#pragma unroll
    for (int i = 0; i < count; ++i) {
      const int half = i / 2 % 2, place = i / 4 * 2 + i % 2;
      const float exponent = s[i] * scale - reference[half] * scale;
      s[i] = place % kExponentialsPerPolynomial == kExponentialsPerPolynomial - 1 ? exp2_polynomial(exponent)
                                                                                  : exp2_approximate(exponent);
      total[half] += s[i];
    }
  }

  /// Sums of the keys before those that were exponentiated last.
  template <int count>
  __device__ __forceinline__ void rescale(float (&sum)[count]) const {
    if (correction[0] == 1 && correction[1] == 1) return;
#pragma unroll
    for (int i = 0; i < count; ++i) sum[i] *= correction[i / 2 % 2];
  }
};

/// Probabilities rounded to bf16, as A of the product with the values: steps of 16 keys.
template <int steps>
__device__ __forceinline__ void round_probabilities(uint32_t (&p)[steps][4], const float (&s)[8 * steps]) {
#pragma unroll
  for (int step = 0; step < steps; ++step)
#pragma unroll
    for (int reg = 0; reg < 4; ++reg) p[step][reg] = pack_bf16(s[8 * step + 2 * reg], s[8 * step + 2 * reg + 1]);
}

/// Keys from `valid` on weigh nothing.
template <int count>
__device__ __forceinline__ void mask_keys(float (&s)[count], int valid) {
  const int first = static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
  for (int i = 0; i < count; ++i)
    if (i / 4 * 8 + first + i % 2 >= valid) s[i] = -INFINITY;
}

}  // namespace videomae::cuda
