// Tensor-core products of a warp and the matrix loads and stores that feed them, as mma_layout.h says.
#pragma once

#include <cstdint>

namespace videomae::cuda::emu {

/// d = a b + c, m16n8k16: each element is c, then the products of k = 0 to 15 added one after another in f32. The
/// hardware's grouping of these additions differs, and is not documented.
void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], const float (&c)[4]);

/// d += a b for one such step, in that order.
void add_products(float (&d)[16][8], const float (&a)[16][16], const float (&b)[16][8]);

void ldmatrix(uint32_t* registers, int count, bool transposed, const void* row);
void stmatrix(void* row, const uint32_t* registers, int count, bool transposed);

}  // namespace videomae::cuda::emu
