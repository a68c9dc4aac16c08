// The copy engine's tiles, as stretches of one 16-byte chunk or less: what a swizzle keeps together.
#include "cuda/emu/tensor_map.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "cuda/emu/bulk_copy.h"
#include "cuda/emu/scheduler.h"

namespace videomae::cuda::emu {
namespace {

constexpr uint16_t kNan = 0x7FFF;

/// The stretches of a box, element by element where it hangs over the tensor's side.
void stretch_out(const CUtensorMap& map, const int (&corner)[3], unsigned char* shared, std::vector<Stretch>& out) {
  const uint32_t base = shared_address(shared);
  const uint32_t planes = map.rank == 3 ? map.box[2] : 1;
  for (uint32_t z = 0; z < planes; ++z) {
    for (uint32_t y = 0; y < map.box[1]; ++y) {
      for (uint32_t x = 0; x < map.box[0]; ++x) {
        const int64_t at[3] = {corner[0] + int64_t{x}, corner[1] + int64_t{y}, corner[2] + int64_t{z}};
        bool inside = true;
        for (int axis = 0; axis < map.rank; ++axis) {
          inside = inside && at[axis] >= 0 && at[axis] < static_cast<int64_t>(map.size[axis]);
        }
        unsigned char* global = nullptr;
        if (inside) {
          global = map.global + at[0] * 2 + at[1] * static_cast<int64_t>(map.stride_bytes[0]);
          if (map.rank == 3) global += at[2] * static_cast<int64_t>(map.stride_bytes[1]);
        }
        const uint32_t linear = base + ((z * map.box[1] + y) * map.box[0] + x) * 2;
        unsigned char* place = shared + (swizzled(linear, map.swizzle) - base);
        if (!out.empty()) {
          Stretch& last = out.back();
          const bool follows = last.shared + last.bytes == place && last.bytes < 16 && x % 8 != 0;
          const bool together = global ? last.global && last.global + last.bytes == global : !last.global;
          if (follows && together) {
            last.bytes += 2;
            continue;
          }
        }
        out.push_back({place, global, 2, map.fill});
      }
    }
  }
}

void check(const CUtensorMap& map, int rank, const void* shared, const char* what) {
  if (map.rank != rank) fail("as many coordinates as the tensor has axes", "%s with %d for %d", what, rank, map.rank);
  const uint32_t aligned = map.swizzle == Swizzle::none ? 128 : swizzle_period(map.swizzle);
  const uint32_t address = shared_address(shared);
  if (address % (aligned < 128 ? 128 : aligned)) {
    fail("a tile that begins where its swizzle pattern does", "%s at shared address %u, not a multiple of %u", what,
         address, aligned);
  }
}

}  // namespace

CUtensorMap tensor_map(const void* global, int rank, const uint64_t* size, const uint64_t* stride_bytes,
                       const uint32_t* box, Swizzle swizzle, bool fill_nan) {
  const auto refuse = [](const std::string& why) { throw std::runtime_error("tensor map: " + why); };
  if (rank != 2 && rank != 3) refuse("rank " + std::to_string(rank) + ", not 2 or 3");
  if (reinterpret_cast<uintptr_t>(global) % 16) refuse("the tensor does not begin at a multiple of 16 bytes");
  CUtensorMap map{static_cast<unsigned char*>(const_cast<void*>(global)),
                  rank,
                  {1, 1, 1},
                  {},
                  {1, 1, 1},
                  swizzle,
                  fill_nan ? kNan : uint16_t{0}};
  for (int axis = 0; axis < rank; ++axis) {
    if (!size[axis] || size[axis] > uint64_t{1} << 32) refuse("an axis of " + std::to_string(size[axis]) + " elements");
    if (!box[axis] || box[axis] > 256) refuse("a box of " + std::to_string(box[axis]) + " elements along an axis");
    map.size[axis] = size[axis], map.box[axis] = box[axis];
  }
  for (int axis = 0; axis + 1 < rank; ++axis) {
    if (stride_bytes[axis] % 16 || stride_bytes[axis] >= uint64_t{1} << 40) {
      refuse("a stride of " + std::to_string(stride_bytes[axis]) + " bytes, not a multiple of 16 below 2^40");
    }
    map.stride_bytes[axis] = stride_bytes[axis];
  }
  if (box[0] * 2 % 16) refuse("a box whose rows are no multiple of 16 bytes");
  if (swizzle != Swizzle::none && box[0] * 2 > swizzle_span(swizzle)) refuse("a box wider than its swizzle");
  return map;
}

void tma_load(void* shared, const CUtensorMap& map, int x, int y, int z, int rank, void* mbarrier) {
  check(map, rank, shared, "tma_load");
  scheduler.arguments.clear();
  stretch_out(map, {x, y, z}, static_cast<unsigned char*>(shared), scheduler.arguments);
  start_load(std::move(scheduler.arguments), mbarrier, "tma_load");
}

void tma_store(const CUtensorMap& map, int x, int y, int z, int rank, const void* shared) {
  check(map, rank, shared, "tma_store");
  scheduler.arguments.clear();
  stretch_out(map, {x, y, z}, static_cast<unsigned char*>(const_cast<void*>(shared)), scheduler.arguments);
  start_store(std::move(scheduler.arguments), copy_bytes, "tma_store");
}

}  // namespace videomae::cuda::emu
