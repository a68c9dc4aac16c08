// wgmma m64nNk16 (capability 9.0a): one warpgroup multiplies a 64 x 16 by a 16 x N matrix of bf16 and adds to N / 2 f32
// registers a thread. Fragments, descriptors and shared-memory tiles: wgmma_layout.h.
//
// It is asynchronous. Around a chain of calls:
//   tie_registers(a);    where A is in registers: they are written before the fence
//   wgmma_fence(d);      orders what was written to registers before
//   wgmma_shared<N, ...>(d, ...); ...
//   wgmma_commit();      closes the group
//   wgmma_wait<0>(d);    the group is over: d may be read, the operands overwritten
// Until then neither d nor A registers nor shared operands may be touched. Operands stored to shared memory by threads
// need fence_proxy_async_shared() and a barrier first; those that the copy engine loaded need only its mbarrier.
//
// The instruction's text needs one operand a register, so the preprocessor counts: WGMMA_REGISTERS_n names n registers.
#pragma once

#include "cuda/device/shared_address.cuh"
#include "cuda/device/wgmma_layout.h"

#if !VIDEOMAE_CUDA
#include "cuda/emu/wgmma.h"
#endif

namespace videomae::cuda {

/// Ties registers to this place: the compiler moves no access to them across it.
template <int count>
__device__ __forceinline__ void tie_registers(float (&d)[count]) {
#if VIDEOMAE_CUDA
#pragma unroll
  for (int i = 0; i < count; ++i) asm volatile("" : "+f"(d[i])::"memory");
#else
  (void)d;
#endif
}

template <int count>
__device__ __forceinline__ void tie_registers(uint32_t (&a)[count]) {
#if VIDEOMAE_CUDA
#pragma unroll
  for (int i = 0; i < count; ++i) asm volatile("" : "+r"(a[i])::"memory");
#else
  (void)a;
#endif
}

template <int count>
__device__ __forceinline__ void wgmma_fence(float (&d)[count]) {
  tie_registers(d);
#if VIDEOMAE_CUDA
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#else
  emu::wgmma_fence();
#endif
}

__device__ __forceinline__ void wgmma_commit() {
#if VIDEOMAE_CUDA
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#else
  emu::wgmma_commit();
#endif
}

/// Until at most the `pending` newest groups are under way.
template <int pending, int count>
__device__ __forceinline__ void wgmma_wait(float (&d)[count]) {
#if VIDEOMAE_CUDA
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
#else
  emu::wgmma_wait(pending);
#endif
  tie_registers(d);
}

#if VIDEOMAE_CUDA

/// The instruction for one N.
template <int n>
struct Wgmma;

// clang-format off
#define WGMMA_D4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define WGMMA_D16(i) WGMMA_D4(i), WGMMA_D4(i + 4), WGMMA_D4(i + 8), WGMMA_D4(i + 12)
#define WGMMA_REGISTERS_4 \
  "%0, %1, %2, %3"
#define WGMMA_REGISTERS_32 \
  WGMMA_REGISTERS_4 ", " \
  "%4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, " \
  "%24, %25, %26, %27, %28, %29, %30, %31"
#define WGMMA_REGISTERS_40 \
  WGMMA_REGISTERS_32 ", " \
  "%32, %33, %34, %35, %36, %37, %38, %39"
#define WGMMA_REGISTERS_44 \
  WGMMA_REGISTERS_40 ", " \
  "%40, %41, %42, %43"
#define WGMMA_REGISTERS_48 \
  WGMMA_REGISTERS_44 ", " \
  "%44, %45, %46, %47"
#define WGMMA_REGISTERS_64 \
  WGMMA_REGISTERS_48 ", " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define WGMMA_REGISTERS_80 \
  WGMMA_REGISTERS_64 ", " \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define WGMMA_REGISTERS_88 \
  WGMMA_REGISTERS_80 ", " \
  "%80, %81, %82, %83, %84, %85, %86, %87"
#define WGMMA_REGISTERS_96 \
  WGMMA_REGISTERS_88 ", " \
  "%88, %89, %90, %91, %92, %93, %94, %95"
#define WGMMA_REGISTERS_104 \
  WGMMA_REGISTERS_96 ", " \
  "%96, %97, %98, %99, %100, %101, %102, %103"
#define WGMMA_REGISTERS_128 \
  WGMMA_REGISTERS_104 ", " \
  "%104, %105, %106, %107, %108, %109, %110, %111, %112, %113, %114, %115, %116, %117, %118, %119, " \
  "%120, %121, %122, %123, %124, %125, %126, %127"
#define WGMMA_OPERANDS_4 WGMMA_D4(0)
#define WGMMA_OPERANDS_32 WGMMA_OPERANDS_4, WGMMA_D16(4), WGMMA_D4(20), WGMMA_D4(24), WGMMA_D4(28)
#define WGMMA_OPERANDS_40 WGMMA_OPERANDS_32, WGMMA_D4(32), WGMMA_D4(36)
#define WGMMA_OPERANDS_44 WGMMA_OPERANDS_40, WGMMA_D4(40)
#define WGMMA_OPERANDS_48 WGMMA_OPERANDS_44, WGMMA_D4(44)
#define WGMMA_OPERANDS_64 WGMMA_OPERANDS_48, WGMMA_D16(48)
#define WGMMA_OPERANDS_80 WGMMA_OPERANDS_64, WGMMA_D16(64)
#define WGMMA_OPERANDS_88 WGMMA_OPERANDS_80, WGMMA_D4(80), WGMMA_D4(84)
#define WGMMA_OPERANDS_96 WGMMA_OPERANDS_88, WGMMA_D4(88), WGMMA_D4(92)
#define WGMMA_OPERANDS_104 WGMMA_OPERANDS_96, WGMMA_D4(96), WGMMA_D4(100)
#define WGMMA_OPERANDS_128 WGMMA_OPERANDS_104, WGMMA_D16(104), WGMMA_D4(120), WGMMA_D4(124)
// clang-format on

// n, its registers, and the numbers of the operands behind them.
#define WGMMA(n, registers, p0, p1, p2, p3, p4, p5, p6)                                                         \
  template <>                                                                                                   \
  struct Wgmma<n> {                                                                                             \
    template <Major a_major, Major b_major>                                                                     \
    static __device__ __forceinline__ void shared(float (&d)[n / 2], uint64_t a, uint64_t b, int accumulate) {  \
      asm volatile(                                                                                             \
          "{ .reg .pred p;\n"                                                                                   \
          "  setp.ne.b32 p, %" #p2                                                                              \
          ", 0;\n"                                                                                              \
          "  wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 {" WGMMA_REGISTERS_##registers            \
          "}, %" #p0 ", %" #p1 ", p, 1, 1, %" #p3 ", %" #p4 "; }"                                               \
          : WGMMA_OPERANDS_##registers                                                                          \
          : "l"(a), "l"(b), "r"(accumulate), "n"(static_cast<int>(a_major)), "n"(static_cast<int>(b_major))     \
          : "memory");                                                                                          \
    }                                                                                                           \
    template <Major b_major>                                                                                    \
    static __device__ __forceinline__ void registers_a(float (&d)[n / 2], const uint32_t (&a)[4], uint64_t b,   \
                                                       int accumulate) {                                        \
      asm volatile(                                                                                             \
          "{ .reg .pred p;\n"                                                                                   \
          "  setp.ne.b32 p, %" #p5                                                                              \
          ", 0;\n"                                                                                              \
          "  wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 {" WGMMA_REGISTERS_##registers            \
          "}, {%" #p0 ", %" #p1 ", %" #p2 ", %" #p3 "}, %" #p4 ", p, 1, 1, %" #p6 "; }"                         \
          : WGMMA_OPERANDS_##registers                                                                          \
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate), "n"(static_cast<int>(b_major)) \
          : "memory");                                                                                          \
    }                                                                                                           \
  };

