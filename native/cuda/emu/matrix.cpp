#include "cuda/emu/matrix.h"

#include "cuda/device/mma_layout.h"
#include "cuda/emu/scheduler.h"

namespace videomae::cuda::emu {
/// Compiled for the processor at hand; never with fused multiply-adds, so results are the same everywhere.
#if defined(__x86_64__)
__attribute__((target_clones("avx2", "default")))
#endif
void add_products(float (&d)[16][8], const float (&a)[16][16], const float (&b)[16][8]) {
  for (int m = 0; m < 16; ++m) {
    float row[8];
    for (int n = 0; n < 8; ++n) row[n] = d[m][n];
    for (int k = 0; k < 16; ++k) {
      for (int n = 0; n < 8; ++n) row[n] += a[m][k] * b[k][n];
    }
    for (int n = 0; n < 8; ++n) d[m][n] = row[n];
  }
}

namespace {

struct MmaLane {
  float* d;
  const uint32_t* a;
  const uint32_t* b;
  const float* c;
};

float element(const uint32_t* registers, Slot slot) {
  return same_bits<float>((registers[slot.reg] >> 16 * slot.half) << 16);
}

void multiply(void* const lanes[32]) {
  float a[16][16], b[16][8], d[16][8];
  for (int i = 0; i < 32; ++i) {
    const MmaLane& lane = *static_cast<const MmaLane*>(lanes[i]);
    for (int reg = 0; reg < 4; ++reg) {
      for (int half = 0; half < 2; ++half) {
        const Place at = mma_a_place({i, reg, half});
        a[at.row][at.col] = element(lane.a, {i, reg, half});
        if (reg >= 2) continue;
        const Place bt = mma_b_place({i, reg, half});
        b[bt.row][bt.col] = element(lane.b, {i, reg, half});
      }
      const Place dt = mma_d_place({i, reg, 0});
      d[dt.row][dt.col] = lane.c[reg];
    }
  }
  add_products(d, a, b);
  for (int i = 0; i < 32; ++i) {
    for (int reg = 0; reg < 4; ++reg) {
      const Place dt = mma_d_place({i, reg, 0});
      static_cast<const MmaLane*>(lanes[i])->d[reg] = d[dt.row][dt.col];
    }
  }
}

struct MatrixLane {
  uint32_t* registers;  // read by stores
  unsigned char* row;
};

const MatrixLane& lane_at(void* const lanes[32], int lane) { return *static_cast<const MatrixLane*>(lanes[lane]); }

/// The half of a register as the address of its 16 bits: half 0 is the low one.
uint16_t* half_of(const MatrixLane& lane, int reg, int half) {
  return reinterpret_cast<uint16_t*>(&lane.registers[reg]) + half;
}

template <int count, bool transposed, bool store>
void move(void* const lanes[32]) {
  for (int matrix = 0; matrix < count; ++matrix) {
    for (int lane = 0; lane < 32; ++lane) {
      for (int half = 0; half < 2; ++half) {
        const Place place = ldmatrix_place(lane, half, transposed);
        const MatrixLane& address = lane_at(lanes, ldmatrix_address_lane(matrix, place.row));
        uint16_t* memory = reinterpret_cast<uint16_t*>(address.row) + place.col;
        uint16_t* there = half_of(lane_at(lanes, lane), matrix, half);
        if (store) {
          std::memcpy(memory, there, 2);
        } else {
          std::memcpy(there, memory, 2);
        }
      }
    }
  }
}

/// That a lane's address is that of 16 bytes of shared memory. Lanes beyond 8 a matrix give addresses of no row.
void check_row(const char* name, const void* row, int count, bool write) {
  Fiber& fiber = *scheduler.current;
  if (fiber.lane() >= static_cast<uint32_t>(8 * count)) return;
  const SharedMemory& memory = fiber.block->shared;
  if (!memory.holds(row, 16)) {
    fail("rows within the block's shared memory", "%s of a row at offset %td of %zu bytes", name,
         static_cast<const unsigned char*>(row) - memory.data(), memory.bytes());
  }
  if ((static_cast<const unsigned char*>(row) - memory.data()) % 16) {
    fail("rows at multiples of 16 bytes", "%s of a row at offset %td", name,
         static_cast<const unsigned char*>(row) - memory.data());
  }
  if (write) {
    fiber.block->shadow.write(memory.offset(row), 16);
  } else {
    fiber.block->shadow.read(memory.offset(row), 16);
  }
}

}  // namespace

void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], const float (&c)[4]) {
  static constexpr Collective collective{"mma_m16n8k16", multiply};
  MmaLane lane{d, a, b, c};
  together(collective, &lane);
}

void ldmatrix(uint32_t* registers, int count, bool transposed, const void* row) {
  static constexpr Collective x2{"ldmatrix_x2", move<2, false, false>};
  static constexpr Collective x2t{"ldmatrix_x2_transposed", move<2, true, false>};
  static constexpr Collective x4{"ldmatrix_x4", move<4, false, false>};
  static constexpr Collective x4t{"ldmatrix_x4_transposed", move<4, true, false>};
  const Collective& collective = count == 2 ? (transposed ? x2t : x2) : (transposed ? x4t : x4);
  check_row(collective.name, row, count, false);
  MatrixLane lane{registers, static_cast<unsigned char*>(const_cast<void*>(row))};
  together(collective, &lane);
}

void stmatrix(void* row, const uint32_t* registers, int count, bool transposed) {
  static constexpr Collective x4{"stmatrix_x4", move<4, false, true>};
  static constexpr Collective x4t{"stmatrix_x4_transposed", move<4, true, true>};
  const Collective& collective = transposed ? x4t : x4;
  check_row(collective.name, row, count, true);
  MatrixLane lane{const_cast<uint32_t*>(registers), static_cast<unsigned char*>(row)};
  together(collective, &lane);
}

}  // namespace videomae::cuda::emu
