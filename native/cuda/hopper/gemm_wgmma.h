// bf16 products on Hopper: wgmma fed by the copy engine (gemm_wgmma.cuh), as variants of the kernels of gemm.cu.
#pragma once

#include "cuda/gemm.h"

namespace videomae::cuda {

template <class T>
struct Epilogue;  // gemm_epilogue.cuh

/// The tiles of C that there are kernels for (gemm_wgmma_tile.h).
enum class WgmmaTiles { m128n256, m128n192, m128n128 };

/// Whether the device has the instructions, and the copy engine can read A and B: k is not 0, and both begin at, and
/// have rows and batch items apart by, multiples of 16 bytes.
bool wgmma_serves(const Context& context, const Gemm& product);

/// Starts the main kernel of a bf16 product for which wgmma_serves(). @param part_step  elements of C between parts
/// @returns rows of the partial column sums
int64_t start_wgmma(const Context& context, WgmmaTiles tiles, const Gemm& product, const Epilogue<bf16>& epilogue,
                    int parts, int64_t part_step);

}  // namespace videomae::cuda
