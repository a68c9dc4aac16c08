// 2^x of both kinds (device/exp2.cuh) against the host's, over all that attention gives them and beyond.
#include "cuda/device/exp2.cuh"

#include "cuda/device/buffer.cuh"
#include "cuda/device/launch.cuh"
#include "test/check.h"

namespace videomae::cuda {
namespace {

__global__ void powers(float* by_unit, float* by_polynomial, const float* x, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= count) return;
  by_unit[i] = exp2_approximate(x[i]);
  by_polynomial[i] = exp2_polynomial(x[i]);
}

struct Powers {
  std::vector<float> by_unit, by_polynomial;
};

Powers powers_of(const std::vector<float>& numbers) {
  const int count = static_cast<int>(numbers.size());
  const Buffer<float> x(numbers), by_unit(numbers.size()), by_polynomial(numbers.size());
  launch(DefaultStream{}, powers, {dim3(static_cast<unsigned>(count + 127) / 128), dim3(128)}, by_unit.data(),
         by_polynomial.data(), static_cast<const float*>(x.data()), count);
  return {by_unit.read(), by_polynomial.read()};
}

/// From -126 to 127 in steps of 1/512, and the neighbours of every half, where rounding turns.
void relative_errors() {
  std::vector<float> x;
  for (int i = -126 * 512; i <= 127 * 512; ++i) x.push_back(static_cast<float>(i) / 512);
  for (int i = -252; i < 254; ++i)
    for (float away : {-1000.0f, 1000.0f}) x.push_back(std::nextafterf(static_cast<float>(i) / 2, away));
  const Powers got = powers_of(x);
  double unit = 0, polynomial = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] < -126) continue;
    const double exact = std::exp2(static_cast<double>(x[i]));
    unit = std::fmax(unit, std::abs(got.by_unit[i] - exact) / exact);
    polynomial = std::fmax(polynomial, std::abs(got.by_polynomial[i] - exact) / exact);
  }
  std::printf("  largest relative error: %.2g and %.2g\n", unit, polynomial);
  CHECK(unit < 1e-6 && polynomial < 4e-6);
  CHECK(polynomial > 1e-6);  // two ways indeed
}

void numbers_that_vanish() {
  const std::vector<float> x{-127, -127.5f, -500, -1e30f, -INFINITY, NAN};
  for (float y : powers_of(x).by_polynomial) CHECK(y == 0);
  for (float y : powers_of({-126.01f, -126.49f, -126.5f, -126.51f, -126.99f}).by_polynomial)
    CHECK(y >= 0 && y < 0x1p-126f);
  CHECK(powers_of({0}).by_polynomial[0] == 1 && powers_of({3}).by_polynomial[0] == 8);
}

}  // namespace
}  // namespace videomae::cuda

int main() {
  using namespace videomae;
  test::run_case("2^x: relative errors", cuda::relative_errors);
  test::run_case("2^x: numbers that vanish", cuda::numbers_that_vanish);
  return test::exit_status();
}
