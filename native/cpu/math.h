// exp, the erf-form GELU and its derivative, lane-wise on a vector. float: own approximations, written for vector
// registers; double: the C library lane by lane (the reference path). No standard include: see vectors.h.
//   exp:  x = n ln 2 + r, |r| <= ln 2 / 2; degree-6 minimax e^r (3e-9) times 2^n. Relative error < 2e-7 from -86.5 up;
//         below it the result is 0, from 88.73 up it is infinite; NaN stays NaN. For GELU as 2^t, whose reduction is
//         one subtraction.
//   Phi:  Phi(-a) = e^(-a^2/2) Q(a), Q(a) = t P(t), t = 1 / (1 + 0.35 a), P of degree 8 fitted to erfcx on [0, 13.5]
//         (relative error 4e-8). Phi(x) = 1 - Phi(-x) for x > 0, so GELU keeps its relative accuracy in both tails.
#pragma once

#include "cpu/vectors.h"

namespace videomae {

template <class Isa, class T>
struct VectorMath;

template <class Isa>
struct VectorMath<Isa, float> {
  using V = Vectors<Isa, float>;
  using Vec = typename V::Vec;
  using Mask = typename V::Mask;

  VIDEOMAE_INLINE Vec exp(Vec x) {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits of the sum: no float-to-int conversion, so
    // NaN and infinities need no care here.
    constexpr float kRound = 12582912.0f;
    Vec shifted = x * 1.44269504f + kRound;
    Vec n = shifted - kRound;
    Vec r = (x - n * 0.693145752f) - n * 1.42860677e-6f;  // ln 2 in two parts, the first exact in 16 bits
    Vec p = V::all(0.001381459638f);
    p = p * r + 0.008368717091f;
    p = p * r + 0.04166838809f;
    p = p * r + 0.1666652063f;
    p = p * r + 0.4999999345f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    // 2^n as 2 * 2^(n-1), so that n = 128 does not overflow the exponent field.
    Mask bits = ((Mask)shifted + 126) << 23;
    Vec y = (p + p) * (Vec)bits;
    y = x < -86.5f ? Vec{} : y;
    return x > 88.7228f ? V::all(__builtin_inff()) : y;
  }

  /// 2^t for t <= 0; 0 below -126, NaN for NaN.
  VIDEOMAE_INLINE Vec exp2_below(Vec t) {
    constexpr float kRound = 12582912.0f;  // as in exp
    Vec shifted = t + kRound;
    Vec r = t - (shifted - kRound);
    Vec p = V::all(0.0001532113598f);  // those of exp, by powers of ln 2
    p = p * r + 0.001339017311f;
    p = p * r + 0.009618526473f;
    p = p * r + 0.05550362233f;
    p = p * r + 0.2402264755f;
    p = p * r + 0.6931471806f;
    p = p * r + 1.0f;
    Mask bits = ((Mask)shifted + 127) << 23;
    return t < -126.0f ? Vec{} : p * (Vec)bits;
  }

  struct Gelu {
    Vec value, slope;
  };

  /// x Phi(x) and its derivative, Phi(x) + x phi(x). Who uses one of them pays for that only.
  VIDEOMAE_INLINE Gelu gelu(Vec x) {
    Vec a = (Vec)((Mask)x & 0x7FFFFFFF);
    Vec t = 1.0f / (1.0f + 0.35f * a);
    Vec q = V::all(-0.02912596347f);
    q = q * t + 0.1438726965f;
    q = q * t - 0.2555054777f;
    q = q * t + 0.1589302818f;
    q = q * t - 0.02293777925f;
    q = q * t + 0.1054331879f;
    q = q * t + 0.1198523795f;
    q = q * t + 0.1398590894f;
    q = q * t + 0.1396215695f;
    Vec density = exp2_below(a * a * -0.7213475204f);  // e^(-x^2/2)
    Vec tail = density * (q * t);                      // Phi(-|x|)
    Vec below = x > 0.0f ? 1.0f - tail : tail;
    return {x * below, below + x * (density * 0.398942280f)};
  }
};

template <class Isa>
struct VectorMath<Isa, double> {
  using V = Vectors<Isa, double>;
  using Vec = typename V::Vec;

  VIDEOMAE_INLINE Vec exp(Vec x) {
    for (int i = 0; i < V::lanes; ++i) x[i] = __builtin_exp(x[i]);
    return x;
  }

  struct Gelu {
    Vec value, slope;
  };

  VIDEOMAE_INLINE Gelu gelu(Vec x) {
    Gelu y;
    for (int i = 0; i < V::lanes; ++i) {
      const double below = normal_cdf(x[i]);
      y.value[i] = x[i] * below;
      y.slope[i] = below + x[i] * (__builtin_exp(-0.5 * x[i] * x[i]) * 0.39894228040143267794);
    }
    return y;
  }

 private:
  VIDEOMAE_INLINE double normal_cdf(double x) { return 0.5 * __builtin_erfc(x * -0.70710678118654752440); }
};

}  // namespace videomae
