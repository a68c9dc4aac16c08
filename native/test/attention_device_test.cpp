// Attention on a device by the kernels that run where nothing is chosen: token counts and head widths around every edge
// (blocks of 16, steps of 32, rings of 64, a head on one block or not), heads and clips side by side, operands that
// begin anywhere, cosine attention, and values that are not finite. And the bits are the same in every order that the
// emulator lets threads and blocks run in.
//
// `--bits` prints a checksum of some results, `--tokens-of-encoders` runs that case alone: the test runs itself so.
// `--long` compares the numbers of tokens of whole clips, which takes long.
#include "test/attention_device_cases.h"

namespace videomae::test {
namespace {

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

/// The kernels that are taken where a head does not fit into a block's shared memory.
void tokens_of_encoders_in_99_kib() { CHECK(succeeds(blocks_of(99), "--tokens-of-encoders")); }

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

/// Of every kernel.
std::string bits() {
  Checksum sum;
  for (int64_t width : {64, 80, 88, 128}) sum.add({1, 70, 2, width}, bf16_plain);
  sum.add({1, 224, 1, 128}, bf16_plain);
  sum.add({1, 70, 1, 40}, {DType::bf16, true});
  sum.add({1, 70, 1, 40}, {DType::f32, true});
  sum.add({1, 70, 1, 88}, {DType::bf16, false, true});
  return sum.text();
}

void bits_are_those_of_any_order() {
  const std::string expected = bits();
  CHECK(bits() == expected);
  expect_in_every_order(expected, "", "--bits");
}

}  // namespace
}  // namespace videomae::test

int main(int argc, char** argv) {
  using namespace videomae::test;
  const std::string argument = argc > 1 ? argv[1] : "";
  if (argument == "--bits") {
    std::printf("%s\n", bits().c_str());
    return 0;
  }
  if (argument == "--tokens-of-encoders") {
    run_case("attention: tokens of encoders", tokens_of_encoders);
    return exit_status();
  }
  if (argument == "--long") {
    run_case("attention: tokens of whole clips", tokens_of_whole_clips);
    return exit_status();
  }
  run_case("attention: token counts and head widths", token_counts_and_widths);
  run_case("attention: tokens of encoders", tokens_of_encoders);
  run_case("attention: tokens of encoders, in blocks of 99 KiB of shared memory", tokens_of_encoders_in_99_kib);
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
