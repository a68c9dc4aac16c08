// No product is wrong.
#include "cuda/probe/wgmma_products.h"

#include "cuda/probe/probe.h"

namespace videomae::probe {

void expect_wgmma_products(Report& report) {
  for (const int n : kProductSizes) {
    for (const ASource a : kASources) {
      for (const cuda::Major b : kMajors) {
        for (const cuda::Swizzle swizzle : kSwizzles) write_product(report, {n, a, b, swizzle}, 0);
      }
    }
  }
}

}  // namespace videomae::probe
