// Fused attention, forward and backward, against plain softmax attention in extended precision, and the backward pass
// against finite differences of the forward one; NaN and infinities, extreme logits, thread counts; under each
// instruction set of this processor.
#include <algorithm>
#include <cstring>
#include <limits>

#include "core/convert.h"
#include "core/thread_pool.h"
#include "cpu/flash_attention.h"
#include "test/check.h"

namespace {

using namespace videomae;
using namespace videomae::test;

struct Sizes {
  int64_t batch, tokens, heads, d;
  bool cosine, scaled;  // scaled: logit_scale given
};

template <class T>
double real(T x) {
  if constexpr (std::is_same_v<T, bf16>)
    return to_float(x);
  else
    return static_cast<double>(x);
}

/// Inputs, results and workspace of one call in T. Arrays end at their last element.
template <class T>
struct Problem {
  using Wide = wide_t<T>;
  Sizes s;
  std::vector<T> qkv, out, grad_out, grad_qkv;
  std::vector<Wide> logit_scale, lse, grad_logit_scale;

  explicit Problem(const Sizes& sizes, double magnitude = 2) : s(sizes) {
    int64_t width = s.heads * s.d, rows = s.batch * s.tokens;
    for (double x : numbers<double>(rows * 3 * width, 11)) qkv.push_back(number(x * magnitude));
    if (s.scaled || s.cosine)
      for (int64_t h = 0; h < s.heads; ++h) logit_scale.push_back(Wide(s.cosine ? 3 + 4 * h : 0.25 * (1 + h)));
    for (double x : numbers<double>(rows * width, 12)) grad_out.push_back(number(x));
    out.assign(rows * width, number(-77));
    lse.assign(s.batch * s.heads * s.tokens, Wide(-77));
    grad_qkv.assign(qkv.size(), number(-77));
    grad_logit_scale.assign(s.heads, Wide(-77));
  }

  static T number(double x) {
    if constexpr (std::is_same_v<T, bf16>)
      return convert<bf16>(x);
    else
      return T(x);
  }

  const Wide* scale() const { return logit_scale.empty() ? nullptr : logit_scale.data(); }

  void forward() {
    Workspace space(flash_attention_workspace<T>(s.batch, s.tokens, s.heads, s.d));
    flash_attention(
        FlashAttention<T>{s.batch, s.tokens, s.heads, s.d, qkv.data(), scale(), s.cosine, out.data(), lse.data()},
        space.get());
  }

