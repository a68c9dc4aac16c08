// The list of probes: what each is called, which GPU it needs, what it expects and, in the program `probe`, how it
// observes.
#pragma once

#include <cstring>

#include "cuda/probe/report.h"

namespace videomae::probe {

#define PROBE(name, capability) \
  void expect_##name(Report&);  \
  void observe_##name(Report&);
#include "cuda/probe/probes.def"
#undef PROBE

struct Expectation {
  const char* name;
  int capability;  ///< 80: 8.0 and newer; 90: 9.0 alone
  void (*expect)(Report&);
};

constexpr Expectation kExpectations[] = {
#define PROBE(name, capability) {#name, capability, expect_##name},
#include "cuda/probe/probes.def"
#undef PROBE
};

inline const Expectation* find_expectation(const char* name) {
  for (const Expectation& one : kExpectations) {
    if (!std::strcmp(one.name, name)) return &one;
  }
  return nullptr;
}

}  // namespace videomae::probe
