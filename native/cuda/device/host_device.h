// The one place that asks which compiler reads a header. Layout functions are constexpr and carry
// VIDEOMAE_HOST_DEVICE, so that kernels, probes, tests and an emulator share them.
#pragma once

#if defined(__CUDACC__)
#define VIDEOMAE_HOST_DEVICE __host__ __device__
#else
#define VIDEOMAE_HOST_DEVICE
#endif
