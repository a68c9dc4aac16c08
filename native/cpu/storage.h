// For kernels that move elements without looking at them.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace videomae::cpu {

/// Calls body(T{}) with an unsigned integer as wide as an element of the dtype.
template <class F>
void with_storage(DType dtype, F&& body) {
  switch (size_of(dtype)) {
    case 8:
      return body(uint64_t{});
    case 4:
      return body(uint32_t{});
    case 2:
      return body(uint16_t{});
    default:
      return body(uint8_t{});
  }
}

}  // namespace videomae::cpu
