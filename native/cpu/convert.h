// Conversion between element types, by its name among the CPU's kernels.
#pragma once

#include "core/convert.h"

namespace videomae::cpu {

using videomae::Boolean;
using videomae::convert;
using videomae::to_odd_float;
using videomae::widen;
using videomae::with_element;

}  // namespace videomae::cpu
