// Planted bugs of what works beside threads: asynchronous copies, the asynchronous proxy, tensor cores, clusters.
#include "cuda/device/bfloat16.cuh"
#include "cuda/device/bulk_copy.cuh"
#include "cuda/device/bulk_reduce.cuh"
#include "cuda/device/cluster.cuh"
#include "cuda/device/cp_async.cuh"
#include "cuda/device/ldmatrix.cuh"
#include "cuda/device/mma_layout.h"
#include "cuda/device/mma_sync.cuh"
#include "cuda/device/wgmma.cuh"
#include "test/planted_bug.cuh"

namespace videomae::cuda {
namespace {

// ---- asynchronous copies ----

template <bool planted>
__global__ void missing_cp_async_wait(int* y, const int* x) {
  int* shared = shared_memory<int>();
  const int i = static_cast<int>(threadIdx.x);
  cp_async<4>(shared + i, x + i);
  cp_async_commit();
  if (!planted) cp_async_wait<0>();
  block_sync();
  y[i] = shared[kThreads - 1 - i];
}

template <bool planted>
__global__ void cp_async_without_barrier(int* y, const int* x) {
  int* shared = shared_memory<int>();
  const int i = static_cast<int>(threadIdx.x);
  cp_async<4>(shared + i, x + i);
  cp_async_commit();
  cp_async_wait<0>();
  if (!planted) block_sync();
  y[i] = shared[kThreads - 1 - i];
}

template <bool planted>
__global__ void wait_for_a_newer_group(int* y, const int* x) {
  int* shared = shared_memory<int>();
  const int i = static_cast<int>(threadIdx.x);
  for (int group = 0; group < 2; ++group) {
    cp_async<4>(shared + group * kThreads + i, x + i);
    cp_async_commit();
  }
  cp_async_wait<planted ? 1 : 0>();
  block_sync();
  y[i] = shared[2 * kThreads - 1 - i];
}

template <bool planted>
__global__ void misaligned_cp_async(int* y, const int* x) {
  int* shared = shared_memory<int>();
  const int i = static_cast<int>(threadIdx.x);
  cp_async<16>(shared + 4 * i, x + 4 * i + (planted && i == 2 ? 1 : 0));
  cp_async_commit();
  cp_async_wait<0>();
  y[i] = shared[4 * i] / 4;
}

/// Two rounds of a bulk copy of 512 bytes into one buffer.
template <int bug>
__global__ void bulk_rounds(int* y, const int* x) {
  int* shared = shared_memory<int>();
  Mbarrier* barrier = shared_memory<Mbarrier>(512);
  const int i = static_cast<int>(threadIdx.x);
  if (i == 0) {
    mbarrier_init(barrier, 1);
    if (bug != 4) fence_mbarrier_init();
  }
  if (bug != 5) block_sync();
  int sum = 0;
  for (int round = 0; round < 2; ++round) {
    if (i == 0) {
      mbarrier_arrive_expect(barrier, bug == 2 ? 528 : 512);
      bulk_load(shared, x + round * kThreads, 512, barrier);
    }
    if (bug != 3) mbarrier_wait(barrier, bug == 1 ? 1 - round % 2 : round % 2);
    sum += shared[kThreads - 1 - i];
    if (bug != 6) block_sync();
  }
  y[i] = sum;
}

template <int bug>
void bulk_case() {
  run(bulk_rounds<bug>, {dim3(1), dim3(kThreads), 520}, [](int i) { return 2 * mirrored(i) + kThreads; });
}

/// The last warp writes numbers that the first reads, twice; one lane says when its warp has read them.
template <bool planted>
__global__ void one_lane_for_its_warp(int* y, const int* x) {
  int* shared = shared_memory<int>();
  Mbarrier *full = shared_memory<Mbarrier>(128), *empty = full + 1;
  const int i = static_cast<int>(threadIdx.x), lane = i % 32;
  if (i == 0) mbarrier_init(full, 32), mbarrier_init(empty, 1), fence_mbarrier_init();
  block_sync();
  int sum = 0;
  for (uint32_t round = 0; round < 2; ++round) {
    if (i >= 96) {
      mbarrier_wait(empty, round ^ 1);
      shared[lane] = x[lane];
      mbarrier_arrive(full);
    } else if (i < 32) {
      mbarrier_wait(full, round);
      sum += shared[31 - lane];
      if (!planted) warp_sync();
      if (lane == 0) mbarrier_arrive(empty);
    }
  }
  y[i] = i < 32 ? sum : 2 * (31 - lane);
}

// ---- the asynchronous proxy ----

template <int bug>
__global__ void reduction(int* y, const int* x) {
  float* shared = shared_memory<float>();
  const int i = static_cast<int>(threadIdx.x);
  for (int round = 0; round < 2; ++round) {
    shared[i] = static_cast<float>(x[i]);
    if (bug != 1) fence_proxy_async_shared();
    block_sync();
    if (i == 0) {
      bulk_reduce_add(reinterpret_cast<float*>(y), shared, 512);
      bulk_commit();
      if (bug != 2) bulk_wait<0>();
      if (bug == 2 && round == 1) bulk_wait<0>();
    }
    block_sync();
    if (bug == 2) shared[i] = 0;
    if (bug == 2) block_sync();
  }
  block_sync();
  if (i == 0) {
    for (int n = 0; n < kThreads; ++n) y[n] = static_cast<int>(reinterpret_cast<float*>(y)[n] + 0.5f) / 2;
  }
}

/// Sums begin with the bits of -5, a NaN; the reduction's own memory begins with zeros.
template <int bug>
void reduction_case() {
  const Buffer<int> y(kThreads);
  std::vector<int> numbers(kThreads);
  for (int i = 0; i < kThreads; ++i) numbers[i] = i;
  const Buffer<int> x(numbers);
  launch(context, reduction<bug>, {dim3(1), dim3(kThreads), 512}, y.data(), static_cast<const int*>(x.data()));
  const std::vector<int> got = y.read();
  for (int i = 0; i < kThreads; ++i) {
    if (got[i] != i) throw Error("result", "right", "wrong");
  }
}

// ---- tensor cores ----

/// d = a b^T of small integers, a (16, 16), b (8, 16), by way of shared memory whose chunks of 16 bytes are swizzled.
template <int bug>
__global__ void product(int* y, const int* x) {
  bf16* a = shared_memory<bf16>(0);
  bf16* b = shared_memory<bf16>(512);
  const int lane = static_cast<int>(threadIdx.x);
  const auto place = [](int row, int k) {
    return static_cast<int>(swizzled(static_cast<uint32_t>(row * 32 + k * 2), Swizzle::b32) / 2);
  };
  for (int i = lane; i < 256; i += 32) a[place(i / 16, i % 16)] = to_bf16(static_cast<float>(x[i] % 7));
  for (int i = lane; i < 128; i += 32) b[place(i / 16, i % 16)] = to_bf16(static_cast<float>(x[i] % 5));
  block_sync();
  uint32_t a_part[4], b_part[2];
  ldmatrix_x4(a_part, bug == 2 ? a + lane % 16 * 16 + lane / 16 * 8 : a + place(lane % 16, lane / 16 * 8));
  ldmatrix_x2(b_part, b + place(lane % 8, lane / 8 % 2 * 8));
  float d[4] = {};
  mma_m16n8k16(d, a_part, b_part, d);
  for (int reg = 0; reg < 4; ++reg) {
    const Place at = mma_d_place({lane, bug == 1 ? reg ^ 1 : reg, 0});
    y[at.row * 8 + at.col] = static_cast<int>(d[reg]);
  }
}

template <int bug>
void product_case() {
  run(product<bug>, {dim3(1), dim3(32), 768}, [](int i) {
    int sum = 0;
    for (int k = 0; k < 16; ++k) sum += (i / 8 * 16 + k) % 7 * ((i % 8 * 16 + k) % 5);
    return sum;
  });
}

/// d = a b^T by wgmma, a (64, 16), b (8, 16) in shared memory.
template <int bug>
__global__ void warpgroup_product(int* y, const int* x) {
  constexpr WgmmaTile a_tile{Major::k, Swizzle::b32, 64, 16}, b_tile{Major::k, Swizzle::b32, 8, 16};
  constexpr WgmmaTile taken{Major::k, bug == 4 ? Swizzle::none : Swizzle::b32, 64, 16};
  unsigned char* a = shared_memory<unsigned char>(0);
  unsigned char* b = shared_memory<unsigned char>(2048);
  const int thread = static_cast<int>(threadIdx.x);
  const auto store = [&](unsigned char* memory, const WgmmaTile& tile, int mn, int k, int value) {
    *reinterpret_cast<bf16*>(memory + tile.offset(static_cast<uint32_t>(mn), static_cast<uint32_t>(k))) =
        to_bf16(static_cast<float>(value));
  };
  for (int i = thread; i < 1024; i += kThreads) store(a, a_tile, i / 16, i % 16, x[i] % 7);
  if (thread < 128) store(b, b_tile, thread / 16, thread % 16, x[thread] % 5);
  if (bug != 2) fence_proxy_async_shared();
  block_sync();
  float d[4] = {};
  if (bug != 5) wgmma_fence(d);
  wgmma_shared<8, Major::k, Major::k>(d, encode(taken.descriptor(shared_address(a), 0, 0)),
                                      encode(b_tile.descriptor(shared_address(b), 0, 0)), 0);
  wgmma_commit();
  if (bug == 3) store(b, b_tile, 0, thread % 16, 3);
  if (bug != 1) wgmma_wait<0>(d);
  for (int reg = 0; reg < 4; ++reg) {
    const Place at = wgmma_d_place({thread, reg, 0});
    y[at.row * 8 + at.col] = static_cast<int>(d[reg]);
  }
}

template <int bug>
void warpgroup_case() {
  run(
      warpgroup_product<bug>, {dim3(1), dim3(kThreads), 2304},
      [](int i) {
        int sum = 0;
        for (int k = 0; k < 16; ++k) sum += (i / 8 * 16 + k) % 7 * ((i % 8 * 16 + k) % 5);
        return sum;
      },
      512);
}

// ---- clusters ----

template <int bug>
__global__ void neighbour_of_cluster(int* y, const int* x) {
  uint32_t* shared = shared_memory<uint32_t>();
  const int i = static_cast<int>(threadIdx.x);
  shared[i] = static_cast<uint32_t>(x[blockIdx.x * 32 + i]);
  if (bug != 1) cluster_sync();
  y[blockIdx.x * 32 + i] = static_cast<int>(cluster_load(shared + i, 1 - cluster_rank()));
  if (bug != 2) cluster_sync();
}

template <int bug>
void cluster_case() {
  run(neighbour_of_cluster<bug>, {dim3(4), dim3(32), 128, 2}, [](int i) { return i ^ 32; });
}

const Bug kBugs[] = {
    {"missing cp_async_wait", PLAIN(missing_cp_async_wait, 512, mirrored), "still to write"},
    {"cp.async without a barrier", PLAIN(cp_async_without_barrier, 512, mirrored), ""},
    {"wait for a newer group", PLAIN(wait_for_a_newer_group, 1024, mirrored), "still to write"},
    {"misaligned cp.async", PLAIN(misaligned_cp_async, 2048, same), "multiple of its bytes"},
    {"wrong mbarrier parity", bulk_case<1>, bulk_case<0>, ""},
    {"too many bytes expected", bulk_case<2>, bulk_case<0>, "wait at mbarrier_wait of parity 0"},
    {"missing mbarrier_wait", bulk_case<3>, bulk_case<0>, ""},
    {"missing fence_mbarrier_init", bulk_case<4>, bulk_case<0>, "fence_mbarrier_init()"},
    {"mbarrier used before its block_sync", bulk_case<5>, bulk_case<0>, "mbarrier"},
    {"buffer refilled while it is read", bulk_case<6>, bulk_case<0>, ""},
    {"a lane that speaks for its warp too early",
     PLAIN(one_lane_for_its_warp, 144, [](int i) { return 2 * (31 - i % 32); }), "a barrier between accesses"},
    {"missing proxy fence before a reduction", reduction_case<1>, reduction_case<0>, "fence_proxy_async_shared()"},
    {"missing bulk_wait", reduction_case<2>, reduction_case<0>, "until asynchronous reads"},
    {"wrong fragment index", product_case<1>, product_case<0>, "wrong"},
    {"wrong swizzle", product_case<2>, product_case<0>, "wrong"},
    {"missing wgmma_wait", warpgroup_case<1>, warpgroup_case<0>, "wgmma_wait()"},
    {"missing proxy fence before wgmma", warpgroup_case<2>, warpgroup_case<0>, "fence_proxy_async_shared()"},
    {"operand overwritten before wgmma_wait", warpgroup_case<3>, warpgroup_case<0>, ""},
    {"wrong swizzle of wgmma", warpgroup_case<4>, warpgroup_case<0>, "wrong"},
    {"missing wgmma_fence", warpgroup_case<5>, warpgroup_case<0>, "wgmma_fence()"},
    {"missing cluster_sync before reading", cluster_case<1>, cluster_case<0>, ""},
    {"block of a cluster that ends too early", cluster_case<2>, cluster_case<0>, ""},
};

}  // namespace
}  // namespace videomae::cuda

int main() { return videomae::cuda::check_bugs(videomae::cuda::kBugs); }
