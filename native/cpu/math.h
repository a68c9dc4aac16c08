// exp, the erf-form GELU and its derivative, lane-wise on a vector. float: own approximations, written for vector
// registers; double: the C library lane by lane (the reference path). No standard include: see vectors.h.
//   exp:  x = n ln 2 + r, |r| <= ln 2 / 2; degree-6 minimax e^r (3e-9) times 2^n. Relative error < 2e-7 from -86.5 up;
//         below it the result is 0, from 88.73 up it is infinite; NaN stays NaN.
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

  /// Phi(-|x|) and, through `density`, e^(-x^2/2).
  VIDEOMAE_INLINE Vec lower_tail(Vec x, Vec* density) {
    Vec a = x < 0.0f ? -x : x;
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
    *density = exp(a * a * -0.5f);
    return *density * (q * t);
  }

  /// x Phi(x)
  VIDEOMAE_INLINE Vec gelu(Vec x) {
    Vec density;
    Vec tail = lower_tail(x, &density);
    return x * (x > 0.0f ? 1.0f - tail : tail);
  }

  /// Phi(x) + x phi(x)
  VIDEOMAE_INLINE Vec gelu_derivative(Vec x) {
    Vec density;
    Vec tail = lower_tail(x, &density);
    return (x > 0.0f ? 1.0f - tail : tail) + x * (density * 0.398942280f);
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

  VIDEOMAE_INLINE Vec gelu(Vec x) {
    for (int i = 0; i < V::lanes; ++i) x[i] *= normal_cdf(x[i]);
    return x;
  }

  VIDEOMAE_INLINE Vec gelu_derivative(Vec x) {
    for (int i = 0; i < V::lanes; ++i) {
      double density = __builtin_exp(-0.5 * x[i] * x[i]) * 0.39894228040143267794;
      x[i] = normal_cdf(x[i]) + x[i] * density;
    }
    return x;
  }

 private:
  VIDEOMAE_INLINE double normal_cdf(double x) { return 0.5 * __builtin_erfc(x * -0.70710678118654752440); }
};

}  // namespace videomae
