// Mean cross entropy of class scores against class numbers, with label smoothing s: the target distribution of a row is
// (1 - s) on its class plus s / K on every class. loss = mean over rows of -sum_k target_k * log_softmax(logits)_k.
#pragma once

#include "ops/op.h"

namespace videomae {

/// The checks that the op and its gradient share.
inline void check_cross_entropy(const char* op, const In& logits, const In& target, double smoothing) {
  check_real(op, "logits", logits);
  check_rank(op, "logits", logits, 2, "[B, K]");
  check(logits.elements() > 0, op, "logits of shape [B, K] with B > 0 and K > 0", logits.tensor.text());
  check_dtype(op, "target", target, {DType::i32});
  check_shape(op, "target", target, {logits.shape()[0]}, "one class number for each row of logits");
  check_indices(op, "target", target, logits.shape()[1]);
  check(smoothing >= 0 && smoothing <= 1, op, "smoothing from 0 to 1", std::to_string(smoothing));
}

struct CrossEntropy {
  static constexpr const char* name = "crossEntropy";
  In logits;  // (B, K)
  In target;  // i32 (B)
  double smoothing = 0;
  Out loss;         // (), wide
  Out log_sum_exp;  // (B), wide, of each row of logits

  template <class V>
  void visit(V& v) {
    v("logits", logits), v("target", target), v("smoothing", smoothing);
    v("loss", loss), v("logSumExp", log_sum_exp);
  }

  void infer() {
    check_cross_entropy(name, logits, target, smoothing);
    loss.set({}, wide_of(logits.dtype()));
    log_sum_exp.set({logits.shape()[0]}, wide_of(logits.dtype()));
  }

  /// One loss a row.
  size_t workspace(DeviceKind) const {
    return static_cast<size_t>(logits.shape()[0]) * size_of(wide_of(logits.dtype()));
  }

  static std::vector<CrossEntropy> cases(Draw& draw) {
    std::vector<CrossEntropy> list;
    for (auto [rows, classes] : {std::pair<int64_t, int64_t>{1, 1}, {3, 7}, {64, 710}})
      for (double smoothing : {0.0, 0.1})
        list.push_back({draw.real({rows, classes}, -4, 4), draw.integers({rows}, classes), smoothing});
    return list;
  }
};

/// gradLogits = gradLoss / B * (softmax(logits) - target distribution).
struct CrossEntropyBackward {
  static constexpr const char* name = "crossEntropyBackward";
  In grad_loss;    // (), wide
  In logits;       // (B, K)
  In target;       // i32 (B)
  In log_sum_exp;  // (B), wide
  double smoothing = 0;
  Out grad_logits;  // (B, K)

  template <class V>
  void visit(V& v) {
    v("gradLoss", grad_loss), v("logits", logits), v("target", target), v("logSumExp", log_sum_exp);
    v("smoothing", smoothing), v("gradLogits", grad_logits);
  }

  void infer() {
    check_cross_entropy(name, logits, target, smoothing);
    check_wide_of(name, "gradLoss", grad_loss, logits), check_shape(name, "gradLoss", grad_loss, {});
    check_wide_of(name, "logSumExp", log_sum_exp, logits);
    check_shape(name, "logSumExp", log_sum_exp, target.shape());
    grad_logits.like(logits);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<CrossEntropyBackward> cases(Draw& draw) {
    std::vector<CrossEntropyBackward> list;
    for (auto [rows, classes] : {std::pair<int64_t, int64_t>{1, 1}, {3, 7}, {64, 710}})
      for (double smoothing : {0.0, 0.1})
        list.push_back({draw.wide({}), draw.real({rows, classes}), draw.integers({rows}, classes),
                        draw.wide({rows}, 7, 8), smoothing});
    return list;
  }
};

}  // namespace videomae
