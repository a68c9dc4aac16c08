// Decoded frames, u8 (T, H, W, 3), as the ops that change pictures take them.
#pragma once

#include "ops/op.h"

namespace videomae {

/// Throws Error unless x is frames with sides from 1 to 32768.
inline void check_frames(const char* op, const In& x) {
  check_dtype(op, "x", x, {DType::u8});
  check(x.shape().rank() == 4 && x.shape()[3] == 3 && x.shape()[1] > 0 && x.shape()[2] > 0, op,
        "x of shape [T, H, W, 3]", x.tensor.text());
  check(x.shape()[1] <= 32768 && x.shape()[2] <= 32768, op, "sides of at most 32768", x.tensor.text());
}

}  // namespace videomae
