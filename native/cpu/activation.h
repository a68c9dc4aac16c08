// Element-wise pieces that other kernels run on rows in cache, one version an instruction set.
#pragma once

#include <cstdint>

namespace videomae::cpu {

/// out[i] = gradient[i] * gelu'(x[i]), the exact (erf) GELU, for i in [0, n). `out` may be `gradient`.
template <class T>
void gelu_backward(int64_t n, const T* x, const T* gradient, T* out);

}  // namespace videomae::cpu
