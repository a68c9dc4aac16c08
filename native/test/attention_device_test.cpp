// Attention on a device against the CPU's f64 kernels on the same values, by the law of conformance_law.h: token counts
// and head widths around every edge of the kernels (blocks of 16, steps of 32, rings of 64, a head on one block or
// not), heads and clips side by side, operands that begin anywhere, cosine attention, and values that are not finite.
// And the bits are the same in every order that the emulator lets threads and blocks run in.
//
// `attention_device_test --bits` prints a checksum of some results; the test runs itself so under other orders.
// `--tokens-of-encoders`, `--heads-of-encoders` and `--whole-heads` run these cases alone; the test runs itself so with
// kernels that are not chosen by themselves, and where blocks have less shared memory. `--long` compares the numbers of
// tokens of whole clips, which takes long.
#include <unistd.h>

#include <chrono>
#include <cmath>

#include "core/accelerator.h"
#include "ops/execute.h"
#include "test/check.h"
#include "test/conformance_law.h"

namespace videomae::test {
namespace {

constexpr Device emu{DeviceKind::emu, 0};

struct Size {
  int64_t batch, tokens, heads, width;
  std::string text() const {
    std::string all;
    for (int64_t n : {batch, tokens, heads, width}) all += (all.empty() ? "" : " x ") + std::to_string(n);
    return all;
  }
};

struct Kind {
  DType dtype;
  bool cosine = false, shifted = false;  // shifted: operands begin one element further on
  std::string text() const {
    return std::string(name_of(dtype)) + (cosine ? ", cosine" : "") + (shifted ? ", unaligned" : "");
  }
};

Tensor on_device(const Tensor& t, bool shifted) {
  Tensor all = Tensor::empty({t.elements() + 1}, t.dtype(), emu);
  const Tensor moved = all.view(shifted ? 1 : 0, t.shape());
  Accelerator::of(emu).upload(moved.data(), t.data(), t.bytes());
  return moved;
}

/// t in another dtype.
Tensor converted(const Tensor& t, DType dtype) {
  const Tensor result = Tensor::empty(t.shape(), dtype);
  with_element(t.dtype(), [&](auto from) {
    with_element(dtype, [&](auto to) {
      for (int64_t i = 0; i < t.elements(); ++i)
        result.data<decltype(to)>()[i] = convert<decltype(to)>(t.data<decltype(from)>()[i]);
    });
  });
  return result;
}

Result result_of(const char* field, const Tensor& t) {
  std::vector<char> bytes(t.bytes());
  if (t.device().is_cpu())
    std::memcpy(bytes.data(), t.data(), t.bytes());
  else
    Accelerator::of(t.device()).download(bytes.data(), t.data(), t.bytes());
  return {field, t.shape(), t.dtype(), bytes};
}

/// What both passes gave, on the device and in f64.
struct Outcome {
  std::vector<Result> got, wide;
};

/// The operands of a case, exact in its dtype. `plant` goes into the middle of qkv.
struct Operands {
  Tensor qkv, grad_y, logit_scale;  // (B, N, 3, H, K), (B, N, H, K), (H)

