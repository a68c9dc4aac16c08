// NVIDIA's driver, as far as it must be known before a plug-in is asked to use it: whether it is there, new enough for
// the CUDA release that the plug-in is built with, and has a GPU that the kernels run on.
#pragma once

namespace videomae {

/// Opens the driver's library. Throws Error saying exactly what is missing.
void check_cuda_driver();

}  // namespace videomae
