// The device programming model on the emulator: small kernels written as ops' are, whose results are known; and what
// the emulator itself promises: orders, errors, launches from several threads.
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

#include "cuda/device/bfloat16.cuh"
#include "cuda/device/buffer.cuh"
#include "cuda/device/cp_async.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/ldmatrix.cuh"
#include "cuda/device/mma_layout.h"
#include "cuda/device/mma_sync.cuh"
#include "cuda/device/shared_memory.cuh"
#include "cuda/reduce.cuh"
#include "test/check.h"

namespace videomae::cuda {
namespace {

using test::run_case;

constexpr DefaultStream context;

template <class T>
__global__ void scale(T* y, const T* x, int64_t count, float factor) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    y[i] = from_float<T>(factor * to_float(x[i]));
  }
}

/// One block a row.
__global__ void row_sums(float* sums, const float* x, int width) {  // x: (rows, width)
  float* scratch = shared_memory<float>(0);
  float sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < width; i += static_cast<int>(blockDim.x)) {
    sum += x[static_cast<int64_t>(blockIdx.x) * width + i];
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

/// One warp: d = a b^T for a (16, 16) and b (8, 16), through cp.async and ldmatrix.
__global__ void product(float* d, const bf16* a, const bf16* b) {
  bf16* a_tile = shared_memory<bf16>(0);
  bf16* b_tile = shared_memory<bf16>(512);
  const int lane = static_cast<int>(threadIdx.x);
  cp_async<16>(a_tile + 8 * lane, a + 8 * lane);
  if (lane < 16) cp_async<16>(b_tile + 8 * lane, b + 8 * lane);
  cp_async_commit();
  cp_async_wait<0>();
  block_sync();
  uint32_t a_part[4], b_part[2];
  ldmatrix_x4(a_part, a_tile + lane % 16 * 16 + lane / 16 * 8);
  ldmatrix_x2(b_part, b_tile + lane % 8 * 16 + lane / 8 % 2 * 8);
  const float zero[4] = {};
  float sums[4];
  mma_m16n8k16(sums, a_part, b_part, zero);
  for (int reg = 0; reg < 4; ++reg) {
    const Place at = mma_d_place({lane, reg, 0});
    d[at.row * 8 + at.col] = sums[reg];
  }
}

/// Only half of the threads come to the barrier.
__global__ void waits_in_vain(float* y) {
  if (threadIdx.x < 32) block_sync();
  y[threadIdx.x] = 1;
}

__global__ void writes_behind_shared_memory(float* y) {
  float* memory = shared_memory<float>(0);
  memory[threadIdx.x + 1024 * 1024 / 16] = 1;
  y[0] = memory[0];
}

/// The Error that a launch ends with; empty when it succeeds.
template <class F>
std::string error_of(F&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void names_mistakes() {
  std::vector<float> y(64);
  const std::string lost = error_of([&] { launch(context, waits_in_vain, {dim3(1), dim3(64)}, y.data()); });
  CHECK(lost.find("waits_in_vain") == 0 && lost.find("threads 0..31 wait at block_sync") != std::string::npos);
  const std::string far = error_of([&] {
    launch(context, writes_behind_shared_memory, {dim3(1), dim3(64), 4096}, y.data());
  });
  CHECK(far.find("writes_behind_shared_memory") == 0 && far.find("of 4096 bytes") != std::string::npos);
}

/// All blocks read the same number.
__global__ void reads_one_number(float* y, const float* x) { y[blockIdx.x * blockDim.x + threadIdx.x] = x[7]; }

/// Every thread says when it ran: the place of its number in the order.
__global__ void order_of_threads(int* order, int* next) {
  block_sync();
  order[(*next)++] = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
}

std::vector<int> order_of(emu::Order how, uint64_t seed) {
  std::vector<int> order(2 * 96), next(1);
  emu::set_order(how, seed);
  launch(context, order_of_threads, {dim3(2), dim3(96)}, order.data(), next.data());
  return order;
}

void orders_are_what_they_are_called() {
  const std::vector<int> forward = order_of(emu::Order::forward, 1), reversed = order_of(emu::Order::reversed, 1);
  for (int i = 0; i < 192; ++i) CHECK(forward[i] == i && reversed[i] == 191 - i);
  CHECK(order_of(emu::Order::random, 5) == order_of(emu::Order::random, 5));
  CHECK(order_of(emu::Order::random, 5) != order_of(emu::Order::random, 6));
}

/// A kernel that ends with an error leaves nothing behind, however often.
void errors_lose_no_memory() {
  std::vector<float> y(64);
  const auto fail_often = [&](int times) {
    for (int i = 0; i < times; ++i) {
      CHECK(!error_of([&] { launch(context, waits_in_vain, {dim3(1), dim3(64)}, y.data()); }).empty());
      CHECK(!error_of([&] {
               launch(context, writes_behind_shared_memory, {dim3(1), dim3(64), 4096}, y.data());
             }).empty());
    }
  };
  fail_often(10);
  const size_t before = mallinfo2().uordblks;
  fail_often(200);
  CHECK(mallinfo2().uordblks <= before + 4096);
}

/// Reads of all blocks, and a launch behind that writes what they read: launches are ordered, blocks of one are not.
void launches_are_ordered() {
  std::vector<float> ones(256, 1.0f);
  const Buffer<float> x(ones), y(256);
  const emu::Operands operands({{"x", x.data(), x.bytes(), true}, {"y", y.data(), y.bytes(), true}});
  for (int round = 0; round < 3; ++round) {
    launch(context, row_sums, {dim3(4), dim3(64), 2 * sizeof(float)}, y.data(), static_cast<const float*>(x.data()), 0);
    launch(context, scale<float>, {dim3(2), dim3(64)}, y.data(), static_cast<const float*>(x.data()), int64_t{256},
           2.0f);
    launch(context, reads_one_number, {dim3(4), dim3(64)}, x.data(), static_cast<const float*>(y.data()));
  }
}

/// Launches of several host threads take turns, while others of them run host code of this file.
void host_threads_launch_at_once() {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([&wrong, n] {
      for (int round = 0; round < 20; ++round) {
        std::vector<float> x(333, static_cast<float>(n)), sum(1);
        launch(context, row_sums, {dim3(1), dim3(64), 2 * sizeof(float)}, sum.data(), x.data(), 333);
        for (const float& value : x) sum[0] -= value;
        wrong += sum[0] != 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

template <int depth>
__device__ int deep(volatile int* y) {
  volatile int local[1024];
  for (int i = 0; i < 1024; ++i) local[i] = y[0] + i;
  if constexpr (depth > 0) return deep<depth - 1>(y) + local[7];
  return local[5];
}

__global__ void needs_much_stack(int* y) { y[1] = deep<100>(y); }

void refuses_what_hardware_refuses() {
  std::vector<float> y(1);
  const float* x = y.data();
  const auto refused = [&](const Launch& how, const char* words) {
    const std::string error = error_of([&] { launch(context, scale<float>, how, y.data(), x, int64_t{1}, 1.0f); });
    CHECK(error.find("scale<float>") == 0 && error.find(words) != std::string::npos);
  };
  refused({dim3(1), dim3(1025)}, "1 to 1024 threads");
  refused({dim3(0), dim3(32)}, "a grid of 1 to");
  refused({dim3(1, 70000), dim3(32)}, "65535");
  refused({dim3(1), dim3(32), 228 << 10}, "bytes of shared memory");
  refused({dim3(3), dim3(32), 0, 2}, "a cluster");
  std::vector<int> words(2);
  const std::string deep_error = error_of([&] {
    launch(context, needs_much_stack, {dim3(1), dim3(32)}, words.data());
  });
  CHECK(deep_error.find("256 KiB of local variables") != std::string::npos);
}

/// Which file it is, is read at the first launch.
void records_launches() {
  std::vector<float> x(64), y(64);
  const auto scaled = [&](unsigned blocks, unsigned threads, size_t shared_bytes) {
    launch(context, scale<float>, {dim3(blocks), dim3(threads, 2), shared_bytes}, y.data(), x.data(), int64_t{64},
           2.0f);
  };
  setenv("VIDEOMAE_EMU_LAUNCHES", "/nowhere/launches", 1);
  CHECK(error_of([&] { scaled(1, 32, 0); }).find("VIDEOMAE_EMU_LAUNCHES") == 0);
  char path[] = "/tmp/launches-XXXXXX";
  close(mkstemp(path));
  setenv("VIDEOMAE_EMU_LAUNCHES", path, 1);
  scaled(1, 32, 0), scaled(2, 32, 0), scaled(1, 16, 0), scaled(1, 32, 96);
  std::ifstream stream(path);
  const std::string lines((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  CHECK(lines ==
        "{\"kernel\":\"scale<float>\",\"threads\":64,\"sharedBytes\":0}\n"
        "{\"kernel\":\"scale<float>\",\"threads\":32,\"sharedBytes\":0}\n"
        "{\"kernel\":\"scale<float>\",\"threads\":64,\"sharedBytes\":96}\n");
  unlink(path);
}

void scales() {
  const std::vector<float> x = test::numbers<float>(1003, 1);
  std::vector<float> y(x.size());
  launch(context, scale<float>, {dim3(3), dim3(128)}, y.data(), x.data(), static_cast<int64_t>(x.size()), 2.5f);
  for (size_t i = 0; i < x.size(); ++i) CHECK(y[i] == 2.5f * x[i]);
}

void sums_rows() {
  const int rows = 5, width = 333;
  std::vector<float> x(rows * width), sums(rows), again(rows);
  for (int i = 0; i < rows * width; ++i) x[i] = static_cast<float>(i % 17);
  launch(context, row_sums, {dim3(rows), dim3(256), 8 * sizeof(float)}, sums.data(), x.data(), width);
  for (int row = 0; row < rows; ++row) {
    float expected = 0;
    for (int i = 0; i < width; ++i) expected += x[row * width + i];
    CHECK(sums[row] == expected);
  }
}

void multiplies() {
  std::vector<bf16> a(16 * 16), b(8 * 16);
  std::vector<float> d(16 * 8);
  const auto value = [](int which, int row, int k) { return static_cast<float>((row * 7 + k * 3 + which) % 11 - 5); };
  for (int i = 0; i < 256; ++i) a[i] = to_bf16(value(0, i / 16, i % 16));
  for (int i = 0; i < 128; ++i) b[i] = to_bf16(value(1, i / 16, i % 16));
  launch(context, product, {dim3(1), dim3(32), 768}, d.data(), a.data(), b.data());
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 8; ++n) {
      float expected = 0;
      for (int k = 0; k < 16; ++k) expected += value(0, m, k) * value(1, n, k);
      CHECK(d[m * 8 + n] == expected);
    }
  }
}

}  // namespace
}  // namespace videomae::cuda

int main() {
  using namespace videomae::cuda;
  run_case("launches are recorded", records_launches);
  run_case("scale", scales);
  run_case("row sums", sums_rows);
  run_case("product", multiplies);
  run_case("mistakes are named", names_mistakes);
  run_case("launches that hardware refuses", refuses_what_hardware_refuses);
  run_case("orders", orders_are_what_they_are_called);
  run_case("launches are ordered", launches_are_ordered);
  run_case("errors lose no memory", errors_lose_no_memory);
  run_case("host threads launch at once", host_threads_launch_at_once);
  return videomae::test::exit_status();
}