  Operands(const Size& s, const Kind& kind, double plant) {
    Draw draw(DType::f64, static_cast<uint32_t>(s.tokens * 131 + s.width), kind.dtype);
    qkv = draw.real({s.batch, s.tokens, 3 * s.heads * s.width}, -2, 2).tensor;
    grad_y = draw.real({s.batch, s.tokens, s.heads * s.width}).tensor;
    if (kind.cosine) logit_scale = draw.real({s.heads}, 2, 10).tensor;
    if (plant != 0) qkv.data<double>()[qkv.elements() / 2] = plant;
  }
};

Attention forward_op(const Operands& operands, int64_t heads, const Kind& kind, bool device) {
  const auto place = [&](const Tensor& t, DType dtype) {
    return device ? on_device(converted(t, dtype), kind.shifted) : t;
  };
  Attention op;
  op.qkv.tensor = place(operands.qkv, kind.dtype), op.heads = heads;
  if (kind.cosine) op.logit_scale.tensor = place(operands.logit_scale, wide_of(kind.dtype));
  execute(op);
  return op;
}

/// Backward of y and lse as the dtype rounds those of the f64 forward pass.
AttentionBackward backward_op(const Operands& operands, const Attention& forward, int64_t heads, const Kind& kind,
                              bool device) {
  const auto place = [&](const Tensor& t, DType dtype) {
    const Tensor rounded = converted(t, dtype);
    return device ? on_device(rounded, kind.shifted) : converted(rounded, DType::f64);
  };
  AttentionBackward op;
  op.qkv.tensor = place(operands.qkv, kind.dtype), op.grad_y.tensor = place(operands.grad_y, kind.dtype);
  op.y.tensor = place(forward.y.tensor, kind.dtype), op.lse.tensor = place(forward.lse.tensor, wide_of(kind.dtype));
  if (kind.cosine) op.logit_scale.tensor = place(operands.logit_scale, wide_of(kind.dtype));
  op.heads = heads;
  execute(op);
  return op;
}

Outcome run(const Size& s, const Kind& kind, double plant = 0, bool reference = true) {
  const Operands operands(s, kind, plant);
  const Attention wide = forward_op(operands, s.heads, {DType::f64, kind.cosine}, false);
  const Attention got = forward_op(operands, s.heads, kind, true);
  const AttentionBackward got_backward = backward_op(operands, wide, s.heads, kind, true);
  Outcome outcome;
  const auto collect = [](std::vector<Result>& all, const Attention& op, const AttentionBackward& backward) {
    all = {result_of("y", op.y.tensor), result_of("lse", op.lse.tensor),
           result_of("gradQkv", backward.grad_qkv.tensor)};
    if (backward.grad_logit_scale.wanted) all.push_back(result_of("gradLogitScale", backward.grad_logit_scale.tensor));
  };
  collect(outcome.got, got, got_backward);
  if (reference) collect(outcome.wide, wide, backward_op(operands, wide, s.heads, kind, false));
  return outcome;
}

/// Relative error of y as the straightforward bf16 computation has it: probabilities rounded to bf16, then y. It can be
/// more than the law's 2^-9 where rows are short and values cancel.
double naive_error(const Operands& operands, const Size& s) {
  const double* qkv = operands.qkv.data<double>();
  const auto at = [&](int64_t b, int64_t n, int64_t part, int64_t h, int64_t c) {
    return qkv[(((b * s.tokens + n) * 3 + part) * s.heads + h) * s.width + c];
  };
  double difference = 0, norm = 0;
  std::vector<double> p(static_cast<size_t>(s.tokens));
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t n = 0; n < s.tokens; ++n) {
        double total = 0;
        for (int64_t m = 0; m < s.tokens; ++m) {
          double logit = 0;
          for (int64_t c = 0; c < s.width; ++c) logit += at(b, n, 0, h, c) * at(b, m, 1, h, c);
          total += p[m] = std::exp(logit / std::sqrt(static_cast<double>(s.width)));
        }
        for (int64_t c = 0; c < s.width; ++c) {
          double exact = 0, naive = 0;
          for (int64_t m = 0; m < s.tokens; ++m) {
            exact += p[m] / total * at(b, m, 2, h, c);
            naive += rounded(p[m] / total, DType::bf16) * at(b, m, 2, h, c);
          }
          const double error = rounded(naive, DType::bf16) - exact;
          difference += error * error, norm += exact * exact;
        }
      }
  return std::sqrt(difference / norm);
}

double relative_error(const Result& got, const Result& wide) {
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < got.shape.elements(); ++i)
    difference += std::pow(got.at(i) - wide.at(i), 2), norm += std::pow(wide.at(i), 2);
  return std::sqrt(difference / norm);
}

double worst = 0;  // share of the allowed error that was used

