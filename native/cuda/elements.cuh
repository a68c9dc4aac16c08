// What kernels that go over elements share: runs of neighbouring elements as floats, and the launches that cover a
// tensor. A run is 16 bytes of T where pointers and widths allow it, else one element; a kernel is a template over its
// length and the launch chooses.
#pragma once

#include <initializer_list>
#include <type_traits>

#include "core/error.h"
#include "cuda/device/bfloat16.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/kernels.h"

namespace videomae::cuda {

/// Calls body(T{}) with the C++ type of f32 or bf16. Throws Error for f64.
template <class F>
void with_real(const char* op, DType dtype, F&& body) {
  if (dtype == DType::f32)
    body(float{});
  else if (dtype == DType::bf16)
    body(bf16{});
  else
    throw Error(op, "f32 or bf16 on a GPU", name_of(dtype), "f64 is for checks on the CPU");
}

/// Elements of T in 16 bytes.
template <class T>
constexpr int vector_width = 16 / sizeof(T);

template <int width>
struct Floats {
  float at[width];
};

/// Bytes that a run of `width` elements is aligned to: those of the widest loads it takes.
template <class T, int width>
constexpr size_t run_alignment = sizeof(T) * width < 16 ? sizeof(T) * width : 16;

template <class T, int width>
struct alignas(run_alignment<T, width>) Run {
  T at[width];
};

/// A run of T in registers as it is stored: bf16 in pairs where there are pairs.
template <int width, class T>
constexpr int elements_of_word = sizeof(T) == 2 && width % 2 == 0 ? 2 : 1;
template <int width, class T>
using StoredRun =
    Run<std::conditional_t<elements_of_word<width, T> == 2, uint32_t, T>, width / elements_of_word<width, T>>;

/// The elements p[0 ... width), which begin at a multiple of run_alignment.
template <int width, class T>
__device__ __forceinline__ StoredRun<width, T> load_run(const T* p) {
  return *reinterpret_cast<const StoredRun<width, T>*>(p);
}

template <int width, class T, std::enable_if_t<!std::is_same_v<T, uint32_t>, int> = 0>
__device__ __forceinline__ Floats<width> floats_of(const Run<T, width>& run) {
  Floats<width> values;
#pragma unroll
  for (int j = 0; j < width; ++j) values.at[j] = cuda::to_float(run.at[j]);
  return values;
}

template <int width, int words>
__device__ __forceinline__ Floats<width> floats_of(const Run<uint32_t, words>& pairs) {
  static_assert(width == 2 * words, "two bf16 a word");
  Floats<width> values;
#pragma unroll
  for (int j = 0; j < words; ++j) {
    const float2 pair = unpack_bf16(pairs.at[j]);
    values.at[2 * j] = pair.x, values.at[2 * j + 1] = pair.y;
  }
  return values;
}

template <int width, class T>
__device__ __forceinline__ Floats<width> load_floats(const T* p) {
  return floats_of<width>(load_run<width>(p));
}

/// Each element rounded to T.
template <class T, int width>
__device__ __forceinline__ StoredRun<width, T> stored(const Floats<width>& values) {
  StoredRun<width, T> run;
  if constexpr (elements_of_word<width, T> == 2) {
#pragma unroll
    for (int j = 0; j < width / 2; ++j) run.at[j] = pack_bf16(values.at[2 * j], values.at[2 * j + 1]);
  } else {
#pragma unroll
    for (int j = 0; j < width; ++j) run.at[j] = from_float<T>(values.at[j]);
  }
  return run;
}

/// Rounds once and writes p[0 ... width).
template <int width, class T>
__device__ __forceinline__ void store_floats(T* p, const Floats<width>& values) {
  *reinterpret_cast<StoredRun<width, T>*>(p) = stored<T>(values);
}

/// The same where only the first `left` elements are there; the others are 0.
template <int width, class T>
__device__ __forceinline__ Floats<width> load_floats(const T* p, int64_t left) {
  if (left >= width) return load_floats<width>(p);
  Floats<width> values;
#pragma unroll
  for (int j = 0; j < width; ++j) values.at[j] = j < left ? cuda::to_float(p[j]) : 0.0f;
  return values;
}

template <int width, class T>
__device__ __forceinline__ void store_floats(T* p, const Floats<width>& values, int64_t left) {
  if (left >= width) return store_floats<width>(p, values);
#pragma unroll
  for (int j = 0; j < width; ++j)
    if (j < left) p[j] = from_float<T>(values.at[j]);
}

/// Whether every pointer is a multiple of `bytes`; null is.
inline bool aligned(size_t bytes, std::initializer_list<const void*> pointers) {
  for (const void* p : pointers)
    if (reinterpret_cast<uintptr_t>(p) % bytes != 0) return false;
  return true;
}

/// Calls body with the length of a run as an integral_constant: vector_width<T> if `wide`, else 1.
template <class T, class F>
void with_width(bool wide, F&& body) {
  if (wide)
    body(std::integral_constant<int, vector_width<T>>{});
  else
    body(std::integral_constant<int, 1>{});
}

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The thread's number in a grid along x.
__device__ __forceinline__ int64_t thread_number() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

/// Throws Error unless a dtype is f32, as operands are that infer() has checked to be f32 or f64.
inline void check_f32(const char* op, DType dtype) {
  if (dtype != DType::f32) throw Error(op, "f32 on a GPU", name_of(dtype), "f64 is for checks on the CPU");
}

/// Starts a kernel with at least `threads` threads in a row; none when there is nothing to do.
template <class... Parameters, class... Arguments>
void launch_threads(const Context& context, void (*kernel)(Parameters...), int64_t threads, Arguments... arguments) {
  constexpr unsigned block = 256;
  if (threads <= 0) return;
  launch(context, kernel, Launch{dim3(static_cast<unsigned>(ceil_div(threads, block))), dim3(block)}, arguments...);
}

}  // namespace videomae::cuda
