// Products by wgmma, as the emulator runs them: each variant in every layout and epilogue, at sizes that end within
// tiles, boxes of the copy engine and steps of k.
#include "cuda/hopper/gemm_wgmma.h"
#include "cuda/hopper/gemm_wgmma_tile.h"
#include "cuda/variants.h"
#include "test/cuda_gemm_cases.cuh"

namespace videomae::cuda {
namespace {

using test::run_case;

/// Operands that the copy engine can read: rows are multiples of 16 bytes, and longer than the sizes make them.
constexpr Placement readable{8, 8, 8};

/// The kernels of wgmma in every layout, at sizes that end within tiles, boxes and steps; one block makes all tiles, so
/// that the ring goes round from tile to tile.
void orders_and_sizes() {
  for (const Size& size : {Size{1, 1, 1}, Size{7, 13, 5}, Size{65, 130, 96}, Size{37, 257, 64}, Size{136, 264, 200}})
    for (int order = 0; order < 4; ++order)
      check_product(device(1), DType::bf16, size, order & 1, order & 2, {}, readable);
  check_product(device(2), DType::bf16, {260, 520, 456}, false, true, {.bias = true, .c = DType::bf16});
}

void epilogues() {
  const DType dtype = DType::bf16;
  for (const Size& size : {Size{45, 70, 40}, Size{200, 264, 72}})
    for (const Epilogues& e :
         {Epilogues{.accumulate = true}, Epilogues{.accumulate = true, .c = dtype}, Epilogues{.bias = true, .c = dtype},
          Epilogues{.bias = true, .keep = true, .gelu = true, .c = dtype}, Epilogues{.gate = true, .c = dtype},
          Epilogues{.gate = true, .sums = true, .c = dtype}, Epilogues{.bias = true, .residual = 1, .c = dtype},
          Epilogues{.bias = true, .residual = 2, .c = dtype},
          Epilogues{.accumulate = true, .gate = true, .sums = true, .residual = 1}})
      check_product(device(1), dtype, size, false, true, e, size.m == 45 ? readable : Placement{});
}

/// Items of a batch whose B is the same for all, and C's rows of items that do not begin at multiples of anything.
void batches() {
  const int64_t m = 70, n = 33, k = 40, batch = 3, ld = 40;
  Numbers a(DType::bf16, batch * m * ld, 1), b(DType::bf16, n * ld, 2), c(DType::f32, batch * m * n);
  Gemm g{DType::bf16, m, n, k, a.at(), ld, false, b.at(), ld, true, c.at(), n, DType::f32};
  g.batch = batch, g.a_step = m * ld, g.c_step = m * n;
  CHECK(wgmma_serves(device(2), g));
  gemm(device(2), g, nullptr);
  double worst = 0;
  for (int64_t i = 0; i < batch * m * n; ++i) {
    double v = 0;
    for (int64_t x = 0; x < k; ++x) v += a.exact[i / n * ld + x] * b.exact[i % n * ld + x];
    worst = std::max(worst, std::abs(c.got(i) - v));
    CHECK(c.got(i) == c.got(i));
  }
  CHECK(worst < 1e-4);
}

/// Parts of k are cut elsewhere than those of the other kernels, which shows in the bits that the choice is followed.
/// Products that the copy engine cannot read are made by the others all the same.
void choice_is_followed(const std::string& choice) {
  const auto parts = [] {
    return check_product(device(), DType::bf16, {40, 56, 1504}, true, false, {.accumulate = true}, {0, 0, 8});
  };
  const auto bits = parts();
  alignments(DType::bf16);
  set_variants("gemm = mma");
  CHECK(parts() != bits);
  set_variants(choice);
  for (int steps = 4; steps < 40; ++steps)
    for (int count = 1; count <= steps; ++count)
      for (int part = 0; part < count; ++part)
        CHECK(first_step_of_part(steps, part, count) < first_step_of_part(steps, part + 1, count));

  Gemm g{DType::bf16, 8, 8, 8};
  g.lda = g.ldb = g.ldc = 8;
  CHECK(wgmma_serves(device(), g));
  Gemm other = g;
  other.lda = 12;
  CHECK(!wgmma_serves(device(), other));
  other = g, other.k = 0;
  CHECK(!wgmma_serves(device(), other));
  other = g, other.b = reinterpret_cast<const void*>(8);
  CHECK(!wgmma_serves(device(), other));
  Context later = device();
  later.limits.capability = 100;
  CHECK(!wgmma_serves(later, g));
}

/// Neither writing fragments into a strip nor reading its rows meets a bank of shared memory twice.
void strips() {
  using Shape = Wgmma128x256;
  bool used[Shape::strip_floats] = {};
  int met = 0;
  for (int i = 0; i < Shape::strip_floats; ++i) {
    bool& place = used[Shape::strip_place(i / Shape::strip_cols, i % Shape::strip_cols)];
    met += place, place = true;
  }
  for (int first = 0; first < 32; first += 16) {  // 16 lanes write 8 bytes at a time
    int banks[32] = {};
    for (int lane = first; lane < first + 16; ++lane) {
      const uint32_t at = Shape::strip_place(lane / 4, lane % 4 * 2);
      met += banks[at % 32]++ + banks[at % 32 + 1]++;
      for (int eight = 1; eight < 8; ++eight)  // how the kernel moves on
        met += (at ^ eight * 8) != Shape::strip_place(lane / 4, eight * 8 + lane % 4 * 2);
    }
  }
  for (int chunk = 0; chunk < 16; chunk += 8) {  // 8 lanes read 16 at a time
    int banks[8] = {};
    for (int i = 0; i < 8; ++i) met += banks[Shape::strip_place(5, (chunk + i) * 4) / 4 % 8]++;
  }
  CHECK(met == 0);
}

}  // namespace
}  // namespace videomae::cuda

int main() {
  using namespace videomae;
  using namespace videomae::cuda;
  setenv("VIDEOMAE_CUBLASLT", "off", 1);
  run_case("strips", strips);
  for (const char* tiles : {"wgmma-128x256", "wgmma-128x192", "wgmma-128x128"}) {
    const std::string choice = std::string("gemm = ") + tiles, in = std::string(" by ") + tiles;
    set_variants(choice);
    run_case("orders and sizes" + in, orders_and_sizes);
    run_case("epilogues" + in, epilogues);
    run_case("batches" + in, batches);
    run_case("parts of k" + in, [] { parts(DType::bf16, readable); });
    run_case("choice" + in, [&] { choice_is_followed(choice); });
    run_case("same bits" + in, [] { same_bits(DType::bf16); });
    run_case("NaN and infinity" + in, [] { not_numbers(DType::bf16, readable); });
  }
  return test::exit_status();
}