void compare(const Size& s, const Kind& kind, double plant = 0) {
  const auto start = std::chrono::steady_clock::now();
  Outcome outcome;
  try {
    outcome = run(s, kind, plant);
  } catch (const Error& error) {
    ++failures;
    std::printf("FAILED %s (%s): %s\n", s.text().c_str(), kind.text().c_str(), error.what());
  }
  for (size_t i = 0; i < outcome.got.size(); ++i) {
    const Result &got = outcome.got[i], &wide = outcome.wide[i];
    const Verdict verdict =
        i < 2 ? judge<Attention>(got, wide, kind.dtype) : judge<AttentionBackward>(got, wide, kind.dtype);
    worst = std::fmax(worst, verdict.share);
    if (!verdict.failure.empty()) {
      if (i == 0 && kind.dtype == DType::bf16 && !kind.cosine && plant == 0 &&
          relative_error(got, wide) <= 2 * naive_error(Operands(s, kind, 0), s) + 2e-5)
        continue;
      ++failures;
      std::printf("FAILED %s (%s): %s %s\n", s.text().c_str(), kind.text().c_str(), got.field.c_str(),
                  verdict.failure.c_str());
    }
  }
  if (std::getenv("VIDEOMAE_TEST_TIMES"))
    std::printf("%s (%s): %.2f s\n", s.text().c_str(), kind.text().c_str(),
                std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

const Kind bf16_plain{DType::bf16}, f32_plain{DType::f32};

void token_counts_and_widths() {
  // Every count with every class of width; heads and clips in turn, so that neighbours would be noticed.
  const int64_t widths[] = {64, 80, 88, 128, 1, 8, 16, 33, 96};
  size_t next = 0;
  for (int64_t tokens : {1, 7, 16, 37, 64, 65})
    for (int64_t width : widths) {
      const Size s{next % 3 == 0 ? 2 : 1, tokens, 1 + static_cast<int64_t>(next % 2), width};
      compare(s, bf16_plain);
      if (next++ % 3 == 0) compare(s, f32_plain);
    }
}

void tokens_of_encoders() {
  compare({1, 160, 2, 64}, bf16_plain);
  compare({1, 160, 1, 80}, bf16_plain);
  compare({1, 208, 1, 88}, bf16_plain);
  compare({1, 160, 1, 64}, f32_plain);
  compare({1, 208, 1, 88}, f32_plain);
}

/// More heads of encoders than run at once, so that blocks go on to others.
void heads_of_encoders() {
  for (const Size& s : {Size{1, 160, 9, 64}, {1, 160, 5, 80}, {1, 208, 5, 88}}) compare(s, bf16_plain);
}

/// Likewise at the edges of kernels that do whole heads, and beyond them.
void whole_heads() {
  heads_of_encoders();
  for (const Size& s : {Size{5, 1, 11, 64},
                        {3, 15, 9, 72},
                        {3, 17, 9, 80},
                        {1, 100, 9, 8},
                        {1, 176, 5, 88},
                        {1, 192, 5, 80},
                        {1, 224, 5, 64}})
    compare(s, bf16_plain);
}

constexpr const char* kWholeHeads = "VIDEOMAE_CUDA_VARIANTS=attention_forward=head,attention_backward=head-pipelined";

/// The command that runs this test with other settings of the environment.
std::string self_with(const std::string& settings, const char* argument) {
  char self[4096] = {};
  CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
  return settings + " '" + self + "' " + argument;
}

/// Shared memory of a block: 99 KiB with capability 8.6 and 8.9, 163 KiB with 8.0.
std::string blocks_of(int kib) { return " VIDEOMAE_EMU_SHARED_MEMORY=" + std::to_string(kib << 10); }

/// The kernels that are chosen where a head does not fit into a block's shared memory.
void tokens_of_encoders_in_99_kib() {
  CHECK(std::system(self_with(blocks_of(99), "--tokens-of-encoders").c_str()) == 0);
}

void variants_of_whole_heads() {
  CHECK(std::system(self_with(kWholeHeads, "--whole-heads").c_str()) == 0);
  for (int kib : {99, 163})
    CHECK(std::system(self_with(kWholeHeads + blocks_of(kib), "--heads-of-encoders").c_str()) == 0);
}

/// Clips of 16 frames of 224 in patches of 14, less those of a mask, and of patches of 16 whole; and clips that are
/// longer.
void tokens_of_whole_clips() {
  for (int64_t tokens : {1232, 1568, 2048}) compare({1, tokens, 1, 64}, bf16_plain);
}

void more_than_one_block_holds() {
  // One block a head no longer: two kernels, and rings that go round.
  compare({1, 400, 1, 64}, bf16_plain);
  compare({1, 208, 1, 80}, bf16_plain);
  compare({1, 272, 1, 88}, bf16_plain);
  compare({1, 208, 1, 128}, bf16_plain);
  compare({1, 944, 1, 64}, bf16_plain);
}

void unaligned_operands() {
  for (int64_t width : {64, 88, 16, 128, 80}) compare({2, 65, 2, width}, {DType::bf16, false, true});
  for (int64_t width : {64, 88}) compare({2, 65, 2, width}, {DType::f32, false, true});
}

void cosine_attention() {
  for (DType dtype : {DType::bf16, DType::f32}) {
    compare({2, 37, 3, 16}, {dtype, true});
    compare({1, 65, 2, 80}, {dtype, true});
    compare({1, 160, 1, 64}, {dtype, true});
    compare({2, 70, 2, 33}, {dtype, true, true});
  }
}

void values_that_are_not_finite() {
  for (double value : {std::nan(""), HUGE_VAL, -HUGE_VAL})
    for (DType dtype : {DType::bf16, DType::f32}) {
      compare({1, 40, 2, 64}, {dtype}, value);  // in a key
      compare({2, 33, 1, 24}, {dtype}, value);  // in a query of the second clip
      compare({1, 45, 1, 16}, {dtype, true}, value);
    }
}

void no_clips() {
  Attention op;
  op.qkv.tensor = Tensor::empty({0, 4, 3 * 2 * 8}, DType::bf16, emu), op.heads = 2;
  execute(op);
  AttentionBackward backward;
  backward.qkv = op.qkv, backward.heads = 2;
  backward.grad_y.tensor = backward.y.tensor = op.y.tensor, backward.lse.tensor = op.lse.tensor;
  backward.logit_scale.tensor = Tensor::empty({2}, DType::f32, emu);
  execute(backward);
  const Result gradient = result_of("gradLogitScale", backward.grad_logit_scale.tensor);
  CHECK(gradient.at(0) == 0 && gradient.at(1) == 0);
}

void wide_numbers_are_refused() {
  Attention op;
  op.qkv.tensor = Tensor::empty({1, 2, 3}, DType::f64, emu);
  try {
    execute(op);
    CHECK(!"attention in f64 on a device was not refused");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("f64") != std::string::npos);
  }
}

/// A checksum over results of every kernel.
std::string bits() {
  uint64_t hash = 14695981039346656037u;
  const auto add = [&](const Size& s, const Kind& kind) {
    for (const Result& result : run(s, kind, 0, false).got)
      for (char byte : result.bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211u;
  };
  for (int64_t width : {64, 80, 88, 128}) add({1, 70, 2, width}, bf16_plain);
  add({1, 224, 1, 128}, bf16_plain);
  add({3, 33, 9, 64}, bf16_plain);
  add({1, 70, 1, 40}, {DType::bf16, true});
  add({1, 70, 1, 40}, {DType::f32, true});
  add({1, 70, 1, 88}, {DType::bf16, false, true});
  return std::to_string(hash);
}

std::string bits_with(const std::string& settings) {
  FILE* output = popen(self_with(settings, "--bits").c_str(), "r");
  char line[64] = {};
  CHECK(output && fgets(line, sizeof line, output));
  if (output) CHECK(pclose(output) == 0);
  return line;
}

void bits_are_those_of_any_order() {
  const std::string expected = bits();
  CHECK(bits() == expected);
  const std::string of_variants = bits_with(kWholeHeads);
  int seed = 1;
  for (const char* order : {"forward", "reversed", "random", "random"}) {
    const std::string settings =
        "VIDEOMAE_EMU_ORDER=" + std::string(order) + " VIDEOMAE_EMU_SEED=" + std::to_string(++seed) + " ";
    CHECK(bits_with(settings) == expected + "\n");
    CHECK(bits_with(settings + kWholeHeads) == of_variants);
  }
}

}  // namespace
}  // namespace videomae::test

