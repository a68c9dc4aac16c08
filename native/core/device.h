// Where a tensor lives. The CPU is always there; other devices come from a plug-in, opened when one is first asked for.
#pragma once

#include <cstdint>
#include <string>

namespace videomae {

/// `emu` runs the GPU's kernels on the CPU, to test them where there is no GPU.
enum class DeviceKind : uint8_t { cpu, cuda, emu };

constexpr const char* name_of(DeviceKind kind) {
  return kind == DeviceKind::cpu ? "cpu" : kind == DeviceKind::cuda ? "cuda" : "emu";
}

struct Device {
  DeviceKind kind = DeviceKind::cpu;
  int index = 0;  // among the devices of its kind

  bool is_cpu() const { return kind == DeviceKind::cpu; }
  bool operator==(const Device& other) const { return kind == other.kind && index == other.index; }
  bool operator!=(const Device& other) const { return !(*this == other); }
};

/// "cpu", "emu", "cuda:0"
inline std::string name_of(Device device) {
  const std::string kind = name_of(device.kind);
  const bool numbered = device.kind == DeviceKind::cuda || device.index != 0;
  return numbered ? kind + ":" + std::to_string(device.index) : kind;
}

/// What kernels may ask of a device. Of the CPU all is 0.
struct DeviceLimits {
  int32_t capability = 0;       // 80, 90: major and minor in one number
  int32_t multiprocessors = 0;  // that run blocks
  uint64_t shared_optin = 0;    // bytes of shared memory that one block can have
  uint64_t shared_per_sm = 0;   // bytes that all blocks of a multiprocessor share
};

}  // namespace videomae
