// The attention kernels of bf16 for AVX-512 with vdpbf16ps, on tiles as they lie for AMX.
// Compiled with the flags of that instruction set; called only when the processor has it.
#include "cpu/flash_attention_kernels.h"

#if defined(__x86_64__)
#include "cpu/flash_attention_tiles.h"
#include "cpu/tile_product_dot.h"

namespace videomae {

const AttentionKernels<bf16> kAttentionAvx512Bf16 = TileAttention<bf16, DotTileProduct>::table(nullptr);

}  // namespace videomae
#endif
