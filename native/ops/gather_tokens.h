// Token gather, y[b, i] = x[b, index[b, i]], and its transpose, scatter-add: x[b, index[b, i]] += y[b, i].
#pragma once

#include "ops/token_grid.h"

namespace videomae {

struct GatherTokens {
  static constexpr const char* name = "gatherTokens";
  In x;      // (B, N, D)
  In index;  // i32 (B, V)
  Out y;     // (B, V, D)

  template <class V>
  void visit(V& v) {
    v("x", x), v("index", index), v("y", y);
  }

  void infer() {
    check_real(name, "x", x);
    check_rank(name, "x", x, 3, "[B, N, D]");
    check_token_index(name, "index", index, x.shape()[0], x.shape()[1]);
    y.set({x.shape()[0], index.shape()[1], x.shape()[2]}, x.dtype());
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<GatherTokens> cases(Draw& draw) {
    return {{draw.real({1, 1, 1}), draw.ascending(1, 1, 1)},
            {draw.real({2, 32, 24}), draw.ascending(2, 5, 32)},
            {draw.real({3, 64, 40}), draw.integers({3, 100}, 64)},
            {draw.real({2, 5, 7}), draw.integers({2, 0}, 5)},
            {draw.real({1, 9, 1408}), draw.ascending(1, 4, 9)}};
  }
};

/// A token that is named twice receives both rows, in order.
struct ScatterTokens {
  static constexpr const char* name = "scatterTokens";
  In y;                // (B, V, D)
  In index;            // i32 (B, V)
  int64_t tokens = 0;  // N
  Out x;               // (B, N, D), zero where no row arrives

  template <class V>
  void visit(V& v) {
    v("y", y), v("index", index), v("tokens", tokens), v("x", x);
  }

  void infer() {
    check_real(name, "y", y);
    check_rank(name, "y", y, 3, "[B, V, D]");
    check(tokens >= 0, name, "tokens of 0 or more", std::to_string(tokens));
    check_token_index(name, "index", index, y.shape()[0], tokens);
    check(index.shape()[1] == y.shape()[1], name, "one index a row of y " + y.tensor.text(), index.tensor.text());
    x.set({y.shape()[0], tokens, y.shape()[2]}, y.dtype());
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<ScatterTokens> cases(Draw& draw) {
    return {{draw.real({1, 1, 1}), draw.ascending(1, 1, 1), 1},
            {draw.real({2, 5, 24}), draw.ascending(2, 5, 32), 32},
            {draw.real({3, 100, 40}), draw.integers({3, 100}, 64), 64},
            {draw.real({2, 0, 7}), draw.integers({2, 0}, 5), 5},
            {draw.real({1, 4, 1408}), draw.ascending(1, 4, 9), 9}};
  }
};

}  // namespace videomae
