// Planted bugs: kernels that each carry one mistake, and must be caught in every order of threads and under every seed;
// and the same kernels without it, which must be right. What catches a mistake is an Error of the emulator, or, where
// the mistake is only one of values, a wrong result.
#include "cuda/device/bfloat16.cuh"
#include "cuda/device/buffer.cuh"
#include "cuda/device/bulk_copy.cuh"
#include "cuda/device/bulk_reduce.cuh"
#include "cuda/device/cluster.cuh"
#include "cuda/device/cp_async.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/ldmatrix.cuh"
#include "cuda/device/mma_layout.h"
#include "cuda/device/mma_sync.cuh"
#include "cuda/device/named_barrier.cuh"
#include "cuda/device/shared_memory.cuh"
#include "cuda/device/shuffle.cuh"
#include "cuda/device/wgmma.cuh"
#include "test/check.h"

namespace videomae::cuda {
namespace {

constexpr DefaultStream context;
constexpr int kThreads = 128;

/// Runs a kernel over 1024 numbers 0, 1, 2 ... and 1024 results, and compares with what is expected. Both lie in one
/// allocation, side by side, as tensors do.
template <class Kernel, class Expected>
void run(Kernel* kernel, Launch how, Expected&& expected, size_t count = kThreads) {
  std::vector<int> values(2048, -5);
  for (int i = 0; i < 1024; ++i) values[i] = i;
  const Buffer<int> memory(values);
  int* x = memory.data();
  int* y = x + 1024;
  {
    const emu::Operands operands({{"x", x, 4096, false}, {"y", y, count * 4, true}});
    launch(context, kernel, how, y, static_cast<const int*>(x));
  }
  const std::vector<int> got = memory.read();
  for (size_t i = 0; i < count; ++i) {
    if (got[1024 + i] != expected(static_cast<int>(i))) throw Error("result", "right", "wrong");
  }
}

int mirrored(int i) { return kThreads - 1 - i; }
int same(int i) { return i; }

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

// ---- the cases ----

struct Bug {
  const char* name;
  void (*planted)();
  void (*mended)();
  const char* words;  // of the Error that catches it
};

#define PLAIN(kernel, shared_bytes, expected)                                  \
  [] {                                                                         \
    run(kernel<true>, {dim3(1), dim3(kThreads), shared_bytes}, expected);      \
  },                                                                           \
      [] {                                                                     \
        run(kernel<false>, {dim3(1), dim3(kThreads), shared_bytes}, expected); \
      }

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

std::string error_of(void (*body)()) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void check_bug(const Bug& bug) {
  std::string first;
  for (int run = 0; run < 12; ++run) {
    const emu::Order order = run == 0 ? emu::Order::forward : run == 1 ? emu::Order::reversed : emu::Order::random;
    emu::set_order(order, static_cast<uint64_t>(run));
    const std::string mended = error_of(bug.mended), caught = error_of(bug.planted);
    CHECK(mended.empty());
    CHECK(!caught.empty());
    CHECK(caught.find(bug.words) != std::string::npos);
    if (!mended.empty()) std::printf("run %d, without the bug: %s\n", run, mended.c_str());
    if (first.empty()) std::printf("  %s\n", (first = caught).c_str());
    if (caught.find(bug.words) == std::string::npos) std::printf("run %d: %s\n", run, caught.c_str());
  }
}

}  // namespace
}  // namespace videomae::cuda

int main() {
  for (const auto& bug : videomae::cuda::kBugs) {
    videomae::test::run_case(bug.name, [&] { videomae::cuda::check_bug(bug); });
  }
  return videomae::test::exit_status();
}
