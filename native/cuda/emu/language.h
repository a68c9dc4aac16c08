// The words of CUDA C++ for a host compiler: qualifiers, indices, vector types, and the functions of the device's
// headers that kernels use. Only words of one meaning on both sides belong here; whatever synchronises, exchanges or
// copies is a wrapper of cuda/device.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) __attribute__((aligned(bytes)))

struct uint3 {
  unsigned x, y, z;
};

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

/// The running thread's; the scheduler sets them when it resumes one.
inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;

// ---- vector types, aligned as CUDA's: a misaligned access is an error on both sides ----

#define VIDEOMAE_VECTORS(T, name)                                               \
  struct alignas(2 * sizeof(T)) name##2 { T x, y; };                            \
  struct alignas(sizeof(T) < 8 ? 4 * sizeof(T) : 16) name##4 { T x, y, z, w; }; \
  constexpr name##2 make_##name##2(T x, T y) { return {x, y}; }                 \
  constexpr name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
VIDEOMAE_VECTORS(float, float)
VIDEOMAE_VECTORS(double, double)
VIDEOMAE_VECTORS(int32_t, int)
VIDEOMAE_VECTORS(uint32_t, uint)
VIDEOMAE_VECTORS(int16_t, short)
VIDEOMAE_VECTORS(uint16_t, ushort)
VIDEOMAE_VECTORS(int8_t, char)
VIDEOMAE_VECTORS(uint8_t, uchar)
#undef VIDEOMAE_VECTORS

// ---- bits ----

namespace videomae::cuda::emu {
template <class To, class From>
inline To same_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}
}  // namespace videomae::cuda::emu

inline uint32_t __float_as_uint(float x) { return videomae::cuda::emu::same_bits<uint32_t>(x); }
inline int32_t __float_as_int(float x) { return videomae::cuda::emu::same_bits<int32_t>(x); }
inline float __uint_as_float(uint32_t x) { return videomae::cuda::emu::same_bits<float>(x); }
inline float __int_as_float(int32_t x) { return videomae::cuda::emu::same_bits<float>(x); }
inline long long __double_as_longlong(double x) { return videomae::cuda::emu::same_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return videomae::cuda::emu::same_bits<double>(x); }
inline int __popc(uint32_t x) { return __builtin_popcount(x); }
inline int __clz(int32_t x) { return x ? __builtin_clz(static_cast<uint32_t>(x)) : 32; }
inline int __ffs(int32_t x) { return __builtin_ffs(x); }
inline uint32_t __umulhi(uint32_t a, uint32_t b) { return static_cast<uint32_t>(static_cast<uint64_t>(a) * b >> 32); }
inline uint64_t __umul64hi(uint64_t a, uint64_t b) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b >> 64);
}

// ---- arithmetic ----

using std::isfinite;
using std::max;
using std::min;

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline double cospi(double x) { return std::cos(3.14159265358979323846 * x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }

/// Rounded by themselves: never contracted into a multiply-add.
__attribute__((optimize("fp-contract=off"), noinline)) inline float __fmul_rn(float a, float b) { return a * b; }
__attribute__((optimize("fp-contract=off"), noinline)) inline float __fadd_rn(float a, float b) { return a + b; }
__attribute__((optimize("fp-contract=off"), noinline)) inline float __fsub_rn(float a, float b) { return a - b; }
__attribute__((optimize("fp-contract=off"), noinline)) inline double __dmul_rn(double a, double b) { return a * b; }
__attribute__((optimize("fp-contract=off"), noinline)) inline double __dadd_rn(double a, double b) { return a + b; }

inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
inline int __float2int_rd(float x) { return static_cast<int>(std::floor(x)); }

// ---- what has no meaning where threads take turns ----

inline void __threadfence() {}

/// Nanoseconds, in place of the clock of a multiprocessor.
inline long long clock64() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// ---- loads with a hint ----

template <class T>
inline T __ldg(const T* p) {
  return *p;
}
template <class T>
inline T __ldcs(const T* p) {
  return *p;
}
template <class T>
inline void __stcs(T* p, T value) {
  *p = value;
}
