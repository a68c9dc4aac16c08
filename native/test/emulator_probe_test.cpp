// Every probe on the emulator, in every order of threads and under several seeds: what the emulator does is what the
// probes expect of the hardware. (Expectations are compared with what GPUs did in probe_expectation_test.)
#include "cuda/emu/launch.h"
#include "cuda/probe/probe.h"
#include "test/check.h"

namespace videomae::probe {
namespace {

using cuda::emu::Order;

struct Emulated {
  const char* name;
  void (*expect)(Report&);
  void (*observe)(Report&);
};

constexpr Emulated kProbes[] = {
#define PROBE(name, capability) {#name, expect_##name, observe_##name},
#include "cuda/probe/probes.def"
#undef PROBE
};

/// register_budget asks for registers, and the emulator has none. wgmma_operands takes a hundred thousand blocks to
/// look at every byte that wgmma_products reads a hundred of.
bool left_out(const char* name) {
  return !std::strcmp(name, "register_budget") || !std::strcmp(name, "wgmma_operands");
}

void compare(const Emulated& probe) {
  Report expected;
  probe.expect(expected);
  const auto run = [&](Order order, uint64_t seed) {
    cuda::emu::set_order(order, seed);
    Report observed;
    probe.observe(observed);
    const std::string difference = first_difference(expected.text(), observed.text());
    if (!difference.empty()) std::printf("%s\n", difference.c_str());
    CHECK(difference.empty());
  };
  try {
    run(Order::forward, 0);
    run(Order::reversed, 0);
    for (uint64_t seed = 1; seed <= 2; ++seed) run(Order::random, seed);
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
    CHECK(false);
  }
}

}  // namespace
}  // namespace videomae::probe

int main() {
  using namespace videomae;
  for (const probe::Emulated& one : probe::kProbes) {
    if (!probe::left_out(one.name)) test::run_case(std::string("probe ") + one.name, [&] { probe::compare(one); });
  }
  return test::exit_status();
}
