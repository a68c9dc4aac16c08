// What a kernel is called, given its address.
#pragma once

#include <string>

namespace videomae::cuda::emu {

/// As declared, with its template arguments: layer_norm_forward<float>.
std::string kernel_name(const void* function);

}  // namespace videomae::cuda::emu
