// The products on AMX tiles: a block of C is 2 x 2 tiles of 16 x 16 sums, to which tdpbf16ps adds products of 16 rows
// by 32 k and 32 k by 16 columns. Two tiles of each operand serve four multiplications. The panel of A stays in the
// first-level cache; the panels of B that pass by it are loaded with the hint that they will not be read again soon.
// The instruction takes denormal numbers for zero and flushes denormal sums.
//
// bf16: as it is. f32: each number is the sum of three bf16 numbers, a = a0 + a1 + a2 (gemm_split.h), and of the nine
// products of parts the six largest are added: a0 b0 in one sum, and a1 b0, a0 b1, a1 b1, a2 b0, a0 b2 in another,
// which is 2^-8 of it, so that its roundings do not count. The three left out are below 2^-24 of |a| |b|, the rounding
// of one f32 product. So this is f32 arithmetic at a sixth of the tiles' rate, which is 2.6 times that of fused
// multiply-adds on AVX-512. Where an operand is infinite the result is NaN.
//
// Compiled with the flags of that instruction set; called only when the processor has it and Linux lends the tiles
// (core/instruction_set.cpp).
#include "cpu/gemm_kernel.h"

#if defined(__x86_64__)
#include "cpu/amx.h"
#include "cpu/gemm_pairs.h"
#include "cpu/gemm_split.h"

namespace videomae {
namespace {

struct Avx512Bf16 {
  static constexpr int vector_bytes = 64;
  static constexpr bool rounds_bf16 = true;
};

template <class T>
struct TileFormat {
  using Session = amx::Session;
  static constexpr int rows = 32, columns = 32, parts = sizeof(T) == 4 ? 3 : 1, sums = parts == 1 ? 1 : 2;
  static constexpr int64_t a_pitch = rows * parts * sizeof(bf16), b_pitch = columns * parts * sizeof(bf16);
  static constexpr int64_t deepest = parts == 1 ? 512 : 384, depth_unit = 32;
  static constexpr int64_t panel_bytes = 1 << 20;  // of the 2 MB that processors with tiles have
  static constexpr int64_t few_panels = 4, chunk_panels = 8;
  static constexpr int64_t step_depth = 0;  // asks for memory by way of the epilogue

  static int64_t padded(int64_t depth) { return (depth + depth_unit - 1) / depth_unit * depth_unit; }

  static void pack_a(const GemmOperand<T>& a, PanelRange panels, int64_t k0, int64_t depth, void* to) {
    if constexpr (parts == 3)
      SplitPacking<Avx512Bf16>::by_line<rows>(a, panels, k0, padded(depth), to);
    else
      PairPacking<Avx512Bf16>::by_line<rows>(a, panels, k0, padded(depth), to);
  }
  static void pack_b(const GemmOperand<T>& b, PanelRange panels, int64_t k0, int64_t depth, void* to) {
    if constexpr (parts == 3)
      SplitPacking<Avx512Bf16>::by_pair<columns>(b, panels, k0, padded(depth), to);
    else
      PairPacking<Avx512Bf16>::by_pair<columns, columns>(b, panels, k0, padded(depth), to);
  }

  template <class Epilogue>
  static void multiply(int64_t, int64_t depth, const void* panel_a, const void* panel_b, float* to, bool add,
                       const Ahead&, Epilogue& epilogue) {
    const char *a = static_cast<const char*>(panel_a), *b = static_cast<const char*>(panel_b);
    if constexpr (parts == 3) {
      float* small = to + rows * columns;
      begin(small, add);
      for (int64_t k = 0; k < depth; k += depth_unit, a += parts * kPart, b += parts * kPart) {
        load_a(a + 2 * kPart), load_b(b);
        multiply_tiles();
        load_a(a + kPart);
        multiply_tiles();
        load_b(b + kPart);
        multiply_tiles();
        epilogue.advance(), epilogue.advance();
        load_a(a);
        multiply_tiles();
        load_b(b + 2 * kPart);
        multiply_tiles();
        epilogue.advance(), epilogue.advance();
      }
      end(small);
      a = static_cast<const char*>(panel_a), b = static_cast<const char*>(panel_b);
    }
    begin(to, add);
    if (depth > 0) load_a(a), load_b(b);
    for (int64_t k = 0; k < depth; k += depth_unit) {
      // A tile's next content is asked for as soon as its last product has begun. The last step's is never used.
      const int64_t next = k + depth_unit < depth ? parts * kPart : 0;
      a += next, b += next;
      amx::multiply<0, 4, 6>(), amx::multiply<1, 4, 7>(), amx::load<4>(a, 64);
      amx::multiply<2, 5, 6>(), amx::load_passing<6>(b, kBPitch);
      amx::multiply<3, 5, 7>(), amx::load<5>(a + kTile, 64), amx::load_passing<7>(b + 64, kBPitch);
      epilogue.advance(), epilogue.advance();
    }
    end(to);
  }

 private:
  static constexpr int64_t kTile = 1024, kPart = 2 * kTile;  // bytes; of the two tiles of a part for 32 k
  static constexpr int64_t kSumPitch = columns * sizeof(float), kBPitch = columns * 4;

  // Sums in tiles 0 to 3, A in 4 and 5, B in 6 and 7.
  VIDEOMAE_INLINE void begin(const float* from, bool add) {
    if (!add) return amx::zero<0>(), amx::zero<1>(), amx::zero<2>(), amx::zero<3>();
    amx::load<0>(from, kSumPitch), amx::load<1>(from + 16, kSumPitch);
    amx::load<2>(from + 16 * columns, kSumPitch), amx::load<3>(from + 16 * columns + 16, kSumPitch);
  }
  VIDEOMAE_INLINE void end(float* to) {
    amx::store<0>(to, kSumPitch), amx::store<1>(to + 16, kSumPitch);
    amx::store<2>(to + 16 * columns, kSumPitch), amx::store<3>(to + 16 * columns + 16, kSumPitch);
  }
  VIDEOMAE_INLINE void load_a(const char* a) { amx::load<4>(a, 64), amx::load<5>(a + kTile, 64); }
  VIDEOMAE_INLINE void load_b(const char* b) {
    amx::load_passing<6>(b, kBPitch), amx::load_passing<7>(b + 64, kBPitch);
  }
  VIDEOMAE_INLINE void multiply_tiles() {
    amx::multiply<0, 4, 6>(), amx::multiply<1, 4, 7>(), amx::multiply<2, 5, 6>(), amx::multiply<3, 5, 7>();
  }
};

}  // namespace

const GemmKernels<bf16> kGemmAmx = GemmKernel<Avx512Bf16, bf16, TileFormat<bf16>>::table();
const GemmKernels<float> kGemmAmxF32 = GemmKernel<Avx512Bf16, float, TileFormat<float>>::table();

}  // namespace videomae
#endif
