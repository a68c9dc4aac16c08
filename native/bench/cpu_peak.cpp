// What this processor can do at most, measured: multiplications of the instruction sets that kernels are written for,
// on numbers in registers, and reading and copying memory. The rates by which products are judged.
//   cpu_peak [--threads N]
// Prints a JSON row ("ceiling", bench/row.ts) for each. Operands are numbers drawn at random: zeros run faster, because
// a processor that has less to switch may run at a higher clock.
#include <cstring>

#include "bench/timed_row.h"
#include "core/bfloat16.h"
#include "core/philox.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "cpu/amx.h"
#endif

namespace {

using namespace videomae;

constexpr int64_t kSlices = 8;  // of each thread in a timed call

volatile float sink;  // results go here, so that they are computed

void print(const std::string& name, const bench::Times& t, double work, const char* unit) {
  std::printf("{\"bench\":\"ceiling\",\"system\":\"videomae\",\"device\":\"cpu\",\"threads\":%d,\"name\":\"%s\",",
              thread_count(), name.c_str());
  std::printf("\"value\":%.6g,\"unit\":\"%s\",\"medianMs\":%.6g,\"minMs\":%.6g,\"maxMs\":%.6g,\"repeats\":%d",
              1e-9 * work / t.median, unit, 1e3 * t.median, 1e3 * t.least, 1e3 * t.most, t.repeats);
  if (t.other_cores >= 0) std::printf(",\"otherCores\":%.2f", t.other_cores);
  std::printf("}\n");
  std::fflush(stdout);
}

/// Times `body(random numbers)` on every thread; each call of it does `operations`.
template <class F>
void rate(const std::string& name, double operations, F&& body) {
  const int64_t pieces = kSlices * thread_count();
  alignas(64) static float numbers[1024];
  for (int64_t i = 0; i < 1024; ++i) numbers[i] = static_cast<float>(philox_uniform(PhiloxKey{1, 2}, i) + 0.5);
  const bench::Times times = bench::time_calls([&] { parallel_for(pieces, [&](int64_t) { sink = body(numbers); }); });
  print(name, times, operations * static_cast<double>(pieces), "GFLOP/s");
}

#if defined(__x86_64__)
// Sums that do not wait for each other: as many as there are registers for, with 16 (AVX2) and 32 (AVX-512) of them.
constexpr int kRounds = 20000, kSums = 12, kSumsOf32 = 24;

[[gnu::target("avx2,fma")]] float fma_avx2(const float* numbers) {
  __m256 sums[kSums], x = _mm256_load_ps(numbers), y = _mm256_load_ps(numbers + 8);
  for (int i = 0; i < kSums; ++i) sums[i] = _mm256_load_ps(numbers + 8 * i);
  for (int n = 0; n < kRounds; ++n) {
    for (int i = 0; i < kSums; ++i) sums[i] = _mm256_fmadd_ps(x, y, sums[i]);
    asm volatile("" : "+x"(x));
  }
  float total = 0;
  for (int i = 0; i < kSums; ++i) total += _mm256_cvtss_f32(sums[i]);
  return total;
}

[[gnu::target("avx512f")]] float fma_avx512(const float* numbers) {
  __m512 sums[kSumsOf32], x = _mm512_load_ps(numbers), y = _mm512_load_ps(numbers + 16);
#pragma GCC unroll 24
  for (int i = 0; i < kSumsOf32; ++i) sums[i] = _mm512_load_ps(numbers + 16 * i);
  for (int n = 0; n < kRounds; ++n) {
#pragma GCC unroll 24
    for (int i = 0; i < kSumsOf32; ++i) sums[i] = _mm512_fmadd_ps(x, y, sums[i]);
    asm volatile("" : "+v"(x));
  }
  float total = 0;
#pragma GCC unroll 24
  for (int i = 0; i < kSumsOf32; ++i) total += _mm512_cvtss_f32(sums[i]);
  return total;
}

[[gnu::target("avx512f,avx512bf16")]] float dot_avx512(const float* numbers) {
  __m512 sums[kSumsOf32];
  __m512i x = _mm512_load_si512(numbers), y = _mm512_load_si512(numbers + 16);
#pragma GCC unroll 24
  for (int i = 0; i < kSumsOf32; ++i) sums[i] = _mm512_load_ps(numbers + 16 * i);
  for (int n = 0; n < kRounds; ++n) {
#pragma GCC unroll 24
    for (int i = 0; i < kSumsOf32; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], (__m512bh)x, (__m512bh)y);
    asm volatile("" : "+v"(x));
  }
  float total = 0;
#pragma GCC unroll 24
  for (int i = 0; i < kSumsOf32; ++i) total += _mm512_cvtss_f32(sums[i]);
  return total;
}