int main(int argc, char** argv) {
  using namespace videomae::test;
  if (argc > 1 && std::string(argv[1]) == "--bits") {
    std::printf("%s\n", bits().c_str());
    return 0;
  }
  if (argc > 1 && std::string(argv[1]) == "--tokens-of-encoders") {
    run_case("attention: tokens of encoders", tokens_of_encoders);
    return exit_status();
  }
  if (argc > 1 && std::string(argv[1]) == "--heads-of-encoders") {
    run_case("attention: heads of encoders", heads_of_encoders);
    return exit_status();
  }
  if (argc > 1 && std::string(argv[1]) == "--whole-heads") {
    run_case("attention: whole heads", whole_heads);
    return exit_status();
  }
  if (argc > 1 && std::string(argv[1]) == "--long") {
    run_case("attention: tokens of whole clips", tokens_of_whole_clips);
    return exit_status();
  }
  run_case("attention: token counts and head widths", token_counts_and_widths);
  run_case("attention: tokens of encoders", tokens_of_encoders);
  run_case("attention: tokens of encoders, in blocks of 99 KiB of shared memory", tokens_of_encoders_in_99_kib);
  run_case("attention: variants that do whole heads", variants_of_whole_heads);
  run_case("attention: more tokens than one block holds", more_than_one_block_holds);
  run_case("attention: operands that begin anywhere", unaligned_operands);
  run_case("attention: cosine", cosine_attention);
  run_case("attention: values that are not finite", values_that_are_not_finite);
  run_case("attention: no clips", no_clips);
  run_case("attention: f64 is refused", wide_numbers_are_refused);
  run_case("attention: bits are those of any order", bits_are_those_of_any_order);
  std::printf("largest share of the allowed error: %.2f\n", worst);
  return exit_status();
}
