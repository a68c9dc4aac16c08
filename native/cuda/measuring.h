// Which variants of kernels are faster on this GPU (variants.h), measured inside the ops of a real step.
//
// While a device is measured, each op first runs as it would without choices, and what it meets is noted. For every
// piece of work that was not measured yet, and each of its variants: what the op changes in place is put back, results
// are overwritten with NaN, the op runs with that variant, and its results are compared with those of the default
// (agreement.h). Where they agree, both are timed by turns, several runs at a time in a captured graph, as a training
// step has them. At the end the op runs by its defaults once more, so the step goes on with their results.
//
// Times are those of the whole op that the work is a part of. A variant is faster when it was so in every round, by
// more than the margin. Cost for each variant: 14 runs of a long op, some hundreds of a short one, and a copy of its
// results to the host.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cuda/agreement.h"

namespace videomae::cuda {

/// A tensor that an op writes.
struct WrittenTensor {
  void* data;
  int64_t elements;
  DType dtype;
  bool changed;  // in place, or added to: what it holds before matters

  size_t bytes() const { return static_cast<size_t>(elements) * size_of(dtype); }
};

/// An op on a device, ready to run any number of times.
struct MeasuredOp {
  const char* name;
  std::vector<WrittenTensor> written;
  bool coarse;  // whether numbers are rounded to bf16
  std::function<void()> run;
};

/// What was found of one variant.
struct Measurement {
  std::string work;
  const char* op;
  std::string standard, variant;           // the default, and what stood in for it
  double standard_ms = 0, variant_ms = 0;  // medians; 0 where results do not agree
  Agreement agreement;
  bool faster = false;
};

/// @throws Error where another device is measured
void begin_measuring(int device);
void end_measuring();
bool measuring(int device);

/// Runs an op of the device that is measured, and measures what is new in it.
/// @throws Error where memory does not suffice for a copy of what the op changes in place
void measure(int device, const MeasuredOp& op);

/// What was found since measuring began.
std::vector<Measurement> measurements(int device);

}  // namespace videomae::cuda
