// The bf16 product on AMX tiles: a block of C is 2 x 2 tiles of 16 x 16 sums, to which tdpbf16ps adds products of 16 rows
// by 32 k and 32 k by 16 columns. Two tiles of each operand serve four multiplications, so a step of 32 k reads 4 KB in 64
// cycles: too much for the second-level cache alone. The panel that stays (512 k x 32 lines, 32 KB) is therefore loaded
// to live in the first-level cache, and the passing one with the hint that it will not be read again: measured, 90 % of
// what tiles multiply without any loads; without the hint 63 %.
// The instruction takes denormal numbers for zero and flushes denormal sums.
// Compiled with the flags of that instruction set; called only when the processor has it and Linux lends the tiles
// (core/instruction_set.cpp).
#include "cpu/gemm_kernel.h"

#if defined(__x86_64__)
#include "cpu/amx.h"
#include "cpu/gemm_pairs.h"

namespace videomae {
namespace {

struct Avx512 {
  static constexpr int vector_bytes = 64;
};

struct TileFormat {
  static constexpr int rows = 32, columns = 32;
  static constexpr int64_t a_pitch = rows * sizeof(bf16), b_pitch = columns * sizeof(bf16);
  static constexpr int64_t deepest = 512, depth_unit = 32;
  using Packing = PairPacking<Avx512>;

  using Session = amx::Session;

  static int64_t padded(int64_t depth) { return (depth + depth_unit - 1) / depth_unit * depth_unit; }

  static void pack_a(const GemmOperand<bf16>& a, PanelRange panels, int64_t k0, int64_t depth, void* to) {
    Packing::by_line<rows>(a, panels, k0, padded(depth), static_cast<uint32_t*>(to));
  }
  static void pack_b(const GemmOperand<bf16>& b, PanelRange panels, int64_t k0, int64_t depth, void* to) {
    Packing::by_pair<columns, columns>(b, panels, k0, padded(depth), static_cast<uint32_t*>(to));
  }

  template <class Epilogue>
  static void multiply(int64_t, int64_t depth, const void* panel_a, const void* panel_b, float* sums, bool add,
                       Epilogue& epilogue) {
    constexpr int64_t kSumPitch = columns * sizeof(float), kBPitch = columns * 4, kTile = 1024;
    const char *a = static_cast<const char*>(panel_a), *b = static_cast<const char*>(panel_b);
    if (add) {
      amx::load<0>(sums, kSumPitch), amx::load<1>(sums + 16, kSumPitch);
      amx::load<2>(sums + 16 * columns, kSumPitch), amx::load<3>(sums + 16 * columns + 16, kSumPitch);
    } else {
      amx::zero<0>(), amx::zero<1>(), amx::zero<2>(), amx::zero<3>();
    }
    for (int64_t k = 0; k < depth; k += depth_unit, a += 2 * kTile, b += 2 * kTile) {
      amx::load<4>(a, 64);
      amx::load_passing<6>(b, kBPitch);
      amx::multiply<0, 4, 6>();
      amx::load_passing<7>(b + 64, kBPitch);
      amx::multiply<1, 4, 7>();
      amx::load<5>(a + kTile, 64);
      amx::multiply<2, 5, 6>();
      amx::multiply<3, 5, 7>();
      epilogue.advance(), epilogue.advance();
    }
    amx::store<0>(sums, kSumPitch), amx::store<1>(sums + 16, kSumPitch);
    amx::store<2>(sums + 16 * columns, kSumPitch), amx::store<3>(sums + 16 * columns + 16, kSumPitch);
  }
};

}  // namespace

const GemmKernels<bf16> kGemmAmx = GemmKernel<Avx512, bf16, TileFormat>::table();

}  // namespace videomae
#endif
