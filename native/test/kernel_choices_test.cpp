// Kernels that can stand in for one another, by way of the plug-in's interface, on the emulator: choices are taken and
// told, lines that are none are refused; and measuring finds every variant, leaves the bits of a run that is not
// measured, and says so where memory does not suffice. What agrees and what does not is native/cuda/agreement.h's.
#include <cmath>
#include <cstring>
#include <map>
#include <vector>

#include "core/accelerator.h"
#include "core/convert.h"
#include "cuda/agreement.h"
#include "ops/execute.h"
#include "test/check.h"

namespace videomae::test {
namespace {

constexpr Device emu{DeviceKind::emu, 0};

Accelerator& device() { return Accelerator::of(emu); }

template <class Function, class... Arguments>
void call(Function function, Arguments... arguments) {
  call_plugin(function, 0, arguments...);
}

void choose(const char* lines) { call(device().plugin().set_variants, lines); }

std::string choice(const char* work) {
  PluginChoice chosen;
  call(device().plugin().choice, work, &chosen);
  return chosen.variant;
}

/// Products that the device has met: their variants, and the one that was chosen. Ops have other work too.
std::map<std::string, std::pair<std::string, std::string>> works() {
  std::map<std::string, std::pair<std::string, std::string>> all;
  const auto take = [](void* to, const PluginWork* work) {
    if (std::strncmp(work->work, "gemm ", 5) == 0)
      (*static_cast<decltype(all)*>(to))[work->work] = {work->variants, work->chosen};
  };
  call(device().plugin().works, static_cast<void*>(&all), +take);
  return all;
}

struct Found {
  std::string work, op, variant, failure;
  double standard_ms, variant_ms, difference;
};

std::vector<Found> measurements() {
  std::vector<Found> all;
  const auto take = [](void* to, const PluginMeasurement* m) {
    if (std::strncmp(m->work, "gemm ", 5) != 0) return;
    static_cast<decltype(all)*>(to)->push_back(
        {m->work, m->op, m->variant, m->failure, m->standard_ms, m->variant_ms, m->difference});
  };
  call(device().plugin().measurements, static_cast<void*>(&all), +take);
  return all;
}

/// While it lives, the device is measured.
struct Measuring {
  Measuring() { call(device().plugin().measure, uint8_t{1}); }
  ~Measuring() { call(device().plugin().measure, uint8_t{0}); }
};

/// Numbers in [-1, 1) on the device.
Tensor drawn(const Shape& shape, DType dtype, uint64_t seed) {
  const Tensor t = Tensor::empty(shape, dtype, emu);
  const std::vector<float> values = numbers<float>(static_cast<size_t>(t.elements()), seed);
  std::vector<char> bytes(t.bytes());
  with_element(dtype, [&](auto type) {
    using T = decltype(type);
    for (size_t i = 0; i < values.size(); ++i) {
      const T element = convert<T>(values[i]);
      std::memcpy(bytes.data() + i * sizeof(T), &element, sizeof(T));
    }
  });
  device().upload(t.data(), bytes.data(), bytes.size());
  return t;
}

std::vector<char> bits(const Tensor& t) {
  std::vector<char> bytes(t.bytes());
  device().download(bytes.data(), t.data(), bytes.size());
  return bytes;
}

/// y = x weight^T + bias, (70, 41) by (72, 41): rows that begin anywhere, which fewer kernels can read.
Tensor product() {
  Linear op{{drawn({70, 41}, DType::bf16, 1)}, {drawn({72, 41}, DType::bf16, 2)}};
  op.bias = {drawn({72}, DType::f32, 3)};
  op.preactivation.wanted = false;
  execute(op);
  return op.y.tensor;
}

/// That product as it was met, the only one.
std::string work_of_product() {
  CHECK(works().size() == 1);
  return works().begin()->first;
}
std::string variants_of_product() { return works()[work_of_product()].first; }
std::string chosen_for_product() { return works()[work_of_product()].second; }

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

void choices_are_taken_and_told() {
  choose("");
  CHECK(works().empty());
  const std::vector<char> standard = bits(product());
  const std::string work = work_of_product(), first = chosen_for_product(), variants = variants_of_product();
  CHECK(ends_with(work, " 70 72 41") && variants.find(first + " ") == 0);
  CHECK(ends_with(variants, " mma-huge mma-large"));  // the plan takes the small tile
  choose((work + " = mma-large\ngemm = mma-huge\n").c_str());
  CHECK(works().empty());              // forgotten with the choices
  CHECK(bits(product()) == standard);  // the sums of one tile are those of another
  CHECK(variants_of_product() == variants && chosen_for_product() == "mma-large");
  CHECK(choice(work.c_str()) == "mma-large" && choice("gemm nn 1 2 3") == "mma-huge" && choice("other").empty());
  choose("gemm = mma-small");  // not among those of this product
  product();
  CHECK(chosen_for_product() == first);
  choose("");
}

void lines_that_are_none() {
  choose("gemm = mma-large");
  CHECK(throws_error("expected cublaslt or mma or mma-huge or", [] { choose("gemm nt 1 2 3 = fast"); }));
  CHECK(throws_error("got nothing", [] { choose("gemm nt 1 2 3"); }));
  CHECK(throws_error("got gym = mma", [] { choose("gym = mma"); }));
  CHECK(choice("gemm") == "mma-large");  // those before are still there
  choose("");
}

void measuring_finds_every_variant() {
  choose("");
  product();
  const std::string work = work_of_product(), variants = variants_of_product();
  {
    const Measuring measuring;
    choose("gemm = mma-large");  // is not looked at meanwhile
    const Tensor first = product(), second = product();
    CHECK(bits(first) == bits(second));
    CHECK(works().empty());
  }
  const std::vector<Found> found = measurements();
  std::string measured = variants.substr(0, variants.find(' '));
  for (const Found& one : found) {
    CHECK(one.work == work && one.op == "linear" && one.failure.empty());
    CHECK(one.standard_ms > 0 && one.variant_ms > 0 && one.difference == 0);
    measured += " " + one.variant;
  }
  CHECK(measured == variants);
  product();  // not measured
  CHECK(measurements().size() == found.size());
  choose("");
}

/// Two backward passes of a linear layer that add to the same gradients.
std::vector<std::vector<char>> two_backward_passes() {
  const Tensor grad_weight = drawn({72, 41}, DType::f32, 10), grad_bias = drawn({72}, DType::f32, 11);
  std::vector<std::vector<char>> left;
  for (uint64_t step = 0; step < 2; ++step) {
    LinearBackward op{};
    op.grad_y = {drawn({70, 72}, DType::bf16, 20 + step)};
    op.x = {{drawn({70, 41}, DType::bf16, 30 + step)}};
    op.weight = {drawn({72, 41}, DType::bf16, 40)};
    op.grad_weight.add_to(grad_weight), op.grad_bias.add_to(grad_bias);
    op.grad_input_bias.wanted = false;
    execute(op);
    left.push_back(bits(op.grad_x.tensor));
  }
  left.push_back(bits(grad_weight)), left.push_back(bits(grad_bias));
  return left;
}

/// Two updates of 100 parameters.
std::vector<std::vector<char>> two_updates() {
  const auto f64 = [](double value) {
    const Tensor t = Tensor::empty({}, DType::f64, emu);
    device().upload(t.data(), &value, sizeof value);
    return In{t};
  };
  const auto zeros = [](const Shape& shape, DType dtype) {
    const Tensor t = Tensor::empty(shape, dtype, emu);
    device().fill(t.data(), 0, t.bytes());
    return t;
  };
  AdamW op{};
  op.parameters = {drawn({112}, DType::f32, 1)}, op.copies = {drawn({112}, DType::bf16, 1)};
  op.exp_avg = {zeros({112}, DType::f32)}, op.exp_avg_sq = {zeros({112}, DType::f32)};
  op.updates = {zeros({}, DType::i32)};
  const Tensor segments = Tensor::empty({1, 2}, DType::i32, emu), scales = Tensor::empty({1}, DType::f64, emu);
  const int32_t segment[] = {7, 1};
  const double scale = 1;
  device().upload(segments.data(), segment, sizeof segment), device().upload(scales.data(), &scale, sizeof scale);
  op.segments = {segments}, op.rate_scales = {scales};
  op.learning_rate = f64(0.1), op.weight_decay = f64(0.05);
  for (uint64_t step = 0; step < 2; ++step) {
    op.gradients = {drawn({112}, DType::f32, 50 + step)};
    execute(op);
  }
  return {bits(op.parameters.tensor), bits(op.exp_avg.tensor), bits(op.exp_avg_sq.tensor), bits(op.updates.tensor),
          bits(op.copies.tensor)};
}

void what_is_changed_in_place_is_put_back() {
  const auto backward = two_backward_passes(), updates = two_updates();
  const Measuring measuring;
  CHECK(two_backward_passes() == backward);
  CHECK(two_updates() == updates);
  size_t products = 0;
  for (const Found& one : measurements()) {
    CHECK(one.failure.empty());
    products += one.op == "linearBackward";
  }
  CHECK(products >= 4);  // two products by two variants each, or more
}

void memory_for_copies() {
  const Tensor grad_weight = drawn({720, 400}, DType::f32, 10);  // 1152 KB
  const Tensor grad_y = drawn({16, 720}, DType::bf16, 20), x = drawn({16, 400}, DType::bf16, 30);
  const Tensor weight = drawn({720, 400}, DType::bf16, 40);
  std::vector<Tensor> filling;
  Tensor room = Tensor::empty({1 << 19}, DType::u8, emu);
  for (int64_t bytes = 1 << 29; bytes >= 256;) {
    try {
      filling.push_back(Tensor::empty({bytes}, DType::u8, emu));
    } catch (const Error&) {
      bytes /= 2;
    }
  }
  room = Tensor();
  empty_cache(emu);
  const Measuring measuring;
  const auto add = [&] {
    LinearBackward op{};
    op.grad_y = {grad_y}, op.x = {{x}}, op.weight = {weight};
    op.grad_weight.add_to(grad_weight);
    op.grad_x.wanted = op.grad_bias.wanted = op.grad_input_bias.wanted = false;
    execute(op);
  };
  CHECK(throws_error("measuring linearBackward: expected 2 MiB of memory for a copy of what it changes", add));
  add();  // there is nothing new to be measured: no copy is needed
}

void agreement() {
  using cuda::compare;
  const std::vector<float> b = numbers<float>(1000, 5);
  const auto judged = [&](const std::vector<float>& a, bool coarse) {
    return compare(a.data(), b.data(), 1000, DType::f32, coarse);
  };
  CHECK(judged(b, false).failure.empty() && judged(b, false).difference == 0);
  std::vector<float> a = b;
  for (float& x : a) x *= 1.003f;
  CHECK(judged(a, true).failure.empty() && std::abs(judged(a, true).difference - 0.003) < 1e-5);
  CHECK(judged(a, false).failure.find("relative difference 0.003") == 0);
  a = b, a[7] += 0.2f;
  CHECK(judged(a, true).failure.find("relative difference") == 0);
  a = b, a[7] += 0.1f;
  CHECK(judged(a, true).failure.find("largest difference") == 0);
  a = b, a[7] = NAN;
  CHECK(judged(a, true).failure.find("element 7 is nan") == 0);
  const int32_t seven = 7, eight = 8;
  CHECK(compare(&seven, &seven, 1, DType::i32, true).failure.empty());
  CHECK(!compare(&seven, &eight, 1, DType::i32, true).failure.empty());
  const float infinite[] = {INFINITY, NAN, 1}, finite[] = {1e38f, NAN, 1};
  CHECK(compare(infinite, infinite, 3, DType::f32, true).failure.empty());
  CHECK(!compare(finite, infinite, 3, DType::f32, true).failure.empty());
}

}  // namespace
}  // namespace videomae::test

int main() {
  using namespace videomae::test;
  run_case("choices are taken and told", choices_are_taken_and_told);
  run_case("lines that are none", lines_that_are_none);
  run_case("measuring finds every variant", measuring_finds_every_variant);
  run_case("what is changed in place is put back", what_is_changed_in_place_is_put_back);
  run_case("memory for copies", memory_for_copies);
  run_case("agreement", agreement);
  return exit_status();
}
