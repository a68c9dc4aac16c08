// The one place that asks which compiler reads a header. Layout functions are constexpr and carry
// VIDEOMAE_HOST_DEVICE, so that kernels, probes, tests and the emulator share them. A wrapper has two bodies: assembly
// under VIDEOMAE_CUDA, a call of the emulator otherwise.
#pragma once

#include "core/host_device.h"

#if defined(__CUDACC__)
#define VIDEOMAE_CUDA 1
#else
#define VIDEOMAE_CUDA 0
#endif
