// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): random numbers as a pure function
// of a counter and a key, so any element of any tensor can be drawn alone, in any order, on any device.
#pragma once

#include <cstdint>

#include "core/host_device.h"

namespace videomae {

struct PhiloxBlock {
  uint32_t words[4];
  VIDEOMAE_HOST_DEVICE uint32_t operator[](int i) const { return words[i]; }
  bool operator==(const PhiloxBlock& other) const {
    return words[0] == other[0] && words[1] == other[1] && words[2] == other[2] && words[3] == other[3];
  }
};

/// The key of a stream: the seed and a number that names what the stream is for.
struct PhiloxKey {
  uint32_t seed, stream;
};

VIDEOMAE_HOST_DEVICE inline PhiloxBlock philox(PhiloxBlock c, PhiloxKey key) {
  uint32_t k0 = key.seed, k1 = key.stream;
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c[0], p1 = uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

/// The key of what a training step draws: a stream for every (seed, update, micro-step), use (dropout, ...) and path of
/// a module. `step` holds those three numbers, integers below 2^53, so that a step that is captured once draws others
/// at every replay.
VIDEOMAE_HOST_DEVICE inline PhiloxKey philox_step_key(const double* step, uint32_t use, uint32_t path) {
  const uint64_t seed = static_cast<uint64_t>(step[0]), update = static_cast<uint64_t>(step[1]);
  const PhiloxBlock words = philox({static_cast<uint32_t>(update), static_cast<uint32_t>(update >> 32),
                                    static_cast<uint32_t>(static_cast<uint64_t>(step[2])), path},
                                   {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32) ^ use});
  return {words[0], words[1]};
}

/// Element `i` of a stream, uniform in [0, 1) with 53 bits: two elements a block.
VIDEOMAE_HOST_DEVICE inline double philox_uniform(PhiloxKey key, uint64_t i) {
  const uint64_t block = i >> 1;
  const PhiloxBlock words = philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0}, key);
  const uint32_t high = words[(i & 1) * 2] >> 5, low = words[(i & 1) * 2 + 1] >> 6;
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

}  // namespace videomae
