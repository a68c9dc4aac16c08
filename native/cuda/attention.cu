#include "cuda/attention_forward.cuh"
namespace videomae::cuda {
template __global__ void attention_forward_mma<RowTile<8>, 2>(AttentionForward);
template __global__ void attention_forward_mma<RowTile<10>, 2>(AttentionForward);
template __global__ void attention_forward_mma<RowTile<11>, 2>(AttentionForward);
template __global__ void attention_forward_mma<RowTile<16>, 1>(AttentionForward);
}
