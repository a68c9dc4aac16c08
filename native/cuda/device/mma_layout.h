// Which lane and register holds which element: the fragments of mma.sync m16n8k16 (bf16 in, f32 out) and the 8 x 8
// matrices of ldmatrix and stmatrix.
//
// A 32-bit register holds two bf16, half 0 in its low bits. Source: PTX ISA, "Matrix Fragments for mma.m16n8k16 with
// floating point type", "ldmatrix", "stmatrix".
#pragma once

#include "cuda/device/host_device.h"

namespace videomae::cuda {

/// A place in a matrix.
struct Place {
  int row, col;
};

/// A place in the registers of a warp, or of a warpgroup (`lane` is then the thread, 0 to 127).
struct Slot {
  int lane, reg, half;
};

VIDEOMAE_HOST_DEVICE constexpr bool operator==(Place a, Place b) { return a.row == b.row && a.col == b.col; }
VIDEOMAE_HOST_DEVICE constexpr bool operator==(Slot a, Slot b) {
  return a.lane == b.lane && a.reg == b.reg && a.half == b.half;
}

/// A, 16 x 16 (row m, col k), 4 registers.
VIDEOMAE_HOST_DEVICE constexpr Place mma_a_place(Slot s) {
  return {s.lane / 4 + 8 * (s.reg % 2), s.lane % 4 * 2 + s.half + 8 * (s.reg / 2)};
}
VIDEOMAE_HOST_DEVICE constexpr Slot mma_a_slot(Place p) {
  return {p.row % 8 * 4 + p.col % 8 / 2, p.row / 8 + 2 * (p.col / 8), p.col % 2};
}

/// B, 16 x 8 (row k, col n), 2 registers.
VIDEOMAE_HOST_DEVICE constexpr Place mma_b_place(Slot s) { return {s.lane % 4 * 2 + s.half + 8 * s.reg, s.lane / 4}; }
VIDEOMAE_HOST_DEVICE constexpr Slot mma_b_slot(Place p) { return {p.col * 4 + p.row % 8 / 2, p.row / 8, p.row % 2}; }

/// C and D, 16 x 8 (row m, col n), 4 registers of one f32: half is 0.
VIDEOMAE_HOST_DEVICE constexpr Place mma_d_place(Slot s) {
  return {s.lane / 4 + 8 * (s.reg / 2), s.lane % 4 * 2 + s.reg % 2};
}
VIDEOMAE_HOST_DEVICE constexpr Slot mma_d_slot(Place p) {
  return {p.row % 8 * 4 + p.col / 2, 2 * (p.row / 8) + p.col % 2, 0};
}

/// One 8 x 8 matrix of ldmatrix or stmatrix as its register holds it. With .trans the matrix is transposed on its way.
VIDEOMAE_HOST_DEVICE constexpr Place ldmatrix_place(int lane, int half, bool transposed) {
  return transposed ? Place{lane % 4 * 2 + half, lane / 4} : Place{lane / 4, lane % 4 * 2 + half};
}
/// The lane whose address is that of row `row` of matrix `matrix`, which goes to register `matrix`.
VIDEOMAE_HOST_DEVICE constexpr int ldmatrix_address_lane(int matrix, int row) { return 8 * matrix + row; }

}  // namespace videomae::cuda
