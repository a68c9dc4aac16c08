// Every block reads the value of all ranks and writes its own, plus 1000, into the next one's memory. The last barrier
// keeps shared memory alive until all have read it.
#include "cuda/device/cluster.cuh"
#include "cuda/probe/cluster.h"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/probe.h"

namespace videomae::probe {

__global__ void cluster_sights(ClusterSight* out) {
  uint32_t& value = *shared_memory<uint32_t>(0);
  uint32_t& received = *shared_memory<uint32_t>(4);
  const uint32_t rank = cuda::cluster_rank(), size = cuda::cluster_size();
  if (threadIdx.x == 0) value = 100 + 7 * blockIdx.x;
  cuda::cluster_sync();
  ClusterSight& sight = out[blockIdx.x];
  if (threadIdx.x < kClusterLargest) {
    sight.read[threadIdx.x] = threadIdx.x < size ? static_cast<int>(cuda::cluster_load(&value, threadIdx.x)) : -1;
  }
  if (threadIdx.x == 0) cuda::cluster_store(&received, (rank + 1) % size, value + 1000);
  cuda::cluster_sync();
  if (threadIdx.x == 0) {
    sight.rank = static_cast<int>(rank), sight.size = static_cast<int>(size);
    sight.received = static_cast<int>(received);
  }
}

void observe_cluster(Report& report) {
  for (const int size : kClusterSizes) {
    Buffer<ClusterSight> out(kClusterBlocks, 0xEE);
    launch(context, cluster_sights, {dim3(kClusterBlocks), dim3(64), 8, size}, out.data());
    finish("cluster_sights");
    write_cluster(report, size, out.read());
  }
}

}  // namespace videomae::probe
