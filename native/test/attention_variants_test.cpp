// Attention by kernels that can stand in for others (cuda/variants.h), each chosen in a process of its own: cases
// around the edges of each, values that are not finite, and bits that are the same in every order that the emulator
// lets threads and blocks run in, and not those of the kernel that it stands in for.
//
// `--cases NAME` and `--bits NAME` do so by the kernels that are chosen already; the test runs itself so.
// VIDEOMAE_TEST_TIMES=1 prints what each case takes.
#include "test/attention_device_cases.h"

namespace videomae::test {
namespace {

/// Around blocks of 64, 128 and 192 queries and of 96, 128, 160 and 176 keys, more pieces of work than blocks that run,
/// and the decoder's length.
void forward_by_wgmma() {
  const int64_t widths[] = {64, 80, 88, 72, 16};
  size_t next = 0;
  for (int64_t tokens : {1, 63, 65, 128, 129, 160, 161, 176, 208, 353}) {
    for (int64_t width : {widths[next % 5], widths[(next + 1) % 5]})
      compare({next % 3 == 0 ? 2 : 1, tokens, 1 + static_cast<int64_t>(next % 2), width}, bf16_forward);
    ++next;
  }
  compare({3, 65, 6, 64}, bf16_forward);
  compare({1, 944, 1, 64}, bf16_forward);
  for (double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    compare({2, 33, 1, 24}, bf16_forward, value);   // in a query of the second clip
    compare({1, 51, 1, 64}, bf16_forward, value);   // in a key whose exponentials are polynomials
    compare({1, 307, 1, 80}, bf16_forward, value);  // in such a key of the block that comes second
  }
}

void bits_of_forward_by_wgmma(Checksum& sum) {
  sum.add({1, 70, 2, 64}, bf16_forward);
  sum.add({2, 129, 1, 80}, bf16_forward);
  sum.add({1, 350, 1, 64}, bf16_forward);
  sum.add({1, 208, 1, 88}, bf16_forward);
}

/// Around pieces of 128 rows, steps of 64 and rings; heads and clips side by side, and heads narrower than a tile.
void backward_by_wgmma() {
  size_t next = 0;
  for (int64_t tokens : {1, 63, 65, 129, 160, 208})
    for (int64_t width : {64, 80, 88})
      compare({next % 3 == 0 ? 2 : 1, tokens, 1 + static_cast<int64_t>(next++ % 2), width}, bf16_plain);
  for (int64_t width : {8, 24, 72}) compare({2, 67, 2, width}, bf16_plain);
  for (int64_t width : {64, 88}) compare({3, 129, 2, width}, bf16_plain);  // three pieces a block and more
  compare({1, 400, 1, 88}, bf16_plain);
  compare({1, 944, 1, 64}, bf16_plain);
  for (double large : {3000, -3000}) compare({1, 1, 1, 64}, bf16_plain, large);  // P beyond the last key is infinite
  for (double value : {std::nan(""), HUGE_VAL, -HUGE_VAL})
    for (int64_t width : {64, 80}) compare({2, 65, 1, width}, bf16_plain, value);
}

void bits_of_backward_by_wgmma(Checksum& sum) {
  for (int64_t width : {64, 80, 88}) sum.add({1, 70, 2, width}, bf16_plain);
  sum.add({2, 224, 1, 64}, bf16_plain);
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

void bits_of_whole_heads(Checksum& sum) {
  for (int64_t width : {64, 80, 88}) sum.add({1, 70, 2, width}, bf16_plain);
  sum.add({3, 33, 9, 64}, bf16_plain);
}

/// Kernels that are tested together.
struct Variant {
  const char *name, *choices;
  void (*cases)();
  void (*bits)(Checksum&);
};
constexpr Variant variants[] = {
    {"forward-by-wgmma", "attention_forward=wgmma", forward_by_wgmma, bits_of_forward_by_wgmma},
    {"forward-by-wgmma3", "attention_forward=wgmma3", forward_by_wgmma, bits_of_forward_by_wgmma},
    {"backward-by-wgmma", "attention_backward=wgmma", backward_by_wgmma, bits_of_backward_by_wgmma},
    {"whole-heads", "attention_forward=head,attention_backward=head-pipelined", whole_heads, bits_of_whole_heads},
    {"heads-of-encoders", "attention_forward=head,attention_backward=head-pipelined", heads_of_encoders, nullptr},
};

std::string chosen(const Variant& variant) { return std::string("VIDEOMAE_CUDA_VARIANTS=") + variant.choices; }

std::string argument(const char* what, const Variant& variant) { return std::string(what) + " " + variant.name; }

void agree(const Variant& variant) {
  // With less shared memory fewer heads are loaded ahead, or the default kernels do the work.
  if (!variant.bits)
    for (int kib : {99, 163}) CHECK(succeeds(chosen(variant) + blocks_of(kib), argument("--cases", variant)));
  else
    CHECK(succeeds(chosen(variant), argument("--cases", variant)));
}

void bits_are_those_of_any_order(const Variant& variant) {
  const std::string bits = argument("--bits", variant), expected = printed(chosen(variant), bits);
  CHECK(expected != printed("", bits));  // it is another kernel
  expect_in_every_order(expected, chosen(variant), bits);
}

}  // namespace
}  // namespace videomae::test

int main(int argc, char** argv) {
  using namespace videomae::test;
  if (argc != 1 && argc != 3) return 2;
  for (const Variant& variant : variants) {
    const std::string name = variant.name;
    if (argc == 1) {
      run_case("attention: " + name, [&] { agree(variant); });
      if (variant.bits) run_case("attention: bits of " + name, [&] { bits_are_those_of_any_order(variant); });
    } else if (name == argv[2] && argv[1] == std::string("--bits")) {
      Checksum sum;
      variant.bits(sum);
      std::printf("%s\n", sum.text().c_str());
    } else if (name == argv[2]) {
      variant.cases();
      std::printf("%s: largest share of the allowed error: %.2f\n", variant.name, worst);
    }
  }
  return exit_status();
}
