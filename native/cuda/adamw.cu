// AdamW. One launch, a block a segment, settles what the step is: whether it is skipped, the clip factor, and in f64
// the two numbers that differ between segments; of a skipped step it counts the values that are to blame. The other
// goes over all parameters once: 28 bytes a parameter (30 with bf16 copies), 16 at a time.
#include "cuda/device/shared_memory.cuh"
#include "cuda/elements.cuh"
#include "cuda/reduce.cuh"
#include "ops/adamw.h"

namespace videomae::cuda {
namespace {

constexpr unsigned threads = 256;
constexpr int64_t elements_per_block = 4096;

struct Flat {
  float *parameters, *gradients, *exp_avg, *exp_avg_sq;  // (P)
  bf16* copies;                                          // (P), or null
  int64_t count;
};

struct Table {
  const int32_t* segments;  // (S, 2): end / 16, 1 if decayed
  const double* rate_scales;
  int64_t count;

  __device__ __forceinline__ int64_t end(int64_t segment) const { return segments[2 * segment] * AdamW::alignment; }
};

struct Rule {
  const double *learning_rate, *weight_decay;
  const float *gradient_norm, *loss;  // or null
  double beta1, beta2, clip_norm;
};

/// What a step comes to, as the first launch leaves it to the second: of all parameters, and of those of a segment.
struct Step {
  float clip, root2;
  int32_t skipped;
};
struct SegmentStep {
  float keep, step_size;
};

__global__ void settle_step(Rule rule, Table table, const float* gradients, const int32_t* updates, Step* step,
                            SegmentStep* segment_steps, int32_t* skipped, int32_t* non_finite) {
  dependent_launch_begin();
  const int64_t segment = blockIdx.x;
  const bool finite = (rule.gradient_norm == nullptr || isfinite(*rule.gradient_norm)) &&
                      (rule.loss == nullptr || isfinite(*rule.loss));
  if (threadIdx.x == 0) {
    const double t = *updates + 1.0;
    const double norm = rule.gradient_norm != nullptr ? *rule.gradient_norm : 0;
    if (segment == 0) {
      const double clip = rule.clip_norm > 0 ? fmin(1.0, rule.clip_norm / (norm + 1e-6)) : 1;
      *step = {static_cast<float>(clip), static_cast<float>(sqrt(1 - pow(rule.beta2, t))), finite ? 0 : 1};
      *skipped = finite ? 0 : 1;
    }
    if (segment < table.count) {
      const double rate = *rule.learning_rate * table.rate_scales[segment];
      const bool decayed = table.segments[2 * segment + 1] != 0;
      segment_steps[segment] = {static_cast<float>(decayed ? 1 - rate * *rule.weight_decay : 1),
                                static_cast<float>(rate / (1 - pow(rule.beta1, t)))};
    }
  }
  if (segment >= table.count) return;
  int count = 0;
  if (!finite)
    for (int64_t i = (segment == 0 ? 0 : table.end(segment - 1)) + threadIdx.x; i < table.end(segment); i += blockDim.x)
      count += isfinite(gradients[i]) ? 0 : 1;
  count = block_sum(count, shared_memory<int>());
  if (threadIdx.x == 0) non_finite[segment] = count;
}

/// The first segment that ends after element i; the number of segments when there is none.
__device__ int64_t segment_of(const Table& table, int64_t i) {
  int64_t low = 0, high = table.count;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (table.end(middle) > i)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

template <int width>
__global__ void __launch_bounds__(threads)
    update_parameters(Flat flat, Table table, const Step* step, const SegmentStep* segment_steps, float beta1,
                      float beta2, float rest1, float rest2, float eps, int32_t* updates) {
  dependent_launch_begin();
  const int64_t from = blockIdx.x * elements_per_block, until = min(flat.count, from + elements_per_block);
  const Step of_all = *step;
  if (blockIdx.x == 0 && threadIdx.x == 0 && of_all.skipped == 0) ++*updates;
  int64_t segment = of_all.skipped == 0 ? segment_of(table, from) : 0;
  for (int64_t i = from + threadIdx.x * width; i < until; i += threads * width) {
    if (of_all.skipped != 0) {
      store_floats<width>(flat.gradients + i, Floats<width>{}, until - i);
      continue;
    }
    while (segment < table.count && table.end(segment) <= i) ++segment;
    if (segment == table.count) return;
    const SegmentStep own = segment_steps[segment];
    Floats<width> w = load_floats<width>(flat.parameters + i), m = load_floats<width>(flat.exp_avg + i);
    Floats<width> v = load_floats<width>(flat.exp_avg_sq + i);
    const Floats<width> g = load_floats<width>(flat.gradients + i);
#pragma unroll
    for (int j = 0; j < width; ++j) {
      const float gradient = g.at[j] * of_all.clip;
      m.at[j] = beta1 * m.at[j] + rest1 * gradient;
      v.at[j] = beta2 * v.at[j] + rest2 * gradient * gradient;
      w.at[j] = w.at[j] * own.keep - own.step_size * m.at[j] / (sqrtf(v.at[j]) / of_all.root2 + eps);
    }
    store_floats<width>(flat.parameters + i, w);
    store_floats<width>(flat.exp_avg + i, m);
    store_floats<width>(flat.exp_avg_sq + i, v);
    store_floats<width>(flat.gradients + i, Floats<width>{});
    if (flat.copies != nullptr) store_floats<width>(flat.copies + i, w);
  }
}

}  // namespace

void run(AdamW& op, const Context& context) {
  check_f32(op.name, op.parameters.dtype());
  const Flat flat{op.parameters.data<float>(),
                  op.gradients.data<float>(),
                  op.exp_avg.data<float>(),
                  op.exp_avg_sq.data<float>(),
                  op.copies.elements() > 0 ? op.copies.data<bf16>() : nullptr,
                  op.parameters.elements()};
  const Table table{op.segments.data<int32_t>(), op.rate_scales.data<double>(), op.segments.shape()[0]};
  const Rule rule{op.learning_rate.data<double>(),
                  op.weight_decay.data<double>(),
                  op.gradient_norm.data<float>(),
                  op.loss.data<float>(),
                  op.beta1,
                  op.beta2,
                  op.clip_norm};
  SegmentStep* segment_steps = static_cast<SegmentStep*>(context.workspace);
  Step* step = reinterpret_cast<Step*>(segment_steps + table.count);
  const unsigned segments = static_cast<unsigned>(std::max<int64_t>(table.count, 1));
  launch(context, settle_step, Launch{dim3(segments), dim3(threads), threads / 32 * sizeof(int)}, rule, table,
         flat.gradients, op.updates.data<int32_t>(), step, segment_steps, op.skipped.data<int32_t>(),
         op.non_finite.data<int32_t>());
  // Segments begin at multiples of 16 elements, so runs of 4 and their copies never straddle two.
  const bool wide =
      aligned(16, {flat.parameters, flat.gradients, flat.exp_avg, flat.exp_avg_sq}) && aligned(8, {flat.copies});
  with_width<float>(wide, [&](auto w) {
    const int64_t blocks = std::max<int64_t>(ceil_div(flat.count, elements_per_block), 1);
    launch(context, update_parameters<decltype(w)::value>, Launch{dim3(static_cast<unsigned>(blocks)), dim3(threads)},
           flat, table, step, segment_steps, static_cast<float>(op.beta1), static_cast<float>(op.beta2),
           static_cast<float>(1 - op.beta1), static_cast<float>(1 - op.beta2), static_cast<float>(op.eps),
           op.updates.data<int32_t>());
  });
}

size_t workspace(const AdamW& op) {
  return static_cast<size_t>(op.segments.shape()[0]) * sizeof(SegmentStep) + sizeof(Step);
}

}  // namespace videomae::cuda
