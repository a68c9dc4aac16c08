// The attention kernels for AMX, of float and bf16. Floats that tiles cannot hold go to AVX-512.
// Compiled with the flags of that instruction set; called only when the processor has it.
#include "cpu/flash_attention_kernels.h"

#if defined(__x86_64__)
#include "cpu/flash_attention_tiles.h"
#include "cpu/tile_product_amx.h"

namespace videomae {

const AttentionKernels<float> kAttentionAmxF32 = TileAttention<float, AmxTileProduct<3>>::table(&kAttentionAvx512.f32);
const AttentionKernels<bf16> kAttentionAmxBf16 = TileAttention<bf16, AmxTileProduct<1>>::table(nullptr);

}  // namespace videomae
#endif
