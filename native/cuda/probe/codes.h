// Codes: bf16 numbers that name a place. One matrix holds codes, the other a single 1; each product is then a code or
// 0, exact in f32, and says which place met the 1.
#pragma once

#include <cstdint>
#include <cstring>

#include "cuda/device/host_device.h"

namespace videomae::probe {

constexpr uint16_t kOne = 0x3F80;   // 1.0 in bf16
constexpr int kFirstCode = 0x3000;  // normal, and so are the kCodes bit patterns behind it
constexpr int kCodes = 0x4000;

/// The bits of code `place`, 0 <= place < kCodes.
VIDEOMAE_HOST_DEVICE constexpr uint16_t code_bits(int place) { return static_cast<uint16_t>(kFirstCode + place); }

/// The place that an f32's bits name; -1 for 0, -2 when they are no code.
VIDEOMAE_HOST_DEVICE constexpr int code_place(uint32_t bits) {
  const int place = static_cast<int>(bits >> 16) - kFirstCode;
  return bits == 0 ? -1 : (bits & 0xFFFF) || place < 0 || place >= kCodes ? -2 : place;
}

inline uint32_t float_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

/// Registers come in pairs of numbers: two halves of one register, or two f32 registers. A pair of the whole warp or
/// warpgroup is `2 * threads` numbers: number = pair * 2 * threads + thread * 2 + low.
VIDEOMAE_HOST_DEVICE constexpr int number_of(int threads, int thread, int pair, int low) {
  return pair * 2 * threads + thread * 2 + low;
}

}  // namespace videomae::probe
