// Every lane says its number.
#include "cuda/device/shuffle.cuh"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/probe.h"
#include "cuda/probe/shuffle.h"

namespace videomae::probe {

__global__ void shuffle_forms(int argument, int* heard) {  // (forms, 32)
  const int lane = threadIdx.x;
  heard[kFromLane * 32 + lane] = cuda::shuffle(lane, argument);
  heard[kXor * 32 + lane] = cuda::shuffle_xor(lane, argument);
  heard[kDown * 32 + lane] = cuda::shuffle_down(lane, argument);
}

void observe_shuffle(Report& report) {
  std::vector<int> heard[kShuffleForms];
  for (const int argument : kShuffleArgument) {
    Buffer<int> out(kShuffleForms * 32, 0xFF);
    launch(context, shuffle_forms, {dim3(1), dim3(32)}, argument, out.data());
    finish("shuffle_forms");
    const std::vector<int> values = out.read();
    for (int form = 0; form < kShuffleForms; ++form) {
      heard[form].insert(heard[form].end(), values.begin() + form * 32, values.begin() + (form + 1) * 32);
    }
  }
  for (int form = 0; form < kShuffleForms; ++form) write_shuffle(report, form, heard[form]);
}

}  // namespace videomae::probe
