// The format of operands that are multiplied as they are computed, in f64 or f32; bf16 is widened while it is packed.
//   Panel of A: element (k, line) at [k][line], step kPanelStep.  Panel of B: the same, step kPanelColumns.
#pragma once

#include "cpu/gemm_kernel.h"
#include "cpu/micro_kernel.h"

namespace videomae {

template <class Isa, class T>
struct WideFormat {
  using W = wide_t<T>;
  using V = Vectors<Isa, W>;
  static constexpr int rows = Isa::rows, columns = kPanelColumns<Isa, W>, sums = 1;
  static constexpr int64_t a_pitch = kPanelStep<Isa, W> * sizeof(W), b_pitch = columns * sizeof(W);
  static constexpr int64_t deepest = 3072 / sizeof(W), depth_unit = 1;
  static constexpr int64_t panel_bytes = 384 << 10;  // of 1 MB, as pages lie in it at random
  static constexpr int64_t few_panels = 12, chunk_panels = 12;
  static constexpr int64_t step_depth = 1;  // of the multiplication loop

  struct Session {};

  static void pack_a(const GemmOperand<T>& a, PanelRange panels, int64_t k0, int64_t depth, void* to) {
    pack<rows, kPanelStep<Isa, W>>(a, panels, k0, depth, static_cast<W*>(to));
  }
  static void pack_b(const GemmOperand<T>& b, PanelRange panels, int64_t k0, int64_t depth, void* to) {
    pack<columns, columns>(b, panels, k0, depth, static_cast<W*>(to));
  }

  template <class Epilogue>
  static void multiply(int64_t height, int64_t depth, const void* a, const void* b, W* to, bool add, const Ahead& ahead,
                       Epilogue&) {
    run_micro_kernel<Isa, W>(height, depth, static_cast<const W*>(a), kPanelStep<Isa, W>, static_cast<const W*>(b), to,
                             add, ahead);
  }

 private:
  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

  /// Packs panels of `width` lines, padded to `step`.
  template <int64_t width, int64_t step>
  static void pack(const GemmOperand<T>& from, PanelRange panels, int64_t k0, int64_t depth, W* to) {
    if (from.lines_contiguous) return copy<width, step>(from, panels, k0, depth, to);
    for (int64_t p = panels.begin; p < panels.end; ++p, to += step * depth) {
      const int64_t held = smaller(width, from.lines - p * width);
      V::transpose(from.element(p * width, k0), from.ld, held, depth, to, step, step);
      const int64_t written = (held + V::lanes - 1) / V::lanes * V::lanes;
      for (int64_t k = 0; k < depth && written < step; ++k)
        for (int64_t j = written; j < step; ++j) to[k * step + j] = 0;
    }
  }

  template <int64_t width, int64_t step>
  static void copy(const GemmOperand<T>& from, PanelRange panels, int64_t k0, int64_t depth, W* to) {
    constexpr int64_t kChunk = 32;  // rows of the source walked together: long enough reads, panels written in runs
    for (int64_t k = 0; k < depth; k += kChunk) {
      const int64_t end = smaller(depth, k + kChunk);
      for (int64_t p = panels.begin; p < panels.end; ++p) {
        const int64_t held = smaller(step, from.lines - p * width);
        const T* source = from.element(p * width, k0 + k);
        W* target = to + ((p - panels.begin) * depth + k) * step;
        for (int64_t i = k; i < end; ++i, source += from.ld, target += step)
          for (int64_t j = 0; j < step; j += V::lanes)
            V::store(target + j, held > j ? V::load(source + j, held - j) : typename V::Vec{});
      }
    }
  }
};

}  // namespace videomae