WGMMA(8, 4, 4, 5, 6, 7, 8, 9, 10)
WGMMA(64, 32, 32, 33, 34, 35, 36, 37, 38)
WGMMA(80, 40, 40, 41, 42, 43, 44, 45, 46)
WGMMA(88, 44, 44, 45, 46, 47, 48, 49, 50)
WGMMA(96, 48, 48, 49, 50, 51, 52, 53, 54)
WGMMA(128, 64, 64, 65, 66, 67, 68, 69, 70)
WGMMA(160, 80, 80, 81, 82, 83, 84, 85, 86)
WGMMA(176, 88, 88, 89, 90, 91, 92, 93, 94)
WGMMA(192, 96, 96, 97, 98, 99, 100, 101, 102)
WGMMA(208, 104, 104, 105, 106, 107, 108, 109, 110)
WGMMA(256, 128, 128, 129, 130, 131, 132, 133, 134)

#undef WGMMA
#undef WGMMA_D4
#undef WGMMA_D16

#endif

/// d += a b, or d = a b when `accumulate` is 0. Both operands in shared memory, as encode(WgmmaDescriptor) describes.
template <int n, Major a_major, Major b_major>
__device__ __forceinline__ void wgmma_shared(float (&d)[n / 2], uint64_t a, uint64_t b, int accumulate) {
#if VIDEOMAE_CUDA
  Wgmma<n>::template shared<a_major, b_major>(d, a, b, accumulate);
#else
  emu::wgmma_issue(d, n, nullptr, a, a_major, b, b_major, accumulate != 0);
#endif
}

/// Likewise, with A in registers as wgmma_a_place() says.
template <int n, Major b_major>
__device__ __forceinline__ void wgmma_registers(float (&d)[n / 2], const uint32_t (&a)[4], uint64_t b, int accumulate) {
#if VIDEOMAE_CUDA
  Wgmma<n>::template registers_a<b_major>(d, a, b, accumulate);
#else
  emu::wgmma_issue(d, n, a, 0, Major::k, b, b_major, accumulate != 0);
#endif
}

}  // namespace videomae::cuda
