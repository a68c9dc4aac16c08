// The bf16 product for AVX-512 with vdpbf16ps: 14 x 32 sums in registers, to each of which a pair of products is added.
// The instruction rounds after each product, takes denormal numbers for zero and flushes denormal sums.
// Compiled with the flags of that instruction set; called only when the processor has it.
#include "cpu/gemm_kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "cpu/gemm_pairs.h"

namespace videomae {
namespace {

struct Avx512Bf16 {
  static constexpr int vector_bytes = 64;
  static constexpr bool rounds_bf16 = true;
};

struct DotFormat {
  static constexpr int rows = 14, columns = 32, sums = 1;
  static constexpr int64_t kStep = 16;  // pairs of a panel of A for each i
  static constexpr int64_t a_pitch = kStep * sizeof(bf16), b_pitch = columns * sizeof(bf16);
  static constexpr int64_t deepest = 1024, depth_unit = 2;
  static constexpr int64_t panel_bytes = 384 << 10;  // as gemm_wide.h
  static constexpr int64_t few_panels = 12, chunk_panels = 12;
  static constexpr int64_t step_depth = 2;  // of the multiplication loop
  using Packing = PairPacking<Avx512Bf16>;

  struct Session {};

  static void pack_a(const GemmOperand<bf16>& a, PanelRange panels, int64_t k0, int64_t depth, void* to) {
    Packing::by_pair<rows, kStep>(a, panels, k0, (depth + 1) / 2 * 2, to);
  }
  static void pack_b(const GemmOperand<bf16>& b, PanelRange panels, int64_t k0, int64_t depth, void* to) {
    Packing::by_pair<columns, columns>(b, panels, k0, (depth + 1) / 2 * 2, to);
  }

  template <class Epilogue>
  static void multiply(int64_t height, int64_t depth, const void* a, const void* b, float* to, bool add,
                       const Ahead& ahead, Epilogue&) {
    run_dot(height, depth / 2, static_cast<const uint32_t*>(a), static_cast<const uint32_t*>(b), to, add, ahead);
  }

 private:
  template <int Rows = rows>
  static void run_dot(int64_t height, int64_t pairs, const uint32_t* a, const uint32_t* b, float* to, bool add,
                      const Ahead& ahead) {
    if constexpr (Rows > 1)
      if (height < Rows) return run_dot<Rows - 1>(height, pairs, a, b, to, add, ahead);
    dot<Rows>(pairs, a, b, to, add, ahead);
  }

  template <int Rows>
  [[gnu::noinline]] static void dot(int64_t pairs, const uint32_t* a, const uint32_t* b, float* to, bool add,
                                    const Ahead& ahead) {
    __m512 sum[Rows][2];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      sum[i][0] = add ? _mm512_loadu_ps(to + i * columns) : _mm512_setzero_ps();
      sum[i][1] = add ? _mm512_loadu_ps(to + i * columns + 16) : _mm512_setzero_ps();
    }
    const auto step = [&]() __attribute__((always_inline)) {
      const auto b0 = (__m512bh)_mm512_loadu_si512(b), b1 = (__m512bh)_mm512_loadu_si512(b + 16);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
        const auto pair = (__m512bh)_mm512_set1_epi32(static_cast<int>(a[i]));
        sum[i][0] = _mm512_dpbf16_ps(sum[i][0], pair, b0);
        sum[i][1] = _mm512_dpbf16_ps(sum[i][1], pair, b1);
      }
      a += kStep, b += columns;
    };
    Ahead::run(ahead, pairs, step);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      _mm512_storeu_ps(to + i * columns, sum[i][0]);
      _mm512_storeu_ps(to + i * columns + 16, sum[i][1]);
    }
  }
};

}  // namespace

const GemmKernels<bf16> kGemmAvx512Bf16 = GemmKernel<Avx512Bf16, bf16, DotFormat>::table();

}  // namespace videomae
#endif
