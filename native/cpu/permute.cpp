// Axis permutation: writes in order, reads strided; runs that stay contiguous are copied whole.
#include "cpu/elementwise.h"
#include "cpu/kernels.h"
#include "cpu/storage.h"
#include "cpu/strided.h"

namespace videomae::cpu {
namespace {

template <class T>
void permute(const Permute& op) {
  const Shape& from = op.x.shape();
  Strides strides{};
  for (size_t k = 0; k < op.axes.size(); ++k) strides[k] = from.product(static_cast<int>(op.axes[k]) + 1, from.rank());
  const StridedWalk<1> walk(op.y.shape, {strides});
  const int64_t step = walk.step(0);
  const T* x = op.x.data<T>();
  T* y = op.y.data<T>();
  for_elements(op.y.shape.elements(), [&](int64_t begin, int64_t until) {
    walk(begin, until, [&](int64_t first, int64_t length, const std::array<int64_t, 1>& at) {
      const T* run = x + at[0];
      if (step == 1)
        std::copy(run, run + length, y + first);
      else
        for (int64_t i = 0; i < length; ++i) y[first + i] = run[i * step];
    });
  });
}

}  // namespace

void run(Permute& op, const Context&) {
  with_storage(op.x.dtype(), [&](auto t) { permute<decltype(t)>(op); });
}

}  // namespace videomae::cpu
