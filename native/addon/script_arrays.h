// Script arrays that hold a tensor's elements; bf16 travels as its bits.
#pragma once

#include "addon/handle.h"

namespace videomae::addon {

/// The bytes of a script array that must hold exactly the elements of `t`. ArrayBuffer and SharedArrayBuffer both.
/// Throws Error naming `op` otherwise.
void* array_bytes(const Napi::Value& value, const Tensor& t, const char* op);

}  // namespace videomae::addon
