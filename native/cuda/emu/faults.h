// A memory access that the processor refuses, inside an emulated kernel, becomes fail() instead of a crash.
#pragma once

#include <csignal>
#include <memory>

namespace videomae::cuda::emu {

/// While it lives, SIGSEGV and SIGBUS of the running kernel are caught; others go where they went before.
class Faults {
 public:
  Faults();
  ~Faults();
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

 private:
  struct sigaction segment_before_, bus_before_;
  stack_t stack_before_;
};

}  // namespace videomae::cuda::emu
