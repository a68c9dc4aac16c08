// Planted bugs of barriers, of memory, and of kernels that may begin before the one ahead has ended.
#include "cuda/device/named_barrier.cuh"
#include "cuda/device/shuffle.cuh"
#include "test/planted_bug.cuh"

namespace videomae::cuda {
namespace {

// ---- barriers ----

template <bool planted>
__global__ void missing_block_sync(int* y, const int* x) {
  int* shared = shared_memory<int>();
  const int i = static_cast<int>(threadIdx.x);
  shared[i] = x[i];
  if (!planted) block_sync();
  y[i] = shared[kThreads - 1 - i];
}

template <bool planted>
__global__ void missing_second_block_sync(int* y, const int* x) {
  int* shared = shared_memory<int>();
  const int i = static_cast<int>(threadIdx.x);
  int sum = 0;
  for (int round = 0; round < 4; ++round) {
    shared[i] = round == 3 ? x[i] : 0;
    block_sync();
    sum += shared[kThreads - 1 - i];
    if (!planted) block_sync();
  }
  y[i] = sum;
}

template <bool planted>
__global__ void missing_warp_sync(int* y, const int* x) {
  int* shared = shared_memory<int>();
  const int i = static_cast<int>(threadIdx.x);
  shared[i] = x[i ^ 1];
  if (!planted) warp_sync();
  y[i] = shared[i ^ 1];
}

template <bool planted>
__global__ void divergent_barrier(int* y, const int* x) {
  const int i = static_cast<int>(threadIdx.x);
  if (planted && i % 32 == 5) return;
  block_sync();
  y[i] = x[i];
}

template <bool planted>
__global__ void wrong_count_at_named_barrier(int* y, const int* x) {
  int* shared = shared_memory<int>();
  const int i = static_cast<int>(threadIdx.x);
  shared[i] = x[i];
  if (i < 64) named_barrier_sync(1, planted ? 96 : 64);
  if (i >= 64) named_barrier_sync(2, 64);
  y[i] = shared[i ^ 63];
}

template <bool planted>
__global__ void shuffle_with_missing_lanes(int* y, const int* x) {
  const int i = static_cast<int>(threadIdx.x);
  int value = x[i];
  if (!planted || i % 32 < 16) value = shuffle_xor(value, 1);
  y[i] = value;
}

// ---- memory ----

template <bool planted>
__global__ void unwritten_shared_memory(int* y, const int* x) {
  int* shared = shared_memory<int>();
  const int i = static_cast<int>(threadIdx.x);
  if (!planted || i != 7) shared[i] = x[i];
  block_sync();
  y[i] = shared[kThreads - 1 - i];
}

template <bool planted>
__global__ void shared_write_out_of_range(int* y, const int* x) {
  int* shared = shared_memory<int>();
  const int i = static_cast<int>(threadIdx.x);
  shared[i + (planted ? 1 : 0)] = x[i];
  y[i] = x[i];
}

template <bool planted>
__global__ void global_write_out_of_range(int* y, const int* x) {
  const int i = static_cast<int>(threadIdx.x);
  y[i] = x[i];
  if (planted && i == 0) y[kThreads] = 1;  // the next tensor's
}

template <bool planted>
__global__ void global_read_out_of_range(int* y, const int* x) {
  const int i = static_cast<int>(threadIdx.x);
  y[i] = x[planted && i == 3 ? -1 : i];
}

template <bool planted>
__global__ void write_of_an_input(int* y, const int* x) {
  const int i = static_cast<int>(threadIdx.x);
  y[i] = x[i];
  if (planted && i == 9) const_cast<int*>(x)[i] = 9;
}

template <bool planted>
__global__ void misaligned_vector(int* y, const int* x) {
  const int i = static_cast<int>(threadIdx.x);
  const int2 pair = *reinterpret_cast<const int2*>(x + i / 2 * 2 + (planted && i == 0 ? 1 : 0));
  y[i] = i == 0 ? 0 : i % 2 ? pair.y : pair.x;
}

template <bool planted>
__global__ void index_beyond_an_array(int* y, const int* x) {
  const int i = static_cast<int>(threadIdx.x);
  int four[4] = {x[i], x[i + 1], x[i + 2], x[i + 3]};
  y[i] = four[planted && i == 0 ? x[4] : i % 4] - i % 4;
}

/// Every block adds to the same sum.
template <bool planted>
__global__ void sum_between_blocks(int* y, const int* x) {
  const int i = static_cast<int>(threadIdx.x);
  if (planted) {
    if (i == 0) y[0] += x[blockIdx.x];
  } else if (blockIdx.x == 0) {
    y[i] = x[i];
  }
}

// ---- kernels that may begin early ----

template <bool planted>
__global__ void access_before_the_wait(int* y, const int* x) {
  const int i = static_cast<int>(threadIdx.x);
  const int early = planted && i == 77 ? x[i] : i;
  dependent_launch_begin();
  y[i] = early == i ? x[i] : 0;
}

template <bool planted>
__global__ void end_without_a_wait(int* y, const int* x) {
  const int i = static_cast<int>(threadIdx.x);
  if (planted && i >= 100) return;
  dependent_launch_begin();
  if (i >= 100) return;
  y[i] = x[i];
}

const Launch kEarly{dim3(1), dim3(kThreads), 0, 1, true};

const Bug kBugs[] = {
    {"missing block_sync", PLAIN(missing_block_sync, 512, mirrored), ""},
    {"missing second block_sync", PLAIN(missing_second_block_sync, 512, mirrored), "a barrier between accesses"},
    {"missing warp_sync", PLAIN(missing_warp_sync, 512, same), ""},
    {"divergent barrier", PLAIN(divergent_barrier, 0, same), "threads 5, 37, 69, 101 have ended"},
    {"wrong count at a named barrier", PLAIN(wrong_count_at_named_barrier, 512, [](int i) { return i ^ 63; }),
     "wait at barrier 1"},
    {"shuffle with missing lanes", PLAIN(shuffle_with_missing_lanes, 0, [](int i) { return i ^ 1; }), "lane"},
    {"unwritten shared memory", PLAIN(unwritten_shared_memory, 512, mirrored), "written before it is read"},
    {"shared write out of range", PLAIN(shared_write_out_of_range, 512, same), "within the block's shared memory"},
    {"global write out of range", PLAIN(global_write_out_of_range, 0, same), "byte 512 of the 512 bytes of y"},
    {"global read out of range", PLAIN(global_read_out_of_range, 0, same), "byte -4 of the 4096 bytes of x"},
    {"write of an input", PLAIN(write_of_an_input, 0, same), "which the op only reads"},
    {"misaligned vector", PLAIN(misaligned_vector, 0, same), "aligned to its type"},
    {"index beyond an array", PLAIN(index_beyond_an_array, 0, same), "index within the array"},
    {"sum between blocks",
     [] {
       run(sum_between_blocks<true>, {dim3(4), dim3(kThreads)}, same);
     },
     [] {
       run(sum_between_blocks<false>, {dim3(4), dim3(kThreads)}, same);
     },
     "one block writes and another touches"},
    {"access before the wait for kernels ahead", [] { run(access_before_the_wait<true>, kEarly, same); },
     [] { run(access_before_the_wait<false>, kEarly, same); },
     "dependent_launch_wait() before memory of the device is touched"},
    {"end without a wait for kernels ahead", [] { run(end_without_a_wait<true>, kEarly, same, 100); },
     [] { run(end_without_a_wait<false>, kEarly, same, 100); }, "dependent_launch_wait() before the kernel ends"},
};

}  // namespace
}  // namespace videomae::cuda

int main() { return videomae::cuda::check_bugs(videomae::cuda::kBugs); }
