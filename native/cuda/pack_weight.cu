// GPUs read weights as they are: there is nothing to pack.
#include "cuda/kernels.h"
#include "ops/pack_weight.h"

namespace videomae::cuda {

void run(PackWeight&, const Context&) {
  throw Error("packWeight", "a weight on the CPU", "one on a GPU", "products there read weights as they are");
}

size_t workspace(const PackWeight&) { return 0; }

}  // namespace videomae::cuda
