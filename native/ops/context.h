// What a kernel gets besides its op, on any device.
#pragma once

#include <cstdint>

#include "core/device.h"
#include "ops/op_id.h"

namespace videomae {

/// What a kernel gets besides its op.
struct Context {
  /// As many bytes as the op's workspace() asked for, 64-byte aligned; 256-byte aligned on other devices than the CPU.
  void* workspace = nullptr;
  void* stream = nullptr;  // of a device
  DeviceLimits limits;     // of a device
  /// A word that a device's kernels write: fault_code() of an op that has met an index out of range and left it alone.
  int32_t* fault = nullptr;
  /// Whether kernels may begin before those ahead have ended (cuda/device/dependent_launch.cuh). A plug-in decides it.
  bool programmatic = false;
};

template <class Op>
constexpr int32_t fault_code() {
  return static_cast<int32_t>(IdOf<Op>::value) + 1;
}

}  // namespace videomae
