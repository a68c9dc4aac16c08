#include "cuda/attention_forward.cuh"
#include "cuda/attention_backward.cuh"
namespace videomae::cuda {
template __global__ void attention_forward_mma<RowTile<8>, false>(AttentionForwardArguments);
template __global__ void attention_forward_mma<RowTile<10>, false>(AttentionForwardArguments);
template __global__ void attention_forward_mma<RowTile<11>, false>(AttentionForwardArguments);
template __global__ void attention_forward_mma<RowTile<16>,false>(AttentionForwardArguments);
template __global__ void attention_forward_mma<RowTile<8>, true>(AttentionForwardArguments);
template __global__ void attention_forward_mma<RowTile<16>,true>(AttentionForwardArguments);
#define B(n,g) template __global__ void attention_backward_mma<RowTile<n>, false,g>(AttentionBackwardArguments);template __global__ void attention_backward_mma<RowTile<n>, true,g>(AttentionBackwardArguments);
B(8,false)
B(10,false)
B(11,false)
B(16,false)
B(8,true)
B(16,true)
}
#include "cuda/attention_backward_head.cuh"
namespace videomae::cuda {
template __global__ void attention_backward_head_mma<RowTile<8>>(AttentionBackwardArguments);
template __global__ void attention_backward_head_mma<RowTile<10>>(AttentionBackwardArguments);
template __global__ void attention_backward_head_mma<RowTile<11>>(AttentionBackwardArguments);
template __global__ void attention_backward_head_mma<RowTile<16>>(AttentionBackwardArguments);
}