constexpr int kTileRounds = 5000;

float tiles(const float* numbers) {
  alignas(64) bf16 operands[1024];  // two tiles
  for (int i = 0; i < 1024; ++i) operands[i] = to_bf16(numbers[i]);
  alignas(64) float sums[256];
  amx::Session session;
  amx::zero<0>(), amx::zero<1>(), amx::zero<2>(), amx::zero<3>();
  amx::load<4>(operands, 64), amx::load<5>(operands + 512, 64);
  amx::load<6>(operands + 512, 64), amx::load<7>(operands, 64);
  for (int n = 0; n < kTileRounds; ++n)
    amx::multiply<0, 4, 6>(), amx::multiply<1, 4, 7>(), amx::multiply<2, 5, 6>(), amx::multiply<3, 5, 7>();
  amx::store<0>(sums, 64);
  return sums[0];
}
#endif

/// Reading and copying far more than caches hold.
void memory() {
  constexpr int64_t kBytes = 256 << 20, kPiece = 1 << 20, kPieces = kBytes / kPiece;
  bench::Buffer from = bench::allocate(kBytes), to = bench::allocate(kBytes);
  auto* source = static_cast<uint64_t*>(from.get());
  std::memset(from.get(), 1, kBytes), std::memset(to.get(), 2, kBytes);
  const bench::Times reads = bench::time_calls([&] {
    parallel_for(kPieces, [&](int64_t piece) {
      uint64_t sum = 0;
      for (int64_t i = piece * kPiece / 8; i < (piece + 1) * kPiece / 8; ++i) sum += source[i];
      sink = static_cast<float>(sum);
    });
  });
  print("read memory", reads, kBytes, "GB/s");
  const bench::Times copies = bench::time_calls([&] {
    parallel_for(kPieces, [&](int64_t piece) {
      std::memcpy(static_cast<char*>(to.get()) + piece * kPiece, static_cast<char*>(from.get()) + piece * kPiece,
                  kPiece);
    });
  });
  print("copy memory, read and write", copies, 2.0 * kBytes, "GB/s");
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--threads") != 0 || i + 1 == argc) {
      std::fprintf(stderr, "cpu_peak: expected --threads N, got %s\n", argv[i]);
      return 2;
    }
    set_thread_count(std::atoi(argv[++i]));
  }
#if defined(__x86_64__)
  const InstructionSet set = current_instruction_set();
  if (set >= InstructionSet::kAvx2) rate("f32 fused multiply-add, avx2", 2.0 * 8 * kSums * kRounds, fma_avx2);
  if (set >= InstructionSet::kAvx512)
    rate("f32 fused multiply-add, avx512", 2.0 * 16 * kSumsOf32 * kRounds, fma_avx512);
  if (set >= InstructionSet::kAvx512Bf16) rate("bf16 vdpbf16ps", 4.0 * 16 * kSumsOf32 * kRounds, dot_avx512);
  if (set >= InstructionSet::kAmx) rate("bf16 tdpbf16ps", 4.0 * 2 * 16 * 16 * 32 * kTileRounds, tiles);
#endif
  memory();
}