  void backward() {
    Workspace space(flash_attention_backward_workspace<T>(s.batch, s.tokens, s.heads, s.d));
    flash_attention_backward(
        FlashAttentionBackward<T>{s.batch, s.tokens, s.heads, s.d, qkv.data(), scale(), s.cosine, out.data(),
                                  lse.data(), grad_out.data(), grad_qkv.data(), grad_logit_scale.data()},
        space.get());
  }
};

/// Plain attention with the N x N matrix, every sum a loop in T, from the inputs of `p` into its results.
template <class T>
void reference(Problem<T>& p) {
  const Sizes& s = p.s;
  int64_t n = s.tokens, d = s.d, step = 3 * s.heads * d, out_step = s.heads * d;
  std::fill(p.grad_logit_scale.begin(), p.grad_logit_scale.end(), T(0));
  for (int64_t head = 0; head < s.batch * s.heads; ++head) {
    int64_t clip = head / s.heads, h = head % s.heads;
    auto row = [&](std::vector<T>& x, int which, int64_t t) {
      return x.data() + (clip * n + t) * step + (which * s.heads + h) * d;
    };
    auto out_row = [&](std::vector<T>& x, int64_t t) { return x.data() + (clip * n + t) * out_step + h * d; };
    T scale = p.scale() ? p.scale()[h] : 1 / std::sqrt(static_cast<T>(d));
    std::vector<T> q(n * d), k(n * d), q_norm(n, 1), k_norm(n, 1), dq(n * d), dk(n * d), dv(n * d);
    for (int64_t t = 0; t < n; ++t) {
      auto normalise = [&](const T* from, T* to, T& norm) {
        T sum = 0;
        for (int64_t c = 0; c < d; ++c) sum += from[c] * from[c];
        if (s.cosine) norm = std::max(std::sqrt(sum), T(1e-12));
        for (int64_t c = 0; c < d; ++c) to[c] = from[c] / norm;
      };
      normalise(row(p.qkv, 0, t), &q[t * d], q_norm[t]);
      normalise(row(p.qkv, 1, t), &k[t * d], k_norm[t]);
    }
    for (int64_t i = 0; i < n; ++i) {
      std::vector<T> dots(n), probability(n);
      T highest = -T(INFINITY), total = 0, mean = 0;
      for (int64_t j = 0; j < n; ++j) {
        for (int64_t c = 0; c < d; ++c) dots[j] += q[i * d + c] * k[j * d + c];
        highest = std::max(highest, scale * dots[j]);
      }
      for (int64_t j = 0; j < n; ++j) total += probability[j] = std::exp(scale * dots[j] - highest);
      p.lse[head * n + i] = highest + std::log(total);
      T *o = out_row(p.out, i), *g = out_row(p.grad_out, i);
      std::fill(o, o + d, T(0));
      for (int64_t j = 0; j < n; ++j) {
        probability[j] /= total;
        for (int64_t c = 0; c < d; ++c) o[c] += probability[j] * row(p.qkv, 2, j)[c];
      }
      for (int64_t c = 0; c < d; ++c) mean += o[c] * g[c];
      for (int64_t j = 0; j < n; ++j) {
        T dp = 0;
        for (int64_t c = 0; c < d; ++c) dp += g[c] * row(p.qkv, 2, j)[c];
        T ds = probability[j] * (dp - mean);
        p.grad_logit_scale[h] += ds * dots[j];
        for (int64_t c = 0; c < d; ++c) {
          dv[j * d + c] += probability[j] * g[c];
          dq[i * d + c] += scale * ds * k[j * d + c];
          dk[j * d + c] += scale * ds * q[i * d + c];
        }
      }
    }
    for (int64_t t = 0; t < n; ++t) {
      auto back = [&](const T* unit, const T* grad, double norm, T* to) {
        T along = 0;
        for (int64_t c = 0; c < d; ++c) along += unit[c] * grad[c];
        if (norm <= T(1e-12)) along = 0;
        for (int64_t c = 0; c < d; ++c) to[c] = s.cosine ? (grad[c] - unit[c] * along) / norm : grad[c];
      };
      back(&q[t * d], &dq[t * d], q_norm[t], row(p.grad_qkv, 0, t));
      back(&k[t * d], &dk[t * d], k_norm[t], row(p.grad_qkv, 1, t));
      std::copy_n(&dv[t * d], d, row(p.grad_qkv, 2, t));
    }
  }
}

template <class To, class T>
Problem<To> in_type(const Problem<T>& p) {
  Problem<To> other(p.s);
  auto widen = [](T x) { return To(real(x)); };
  std::transform(p.qkv.begin(), p.qkv.end(), other.qkv.begin(), widen);
  std::transform(p.grad_out.begin(), p.grad_out.end(), other.grad_out.begin(), widen);
  other.logit_scale.assign(p.logit_scale.begin(), p.logit_scale.end());
  return other;
}

/// Each result may be off by three times what plain loops in T are, plus a few roundings of its largest element.
template <class T>
void compare(Problem<T> fast) {
  using Wide = long double;
  Problem<T> plain = fast;
  Problem<Wide> exact = in_type<Wide>(fast);
  fast.forward();
  fast.backward();
  reference(plain);
  reference(exact);
  auto near = [&](const char* what, const std::vector<T>& got, const std::vector<T>& loops,
                  const std::vector<Wide>& want, double roundings) {
    double error = error_ratio(got, want);
    double bound = 3 * error_ratio(loops, want) + roundings * std::numeric_limits<T>::epsilon();
    if (!(error <= bound))
      std::printf("  %s: B %ld N %ld H %ld d %ld cosine %d type %zu: error %g, bound %g\n", what, long(fast.s.batch),
                  long(fast.s.tokens), long(fast.s.heads), long(fast.s.d), fast.s.cosine, sizeof(T), error, bound);
    CHECK(error <= bound);
  };
  near("out", fast.out, plain.out, exact.out, 16);
  near("lse", fast.lse, plain.lse, exact.lse, 16);
  // Normalised, a row of one number is +1 or -1 and its exact gradient 0: what remains is a rounding over its norm.
  near("grad_qkv", fast.grad_qkv, plain.grad_qkv, exact.grad_qkv, fast.s.cosine && fast.s.d == 1 ? 1e5 : 16);
  if (fast.s.tokens > 1)
    near("grad_logit_scale", fast.grad_logit_scale, plain.grad_logit_scale, exact.grad_logit_scale, 64);
  else  // one key: the exact gradient is 0, a difference of two sums of d products
    CHECK(max_error(fast.grad_logit_scale, exact.grad_logit_scale) <=
          64 * double(fast.s.d) * std::numeric_limits<T>::epsilon());
}

/// Relative L2 error of bf16 or float results against exact ones.
template <class T, class Wide>
double error_of(const std::vector<T>& got, const std::vector<Wide>& want) {
  double difference = 0, norm = 1e-300;
  for (size_t i = 0; i < got.size(); ++i) {
    const double x = real(got[i]);
    difference += (x - double(want[i])) * (x - double(want[i])), norm += double(want[i]) * double(want[i]);
  }
  return std::sqrt(difference / norm);
}

/// bf16 operands, sums in f32: at most twice the error of rounding once on the way (the probabilities), 2^-9.
void low_precision() {
  for (int64_t d : {1, 20, 64, 80, 88, 128})
    for (int64_t tokens : {1, 3, 37, 160, 208}) {
      for (bool cosine : {false, true}) {
        if (d == 1 && cosine) continue;  // the exact gradient of +1 and -1 is 0
        Problem<bf16> p({2, tokens, 3, d, cosine, cosine});
        p.forward();
        p.backward();
        Problem<double> exact = in_type<double>(p);
        reference(exact);
        constexpr double bound = 2.0 / 512 + 2e-5;
        CHECK(error_of(p.out, exact.out) <= bound);
        CHECK(error_of(p.lse, exact.lse) <= 2e-5);
        if (tokens > 1) CHECK(error_of(p.grad_qkv, exact.grad_qkv) <= bound);
        // A sum of both signs over all tokens: what it cancels to may be a small part of it.
        if (tokens > 1 && cosine) CHECK(error_of(p.grad_logit_scale, exact.grad_logit_scale) <= 8 * bound);
      }
    }
}

template <class T>
void sizes() {
  int index = 0;
  for (int64_t d : {1, 5, 64, 80, 88, 128})
    for (int64_t tokens : {1, 3, 37, 160, 208}) {
      int variant = index++ % 3;
      if (tokens <= 37)
        for (int v = 0; v < 3; ++v) compare(Problem<T>({2, tokens, 3, d, v == 1, v == 2}));
      else
        compare(Problem<T>({1, tokens, 2, d, variant == 1, variant == 2}));
    }
  compare(Problem<T>({1, 400, 1, 64, true, true}));
  compare(Problem<T>({0, 4, 2, 8, false, false}));
}

/// More heads than fit the bounded workspace at once: groups must join up.
void groups() {
  Problem<float> many({20, 1000, 5, 128, false, false});
  many.forward();
  Problem<float> last({1, 1000, 5, 128, false, false});
  int64_t row = many.qkv.size() / 20, out = many.out.size() / 20;
  std::copy(many.qkv.end() - row, many.qkv.end(), last.qkv.begin());
  last.forward();
  CHECK(std::memcmp(last.out.data(), many.out.data() + 19 * out, out * sizeof(float)) == 0);
}

/// d loss along a random direction, from the backward pass and by central differences of the forward pass, in double.
void finite_differences() {
  for (bool cosine : {false, true}) {
    Problem<double> p({2, 19, 2, 6, cosine, true}, 1);
    p.forward();
    p.backward();
    std::vector<double> direction = numbers<double>(p.qkv.size(), 21), scale_direction = numbers<double>(2, 22);
    auto loss = [&](double step) {
      Problem<double> moved = p;
      for (size_t i = 0; i < p.qkv.size(); ++i) moved.qkv[i] += step * direction[i];
      for (size_t h = 0; h < 2; ++h) moved.logit_scale[h] += step * scale_direction[h];
      moved.forward();
      double sum = 0;
      for (size_t i = 0; i < p.out.size(); ++i) sum += moved.out[i] * p.grad_out[i];
      return sum;
    };
    double slope = 0;
    for (size_t i = 0; i < p.qkv.size(); ++i) slope += p.grad_qkv[i] * direction[i];
    for (size_t h = 0; h < 2; ++h) slope += p.grad_logit_scale[h] * scale_direction[h];
    CHECK(std::fabs((loss(1e-5) - loss(-1e-5)) / 2e-5 - slope) < 1e-7 * (1 + std::fabs(slope)));
  }
}

template <class T>
void extremes() {
  const int64_t n = 150, heads = 2, d = 20, step = 3 * heads * d;
  auto nan_in_out = [&](const Problem<T>& p, int64_t t, int64_t h, int64_t c) {
    return std::isnan(real(p.out[(t * heads + h) * d + c]));
  };
  for (bool cosine : {false, true}) {
    // A NaN in one query: its row of one head. In one key: every row of the head. In one value: its column.
    for (int which = 0; which < 3; ++which) {
      Problem<T> p({1, n, heads, d, cosine, cosine});
      p.qkv[140 * step + (which * heads + 1) * d + 7] = p.number(NAN);
      p.forward();
      p.backward();
      for (int64_t t = 0; t < n; ++t)
        for (int64_t c = 0; c < d; ++c) {
          CHECK(!nan_in_out(p, t, 0, c));
          CHECK(nan_in_out(p, t, 1, c) == (which == 0 ? t == 140 : which == 1 || c == 7));
        }
      CHECK(std::isnan(p.lse[n + 140]) == (which < 2));
      CHECK(!std::isnan(p.lse[140]));
      // A NaN reaches every gradient it has a path to: here at least those of all values or all keys of the head.
      CHECK(std::isnan(real(p.grad_qkv[3 * step + ((which == 2 ? 1 : 2) * heads + 1) * d])));
      CHECK(!std::isnan(real(p.grad_qkv[3 * step + 2 * heads * d])));
    }
  }
  // An infinite key against positive and negative queries: weight 0 where the logit is -inf, NaN where it is +inf.
  Problem<T> infinite({1, n, heads, d, false, false});
  for (int64_t t = 0; t < n; ++t) infinite.qkv[t * step] = Problem<T>::number(t % 2 ? 1 : -1);
  infinite.qkv[2 * step + heads * d] = Problem<T>::number(INFINITY);
  infinite.forward();
  for (int64_t t = 0; t < n; ++t) CHECK(nan_in_out(infinite, t, 0, 3) == (t % 2 == 1));
  // All keys infinite, all logits -inf for the even queries: 0 / 0.
  for (int64_t t = 0; t < n; ++t) infinite.qkv[t * step + heads * d] = Problem<T>::number(INFINITY);
  infinite.forward();
  for (int64_t t = 0; t < n; ++t) CHECK(nan_in_out(infinite, t, 0, 3));
  // Logits in the tens of thousands, of both signs: finite results that match the reference.
  Problem<T> large({1, n, heads, d, false, false}, 300);
  large.forward();
  Problem<double> exact = in_type<double>(large);
  reference(exact);
  CHECK(error_ratio(large.lse, exact.lse) < 1e-6);
  CHECK(error_of(large.out, exact.out) < (sizeof(T) <= 4 ? 2e-2 : 1e-10));  // float logits carry errors of 0.01
  // Zero rows under cosine: the norm floor, no division by zero.
  Problem<T> zero({1, 5, 1, 4, true, true});
  std::fill(zero.qkv.begin(), zero.qkv.begin() + 24, Problem<T>::number(0));
  zero.forward();
  zero.backward();
  for (T x : zero.out) CHECK(std::isfinite(real(x)));
  for (T x : zero.grad_qkv) CHECK(std::isfinite(real(x)));
  if constexpr (sizeof(T) > 2) compare(Problem<T>({1, 70, 1, 8, false, true}, 0));
}

template <class T>
void thread_counts() {
  int threads = thread_count();
  std::vector<T> out, grad;
  std::vector<wide_t<T>> scale;
  for (int count : {1, 2, 3, 2, 3}) {
    set_thread_count(count);
    Problem<T> p({2, 160, 3, 64, true, true});
    p.forward();
    p.backward();
    if (out.empty()) out = p.out, grad = p.grad_qkv, scale = p.grad_logit_scale;
    CHECK(std::memcmp(out.data(), p.out.data(), out.size() * sizeof(T)) == 0);
    CHECK(std::memcmp(grad.data(), p.grad_qkv.data(), grad.size() * sizeof(T)) == 0);
    CHECK(std::memcmp(scale.data(), p.grad_logit_scale.data(), scale.size() * sizeof scale[0]) == 0);
  }
  set_thread_count(threads);
}

void refusals() {
  float x[8] = {};
  auto refused = [&](int64_t tokens, int64_t d, bool cosine) {
    try {
      flash_attention(FlashAttention<float>{1, tokens, 1, d, x, nullptr, cosine, x, x}, nullptr);
    } catch (const std::invalid_argument&) {
      return true;
    }
    return false;
  };
  CHECK(refused(0, 1, false));
  CHECK(refused(1, 129, false));
  CHECK(refused(1, 1, true));
}

}  // namespace

int main() {
  for (const std::string& isa : instruction_sets()) {
    set_instruction_set(isa.c_str());
    run_case(isa + " sizes f32", sizes<float>);
    run_case(isa + " sizes f64", sizes<double>);
    run_case(isa + " finite differences", finite_differences);
    run_case(isa + " extremes f32", extremes<float>);
    run_case(isa + " extremes f64", extremes<double>);
    run_case(isa + " thread counts f32", thread_counts<float>);
    run_case(isa + " thread counts f64", thread_counts<double>);
    run_case(isa + " sizes bf16", low_precision);
    run_case(isa + " extremes bf16", extremes<bf16>);
    run_case(isa + " thread counts bf16", thread_counts<bf16>);
  }
  run_case("groups of heads", groups);
  run_case("refusals", refusals);
  return exit_status();
}
