// softmax(scale * q k^T) v for every head, fused: no N x N buffer. q, k and v are read where the packed projection put
// them, and heads are written side by side, ready for the output projection. Saves only the log-sum-exp of each row.
// Cosine variant: q and k rows are normalised to length 1 first, and each head has a logit scale of its own.
// Cost: 4 * B * H * N^2 * K operations forward, 2.5 times that backward.
#pragma once

#include "ops/op.h"

namespace videomae {

struct Attention {
  static constexpr const char* name = "attention";
  static constexpr int naive_intermediates = 1;  // the probabilities
  In qkv;                                        // (B, N, 3 * H * K), rows q | k | v, each head-major
  OptionalIn logit_scale;                        // (H), wide, cosine only: multiplies the cosine of q and k
  int64_t heads = 1;
  Out y;    // (B, N, H * K)
  Out lse;  // (B, H, N), wide

  template <class V>
  void visit(V& v) {
    v("qkv", qkv), v("logitScale", logit_scale), v("heads", heads), v("y", y), v("lse", lse);
  }

  int64_t batch() const { return qkv.shape()[0]; }
  int64_t tokens() const { return qkv.shape()[1]; }
  int64_t head_width() const { return qkv.shape()[2] / (3 * heads); }

  static void check_packed(const char* op, const In& qkv, const OptionalIn& logit_scale, int64_t heads) {
    check_real(op, "qkv", qkv);
    check_rank(op, "qkv", qkv, 3, "[B, N, 3 * H * K]");
    check(heads >= 1 && qkv.shape()[2] % (3 * heads) == 0 && qkv.shape()[2] > 0, op,
          "a packed width divisible by 3 * heads = " + std::to_string(3 * heads), qkv.tensor.text());
    check(qkv.shape()[2] / (3 * heads) <= 128, op, "a head width of at most 128",
          std::to_string(qkv.shape()[2] / (3 * heads)), "use more heads");
    check(qkv.shape()[1] > 0, op, "at least one token", qkv.tensor.text());
    if (logit_scale.given()) {
      check_wide_of(op, "logitScale", logit_scale, qkv);
      check_shape(op, "logitScale", logit_scale, {heads});
    }
  }

  void infer() {
    check_packed(name, qkv, logit_scale, heads);
    y.set({batch(), tokens(), heads * head_width()}, qkv.dtype());
    lse.set({batch(), heads, tokens()}, wide_of(qkv.dtype()));
  }

  size_t workspace(DeviceKind) const;

  static std::vector<Attention> cases(Draw& draw) {
    std::vector<Attention> list;
    for (auto [b, n, h, k] : {std::array<int64_t, 4>{1, 1, 1, 1},
                              {2, 37, 3, 16},
                              {1, 160, 2, 64},
                              {1, 65, 2, 80},
                              {1, 130, 1, 88},
                              {2, 7, 2, 33},
                              {0, 3, 1, 8},
                              {1, 40, 1, 128}})
      for (bool cosine : {false, true}) {
        Attention op{draw.real({b, n, 3 * h * k})};
        op.heads = h;
        if (cosine) op.logit_scale.tensor = draw.wide({h}, 2, 10).tensor;
        list.push_back(op);
      }
    return list;
  }
};

struct AttentionBackward {
  static constexpr const char* name = "attentionBackward";
  static constexpr int naive_intermediates = 1;  // the probabilities and the gradients of the logits
  In grad_y;                                     // (B, N, H * K)
  In qkv;                                        // (B, N, 3 * H * K)
  OptionalIn logit_scale;                        // (H), wide
  In y;                                          // (B, N, H * K)
  In lse;                                        // (B, H, N), wide
  int64_t heads = 1;
  Out grad_qkv;                  // (B, N, 3 * H * K)
  OptionalOut grad_logit_scale;  // (H), wide, cosine only

  template <class V>
  void visit(V& v) {
    v("gradY", grad_y), v("qkv", qkv), v("logitScale", logit_scale), v("y", y), v("lse", lse), v("heads", heads);
    v("gradQkv", grad_qkv), v("gradLogitScale", grad_logit_scale);
  }

  int64_t batch() const { return qkv.shape()[0]; }
  int64_t tokens() const { return qkv.shape()[1]; }
  int64_t head_width() const { return qkv.shape()[2] / (3 * heads); }

  void infer() {
    Attention::check_packed(name, qkv, logit_scale, heads);
    const Shape merged{batch(), tokens(), heads * head_width()};
    check_same_dtype(name, "gradY", grad_y, qkv), check_shape(name, "gradY", grad_y, merged);
    check_same_dtype(name, "y", y, qkv), check_shape(name, "y", y, merged);
    check_wide_of(name, "lse", lse, qkv), check_shape(name, "lse", lse, {batch(), heads, tokens()});
    grad_qkv.like(qkv);
    grad_logit_scale.set({heads}, wide_of(qkv.dtype()));
    grad_logit_scale.wanted = grad_logit_scale.wanted && logit_scale.given();
  }

  size_t workspace(DeviceKind) const;

  // Operands of the conformance cases need not come from a forward pass: the formula holds for any y and lse.
  static std::vector<AttentionBackward> cases(Draw& draw) {
    std::vector<AttentionBackward> list;
    for (auto [b, n, h, k] : {std::array<int64_t, 4>{1, 1, 1, 1},
                              {2, 37, 3, 16},
                              {1, 160, 2, 64},
                              {1, 65, 2, 80},
                              {1, 70, 1, 88},
                              {2, 7, 2, 33},
                              {0, 3, 1, 8},
                              {1, 40, 1, 128}})
      for (bool cosine : {false, true}) {
        AttentionBackward op{draw.real({b, n, h * k}), draw.real({b, n, 3 * h * k})};
        op.heads = h;
        if (cosine) op.logit_scale.tensor = draw.wide({h}, 2, 10).tensor;
        op.y = draw.real({b, n, h * k});
        op.lse = draw.wide({b, h, n}, 4, 8);
        list.push_back(op);
      }
    return list;
  }
};

}  // namespace videomae
