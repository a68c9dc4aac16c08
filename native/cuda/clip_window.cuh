// Where the clips of a batch lie in their videos (ops/token_grid.h). The host has not seen the windows' places, so a
// kernel checks them as it does indices: through a window that does not fit its video nothing is read.
#pragma once

#include "cuda/checked_index.cuh"
#include "ops/token_grid.h"

namespace videomae::cuda {

/// Where one clip begins in its video, and which way its rows run.
struct ClipPlace {
  int top, left;  // of the pixel that is the clip's first
  int step;       // to the next pixel of its row: 1, or -1 where it is mirrored
  bool known;
};

struct ClipWindows {
  const int32_t* places;  // (B, 3): top, left, flip; null where clips are whole videos
  int width, last_top, last_left;

  static ClipWindows of(const TokenGrid& g) {
    return {g.window, static_cast<int>(g.width), static_cast<int>(g.video_height - g.height),
            static_cast<int>(g.video_width - g.width)};
  }

  __device__ __forceinline__ bool given() const { return places != nullptr; }

  __device__ __forceinline__ ClipPlace of_clip(int64_t clip, const IndexCheck& check) const {
    if (!given()) return {0, 0, 1, true};
    const int top = static_cast<int>(check(places[3 * clip], last_top + 1));
    const int left = static_cast<int>(check(places[3 * clip + 1], last_left + 1));
    const int flip = static_cast<int>(check(places[3 * clip + 2], 2));
    return {top, flip == 1 ? left + width - 1 : left, flip == 1 ? -1 : 1, top >= 0 && left >= 0 && flip >= 0};
  }
};

}  // namespace videomae::cuda
