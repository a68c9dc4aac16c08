// AdamW with decoupled weight decay (Loshchilov & Hutter 2019; spec 5.4), one pass over flat buffers: decay, moments,
// bias correction, update, clipping and the clearing of gradients. What differs between parameters stands in a segment
// table, one row a parameter. Reads 16 bytes and writes 16 bytes a parameter in f32, and 2 more where a bf16 copy of
// the parameters is kept for the products of a bf16 model.
//   clip = min(1, clip_norm / (norm + 1e-6))           g = clip * gradient
//   m = b1 m + (1 - b1) g      v = b2 v + (1 - b2) g^2
//   w = w (1 - lr wd) - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)      t = updates + 1
// What changes from step to step lies in tensors: a step that is captured once is right at every replay.
// A norm or a loss that is not finite skips the update: nothing changes but the gradients, which are cleared. Only then
// are the gradients searched for the values that are to blame.
#pragma once

#include "ops/op.h"

namespace videomae {

struct AdamW {
  static constexpr const char* name = "adamw";
  InOut parameters, gradients;  // (P)
  InOut exp_avg, exp_avg_sq;    // (P)
  InOut copies;                 // bf16 (P): the parameters, rounded; (0) where none are kept
  InOut updates;                // i32 (): updates made so far
  In segments;                  // i32 (S, 2): end / 16 (segments begin where the one before ends), 1 if decayed
  In rate_scales;               // f64 (S): multiplies the learning rate
  In learning_rate;             // f64 ()
  In weight_decay;              // f64 ()
  OptionalIn gradient_norm;     // (): global L2 norm of the gradients, for clipping
  OptionalIn loss;              // (): what the gradients are of
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, clip_norm = 0;
  Out skipped;     // i32 (): 1 when the update was skipped
  Out non_finite;  // i32 (S): values that are not finite in each gradient of a skipped update; else 0

  /// Segments begin at multiples of this many elements.
  static constexpr int64_t alignment = 16;

  template <class V>
  void visit(V& v) {
    v("parameters", parameters), v("gradients", gradients), v("expAvg", exp_avg), v("expAvgSq", exp_avg_sq);
    v("copies", copies), v("updates", updates), v("segments", segments), v("rateScales", rate_scales);
    v("learningRate", learning_rate), v("weightDecay", weight_decay), v("gradientNorm", gradient_norm);
    v("loss", loss), v("beta1", beta1), v("beta2", beta2), v("eps", eps), v("clipNorm", clip_norm);
    v("skipped", skipped), v("nonFinite", non_finite);
  }

  void infer() {
    check_wide(name, "parameters", parameters);
    check_rank(name, "parameters", parameters, 1, "[P]");
    for (auto [operand, t] : {std::pair{"gradients", &gradients}, {"expAvg", &exp_avg}, {"expAvgSq", &exp_avg_sq}}) {
      check_same_dtype(name, operand, *t, parameters);
      check_shape(name, operand, *t, parameters.shape());
    }
    check_dtype(name, "copies", copies, {DType::bf16});
    check(copies.elements() == 0 || copies.shape() == parameters.shape(), name,
          "copies of shape " + parameters.shape().text() + ", or none", copies.tensor.text());
    check_dtype(name, "updates", updates, {DType::i32});
    check_shape(name, "updates", updates, {});
    for (auto [operand, t] : {std::pair{"learningRate", &learning_rate}, {"weightDecay", &weight_decay}}) {
      check_dtype(name, operand, *t, {DType::f64});
      check_shape(name, operand, *t, {});
    }
    check_dtype(name, "segments", segments, {DType::i32});
    check(segments.shape().rank() == 2 && segments.shape()[1] == 2, name, "segments of shape [S, 2]",
          segments.tensor.text());
    check_dtype(name, "rateScales", rate_scales, {DType::f64});
    check_shape(name, "rateScales", rate_scales, {segments.shape()[0]});
    int64_t from = 0;
    // In a rehearsal, and on another device, there are no values to check.
    const bool visible = !rehearsing() && segments.tensor.device().is_cpu();
    for (int64_t s = 0; s < segments.shape()[0] && visible; ++s) {
      const int64_t end = segments.data<int32_t>()[2 * s];
      check(end >= from && end * alignment <= parameters.elements(), name,
            "segments in ascending order within the buffer",
            "segment " + std::to_string(s) + " ending at " + std::to_string(end * alignment));
      from = end;
    }
    for (auto [operand, t] : {std::pair{"gradientNorm", &gradient_norm}, {"loss", &loss}}) {
      if (!t->given()) continue;
      check_same_dtype(name, operand, *t, parameters);
      check_shape(name, operand, *t, {});
    }
    check(clip_norm >= 0 && (clip_norm == 0 || gradient_norm.given()), name, "gradientNorm with clipNorm", "none");
    check(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1, name, "betas in [0, 1)",
          std::to_string(beta1) + " and " + std::to_string(beta2));
    skipped.set({}, DType::i32);
    non_finite.set({segments.shape()[0]}, DType::i32);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<AdamW> cases(Draw& draw) {
    std::vector<AdamW> list;
    for (const double loss : {1.5, static_cast<double>(NAN)}) {
      AdamW op;
      const int64_t count = 16 * 5000;
      op.copies.tensor = Tensor::empty({std::isnan(loss) ? 0 : count}, DType::bf16);
      std::fill_n(op.copies.data<bf16>(), op.copies.elements(), bf16{});
      op.updates.tensor = draw.integers({}, 9).tensor;
      const auto number = [](double value) {
        const Tensor t = Tensor::empty({}, DType::f64);
        *t.data<double>() = value;
        return In{t};
      };
      op.learning_rate = number(1e-3), op.weight_decay = number(0.05);
      for (InOut* t : {&op.parameters, &op.gradients, &op.exp_avg}) t->tensor = draw.wide({count}).tensor;
      op.exp_avg_sq.tensor = draw.wide({count}, 0, 2).tensor;
      op.segments.tensor = Tensor::empty({3, 2}, DType::i32);
      const int32_t table[] = {1, 1, 17, 0, 5000, 1};
      std::copy(table, table + 6, op.segments.tensor.data<int32_t>());
      op.rate_scales.tensor = Tensor::empty({3}, DType::f64);
      for (int i = 0; i < 3; ++i) op.rate_scales.tensor.data<double>()[i] = 1 - 0.25 * i;
      op.gradient_norm.tensor = draw.wide({}, 3, 4).tensor;
      op.loss.tensor = draw.wide({}, loss, loss).tensor;
      op.clip_norm = 1;
      list.push_back(op);
    }
    return list;
  }
};

}  // namespace videomae
