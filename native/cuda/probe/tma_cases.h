// The tiles that the probes of the copy engine move: 2-D and 3-D, every swizzle, boxes that hang over every side of the
// tensor, and strides that are larger than the rows they separate. Element (x, y, z) of global memory holds
// 1 + its number in memory; axes are named from the contiguous one on.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "cuda/device/swizzle.h"

namespace videomae::probe {

struct TmaCase {
  const char* told;
  cuda::Swizzle swizzle;
  bool nan_fill;
  int rank;
  int size[3];    ///< elements of the tensor
  int pitch[2];   ///< elements from row to row and from plane to plane
  int box[3];     ///< elements
  int corner[3];  ///< where the box begins
};

using cuda::Swizzle;
constexpr TmaCase kTmaCases[] = {
    {"inside", Swizzle::none, false, 2, {100, 20, 1}, {128, 0}, {64, 8, 1}, {24, 4, 0}},
    {"inside", Swizzle::b32, false, 2, {100, 20, 1}, {128, 0}, {16, 16, 1}, {8, 2, 0}},
    {"inside", Swizzle::b64, false, 2, {100, 20, 1}, {128, 0}, {32, 16, 1}, {5, 3, 0}},
    {"inside", Swizzle::b128, false, 2, {100, 20, 1}, {128, 0}, {64, 16, 1}, {32, 1, 0}},
    {"before both axes", Swizzle::none, false, 2, {100, 20, 1}, {104, 0}, {40, 6, 1}, {-3, -2, 0}},
    {"before both axes", Swizzle::b128, false, 2, {100, 20, 1}, {104, 0}, {64, 16, 1}, {-3, -2, 0}},
    {"beyond both axes", Swizzle::none, false, 2, {100, 20, 1}, {104, 0}, {40, 6, 1}, {77, 17, 0}},
    {"beyond both axes", Swizzle::b32, false, 2, {100, 20, 1}, {104, 0}, {16, 8, 1}, {93, 15, 0}},
    {"beyond both axes", Swizzle::b64, false, 2, {100, 20, 1}, {104, 0}, {32, 8, 1}, {85, 15, 0}},
    {"beyond both axes", Swizzle::b128, false, 2, {100, 20, 1}, {104, 0}, {64, 16, 1}, {71, 9, 0}},
    {"wider than the tensor", Swizzle::none, false, 2, {20, 3, 1}, {24, 0}, {32, 8, 1}, {-4, -1, 0}},
    {"wholly outside", Swizzle::b128, false, 2, {100, 20, 1}, {104, 0}, {64, 8, 1}, {104, 0, 0}},
    {"NaN beyond both axes", Swizzle::none, true, 2, {100, 20, 1}, {104, 0}, {40, 6, 1}, {77, 17, 0}},
    {"NaN before both axes", Swizzle::b128, true, 2, {100, 20, 1}, {104, 0}, {64, 8, 1}, {-3, -2, 0}},
    {"inside", Swizzle::none, false, 3, {40, 6, 5}, {48, 384}, {16, 4, 2}, {8, 1, 2}},
    {"inside", Swizzle::b128, false, 3, {80, 6, 5}, {88, 704}, {64, 4, 3}, {8, 1, 2}},
    {"before all axes", Swizzle::b64, false, 3, {40, 6, 5}, {48, 384}, {32, 4, 2}, {-1, -1, -1}},
    {"beyond all axes", Swizzle::b32, false, 3, {40, 6, 5}, {48, 384}, {16, 4, 2}, {30, 4, 4}},
    {"rows of one plane end, others do not", Swizzle::b128, false, 3, {80, 6, 5}, {88, 704}, {64, 8, 2}, {0, 0, 1}},
    {"NaN beyond all axes", Swizzle::b128, true, 3, {80, 6, 5}, {88, 704}, {64, 4, 2}, {60, 4, 4}},
};

constexpr int kTmaPoison = 0x7F7F;  // what memory holds before; no element is told so

/// What a NaN is told as, whatever its bits.
constexpr int kTmaNan = -2;

/// Elements of global memory that a case needs, some behind the tensor included.
constexpr int tma_elements(const TmaCase& c) {
  return (c.rank == 3 ? c.size[2] * c.pitch[1] : c.size[1] * c.pitch[0]) + 64;
}

constexpr int tma_box_elements(const TmaCase& c) { return c.box[0] * c.box[1] * c.box[2]; }

/// The number in global memory of the element at a place of the box; -1 when it lies outside the tensor.
constexpr int tma_source(const TmaCase& c, int x, int y, int z) {
  const int at[3] = {c.corner[0] + x, c.corner[1] + y, c.corner[2] + z};
  for (int axis = 0; axis < 3; ++axis) {
    if (at[axis] < 0 || at[axis] >= c.size[axis]) return -1;
  }
  return at[0] + at[1] * c.pitch[0] + at[2] * c.pitch[1];
}

/// The number in shared memory of that element: a row of the box behind the other, then swizzled.
constexpr int tma_shared(const TmaCase& c, int x, int y, int z) {
  const uint32_t linear = static_cast<uint32_t>((z * c.box[1] + y) * c.box[0] + x) * 2;
  return static_cast<int>(cuda::swizzled(linear, c.swizzle) / 2);
}

inline std::string tma_title(const char* what, const TmaCase& c) {
  char text[256];
  std::snprintf(text, sizeof(text), "%s, %s: tensor %dx%dx%d pitch %d %d, box %dx%dx%d at %d %d %d, swizzle %u", what,
                c.told, c.size[0], c.size[1], c.size[2], c.pitch[0], c.pitch[1], c.box[0], c.box[1], c.box[2],
                c.corner[0], c.corner[1], c.corner[2], c.swizzle == Swizzle::none ? 0 : cuda::swizzle_span(c.swizzle));
  return text;
}

}  // namespace videomae::probe
