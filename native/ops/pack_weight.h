// The weight of a linear layer as the product's kernel reads it, for many products with the same weight. Holds for one
// instruction set, and for the CPU: other devices read weights as they are.
#pragma once

#include "ops/linear.h"

namespace videomae {

struct PackWeight {
  static constexpr const char* name = "packWeight";
  In weight;   // (O, I)
  Out packed;  // u8, in an order and of a size that are the kernel's business

  template <class V>
  void visit(V& v) {
    v("weight", weight), v("packed", packed);
  }

  void infer() {
    check_real(name, "weight", weight);
    check_rank(name, "weight", weight, 2, "[O, I]");
    packed.set({packed_weight_bytes(weight.shape()[0], weight.shape()[1], weight.dtype())}, DType::u8);
  }

  size_t workspace(DeviceKind) const { return 0; }

  /// None: what a weight is packed into is compared by what products make of it (native/test/gemm_test.cpp).
  static std::vector<PackWeight> cases(Draw&) { return {}; }
};

}  // namespace videomae
