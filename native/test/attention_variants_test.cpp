// Attention by kernels that can stand in for others (cuda/variants.h), each chosen in a process of its own: cases
// around the edges of each, values that are not finite, and bits that are the same in every order that the emulator
// lets threads and blocks run in.
//
// `--cases`, `--heads` and `--bits`, before the variant's name, do a part of it by the kernels that are chosen already;
// the test runs itself so.
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

/// A kernel that is tested.
struct Variant {
  std::string family, kernel;
  void (*cases)();
  void (*bits)(Checksum&);
  bool small_gpus = false;  // where less shared memory is another case: less is loaded ahead, or the default takes over

  std::string text() const { return family + "=" + kernel; }
  std::string environment() const { return "VIDEOMAE_CUDA_VARIANTS=" + text(); }
};
const Variant variants[] = {
    {"attention_forward", "head", whole_heads, bits_of_whole_heads, true},
    {"attention_backward", "head-pipelined", whole_heads, bits_of_whole_heads, true},
    {"attention_forward", "wgmma", forward_by_wgmma, bits_of_forward_by_wgmma},
    {"attention_forward", "wgmma3", forward_by_wgmma, bits_of_forward_by_wgmma},
    {"attention_backward", "wgmma", backward_by_wgmma, bits_of_backward_by_wgmma},
};

/// Whether the device has done work by this kernel.
bool was_taken(const Variant& variant) {
  struct Search {
    const Variant& variant;
    bool found = false;
  } search{variant};
  const auto look = [](void* to, const PluginWork* work) {
    Search& s = *static_cast<Search*>(to);
    s.found =
        s.found || (std::string(work->work).find(s.variant.family + " ") == 0 && work->chosen == s.variant.kernel);
  };
  call_plugin(Accelerator::of(emu).plugin().works, 0, static_cast<void*>(&search), +look);
  return search.found;
}

void agree(const Variant& variant) {
  CHECK(succeeds(variant.environment(), "--cases " + variant.text()));
  if (variant.small_gpus)
    for (int kib : {99, 163}) CHECK(succeeds(variant.environment() + blocks_of(kib), "--heads " + variant.text()));
}

void bits_are_those_of_any_order(const Variant& variant) {
  const std::string bits = "--bits " + variant.text();
  expect_in_every_order(printed(variant.environment(), bits), variant.environment(), bits);
}

/// What a process of its own does.
void run_alone(const Variant& variant, const std::string& what) {
  if (what == "--bits") {
    Checksum sum;
    variant.bits(sum);
    std::printf("%s\n", sum.text().c_str());
    return;
  }
  what == "--heads" ? heads_of_encoders() : variant.cases();
  if (what == "--cases") CHECK(was_taken(variant));
  std::printf("%s: largest share of the allowed error: %.2f\n", variant.text().c_str(), worst);
}

}  // namespace
}  // namespace videomae::test

int main(int argc, char** argv) {
  using namespace videomae::test;
  if (argc != 1 && argc != 3) return 2;
  for (const Variant& variant : variants) {
    if (argc == 3) {
      if (variant.text() == argv[2]) run_alone(variant, argv[1]);
      continue;
    }
    run_case("attention: " + variant.text(), [&] { agree(variant); });
    run_case("attention: bits of " + variant.text(), [&] { bits_are_those_of_any_order(variant); });
  }
  return exit_status();
}
