// Where a tensor lives. The CPU is always there; other devices register their kernels when a plug-in is loaded.
#pragma once

#include <cstdint>

namespace videomae {

enum class DeviceKind : uint8_t { cpu, cuda, emu };

constexpr const char* name_of(DeviceKind kind) {
  return kind == DeviceKind::cpu ? "cpu" : kind == DeviceKind::cuda ? "cuda" : "emu";
}

}  // namespace videomae
