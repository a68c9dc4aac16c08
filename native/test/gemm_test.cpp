// The dense product against three plain loops in double: sizes around every block boundary, transposes, strides,
// epilogues, NaN, thread counts, packed weights, under each instruction set of this processor.
//   f32, f64: an element may be off by at most twice what a plain loop in that type is, plus a rounding of the epilogue
//   bf16: relative L2 error <= 2 * that of rounding the exact result once + 2e-5; results that stay f32: 2e-5
#include <array>
#include <cstring>
#include <map>

#include "core/bfloat16.h"
#include "core/thread_pool.h"
#include "cpu/gemm.h"
#include "cpu/gemm_reference.h"
#include "test/check.h"

namespace {

using namespace videomae;
using namespace videomae::test;

double value(double x) { return x; }
double value(bf16 x) { return to_float(x); }
void assign(double& to, double x) { to = x; }
void assign(float& to, double x) { to = static_cast<float>(x); }
void assign(bf16& to, double x) { to = to_bf16(static_cast<float>(x)); }

template <class T>
std::vector<T> draw(size_t count, uint64_t seed) {
  std::vector<T> drawn(count);
  const std::vector<double> exact = numbers<double>(count, seed);
  for (size_t i = 0; i < count; ++i) assign(drawn[i], exact[i]);
  return drawn;
}

template <class T>
std::vector<double> widened(const std::vector<T>& x) {
  return {x.begin(), x.end()};
}
std::vector<double> widened(const std::vector<bf16>& x) {
  std::vector<double> wide;
  for (bf16 v : x) wide.push_back(to_float(v));
  return wide;
}

struct Options {
  bool a_transposed = false, b_transposed = false, accumulate = false, bias = false, residual = false, table = false,
       gelu = false, preactivation = false, gate = false;
  int64_t slack = 0;  // strides larger than the width by this

  /// Tells these options from all others.
  int64_t key() const {
    int64_t bits = slack;
    for (bool set : {a_transposed, b_transposed, accumulate, bias, residual, table, gelu, preactivation, gate})
      bits = 2 * bits + set;
    return bits;
  }
};

/// Owns the operands of one product and its results.
template <class T, class C = T>
struct Problem {
  using W = wide_t<T>;
  Gemm<T, C> product;
  std::vector<T> a, b, residual, gate;
  std::vector<C> c, preactivation, gate_gelu;
  std::vector<W> bias, table;
  std::vector<int32_t> table_rows;

  Problem(int64_t m, int64_t n, int64_t k, const Options& o) {
    // Exactly up to the last element: nothing after it may be read.
    auto size = [&](int64_t height, int64_t width) {
      return static_cast<size_t>(height && width ? (height - 1) * (width + o.slack) + width : 0);
    };
    auto layout = [&](int64_t height, int64_t width, bool transposed, std::vector<T>& data, uint64_t seed) {
      if (transposed) std::swap(height, width);
      data = draw<T>(size(height, width), seed);
      return width + o.slack;
    };
    int64_t lda = layout(m, k, o.a_transposed, a, 1), ldb = layout(k, n, o.b_transposed, b, 2);
    c = draw<C>(size(m, n), 3);
    product = Gemm<T, C>{m, n, k, a.data(), lda, o.a_transposed, b.data(), ldb, o.b_transposed, c.data(), n + o.slack};
    product.accumulate = o.accumulate;
    product.gelu = o.gelu;
    if (o.bias) product.bias = (bias = draw<W>(n, 4)).data();
    if (o.preactivation) product.preactivation = (preactivation = draw<C>(c.size(), 5)).data();
    if (o.residual) product.residual_ld = layout(m, n, false, residual, 6), product.residual = residual.data();
    if (o.gate) product.gate = (gate = draw<T>(c.size(), 8)).data();
    if (o.gate && o.bias) product.gate_gelu = (gate_gelu = draw<C>(c.size(), 9)).data();
    if (!o.table) return;
    product.table = (table = draw<W>(5 * n, 7)).data();
    for (int64_t i = 0; i < m; ++i) table_rows.push_back(static_cast<int32_t>(i * 7 % 5));
    product.table_rows = table_rows.data();
  }

  void run() {
    Workspace workspace(gemm_workspace<T>(product.m, product.n, product.k));
    gemm(product, workspace.get());
  }

  /// The same problem in double, on the rounded numbers.
  Problem<double> exact(const Options& o) const {
    Problem<double> wide(product.m, product.n, product.k, o);
    auto copy = [](const auto& from, std::vector<double>& to) {
      const std::vector<double> values = widened(from);
      std::copy(values.begin(), values.end(), to.begin());
    };
    copy(a, wide.a), copy(b, wide.b), copy(c, wide.c), copy(bias, wide.bias), copy(residual, wide.residual);
    copy(table, wide.table), copy(preactivation, wide.preactivation), copy(gate, wide.gate);
    copy(gate_gelu, wide.gate_gelu);
    return wide;
  }
};

/// The same sum as a plain loop in T: what the error of the fast one is measured against.
template <class T>
double plain_loop_error(const Gemm<T>& g) {
  double worst = 0;
  for (int64_t i = 0; i < g.m; ++i)
    for (int64_t j = 0; j < g.n; ++j) {
      volatile T plain = 0;
      double exact = 0;
      for (int64_t k = 0; k < g.k; ++k) {
        T a = g.a_transposed ? g.a[k * g.lda + i] : g.a[i * g.lda + k];
        T b = g.b_transposed ? g.b[j * g.ldb + k] : g.b[k * g.ldb + j];
        plain = plain + a * b;
        exact += static_cast<double>(a) * b;
      }
      worst = std::fmax(worst, std::fabs(plain - exact));
    }
  return worst;
}

/// Whether results obey the law of low precision; C says to what they were rounded.
template <class C>
bool lawful(const std::vector<C>& got, const std::vector<double>& exact) {
  double difference = 0, naive = 0, norm = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    C nearest;
    assign(nearest, exact[i]);
    difference += std::pow(value(got[i]) - exact[i], 2);
    naive += std::pow(value(nearest) - exact[i], 2);
    norm += exact[i] * exact[i];
  }
  const bool good = std::sqrt(difference) <= 2 * std::sqrt(naive) + 2e-5 * std::sqrt(norm);
  if (!good) std::printf("  relative error %g, naive %g\n", std::sqrt(difference / norm), std::sqrt(naive / norm));
  return good;
}

struct Expected {
  std::vector<double> c, preactivation, gate_gelu;
  double bound = 0;  // of an element's error, where T is not bf16
};

/// What every instruction set must come to. Made once a problem: the plain loops take most of the time of these tests.
template <class T, class C>
const Expected& expected(const Problem<T, C>& problem, const Options& options) {
  static std::map<std::array<int64_t, 4>, Expected> known;
  const auto& g = problem.product;
  const auto [found, fresh] = known.try_emplace({g.m, g.n, g.k, options.key()});
  Expected& result = found->second;
  if (!fresh) return result;
  Problem<double> exact = problem.exact(options);
  gemm_reference(exact.product);
  result.c = std::move(exact.c), result.preactivation = std::move(exact.preactivation);
  result.gate_gelu = std::move(exact.gate_gelu);
  if constexpr (!std::is_same_v<T, bf16>) {
    const double unit = sizeof(T) == 4 ? 1.2e-7 : 2.3e-16;
    result.bound = 2 * plain_loop_error(g) + unit * (8 + std::sqrt(static_cast<double>(g.k)));
  }
  return result;
}

template <class T, class C = T>
void compare(int64_t m, int64_t n, int64_t k, const Options& options) {
  Problem<T, C> fast(m, n, k, options);
  const auto& [c, preactivation, gate_gelu, bound] = expected(fast, options);
  fast.run();
  // Everything between the rows of C is compared too: it must be as it was.
  bool good;
  if constexpr (std::is_same_v<T, bf16>)
    good = lawful(fast.c, c) && lawful(fast.preactivation, preactivation) && lawful(fast.gate_gelu, gate_gelu);
  else
    good = max_error(fast.c, c) <= bound && max_error(fast.preactivation, preactivation) <= bound &&
           max_error(fast.gate_gelu, gate_gelu) <= bound;
  if (!good)
    std::printf("  m %ld n %ld k %ld transposed %d %d, bytes %zu\n", long(m), long(n), long(k), options.a_transposed,
                options.b_transposed, sizeof(T));
  CHECK(good);
}

Options transposes(int index) {
  Options options;
  options.a_transposed = index & 1;
  options.b_transposed = index & 2;
  return options;
}

template <class T, class C = T>
void sizes() {
  const int64_t small[] = {1, 2, 7, 13, 14, 15, 31, 33};
  int index = 0;
  for (int64_t m : small)
    for (int64_t n : small)
      for (int64_t k : small) compare<T, C>(m, n, k, transposes(index++));
  // Wide and tall, so that either operand is the one that tiles pack; deep, so that there are several blocks of k.
  const int64_t shapes[][3] = {{96, 160, 257},  {160, 257, 768}, {257, 96, 160},  {1, 768, 768},  {768, 1, 97},
                               {2, 2, 2000},    {160, 96, 385},  {33, 31, 769},   {200, 600, 64}, {300, 7, 0},
                               {65, 330, 1030}, {330, 65, 1030}, {40, 700, 1537}, {700, 40, 514}};
  for (auto& s : shapes)
    for (int t = 0; t < 8; ++t) {
      Options o = transposes(t);
      o.accumulate = t & 4;
      compare<T, C>(s[0], s[1], s[2], o);
    }
  compare<T, C>(0, 5, 7, {});
  compare<T, C>(5, 0, 7, {});
}

template <class T>
void epilogues() {
  for (int set = 0; set < 128; ++set) {
    Options o = transposes(set / 5 % 4);
    o.bias = set & 1;
    o.residual = set & 2;
    o.table = set & 4;
    o.gelu = set & 8;
    o.preactivation = set & 16;
    o.gate = set & 32;
    o.accumulate = set & 64;
    o.slack = set % 3 * 5;
    // Each kind of epilogue at one of the sizes; every kind alone meets all of them.
    const int64_t sizes[][3] = {{37, 75, 50}, {29, 45, 800}, {29, 345, 1100}, {3, 5, 0}};
    const auto& [m, n, k] = sizes[(set / 4 + set) % 4];
    compare<T>(m, n, k, o);
  }
}

/// One NaN or infinity in A or B spoils exactly its row or column of C, and zeros opposite it do not hide it.
template <class T>
void not_a_number() {
  const int64_t m = 45, n = 70, k = 400;
  for (double poison : {double(NAN), double(INFINITY)})
    for (int t = 0; t < 4; ++t) {
      Options o = transposes(t);
      Problem<T> row(m, n, k, o), column(m, n, k, o);
      std::fill(row.b.begin(), row.b.end(), T{});
      assign(row.a[o.a_transposed ? 399 * row.product.lda + 17 : 17 * row.product.lda + 399], poison);
      row.run();
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) CHECK(std::isnan(value(row.c[i * n + j])) == (i == 17));
      std::fill(column.a.begin(), column.a.end(), T{});
      assign(column.b[o.b_transposed ? 69 * column.product.ldb + 3 : 3 * column.product.ldb + 69], poison);
      column.run();
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) CHECK(std::isnan(value(column.c[i * n + j])) == (j == 69));
    }
  Options gelu;
  gelu.gelu = gelu.bias = true;
  Problem<T> tails(1, 4, 0, gelu);
  tails.bias = {wide_t<T>(INFINITY), wide_t<T>(NAN), wide_t<T>(-30), wide_t<T>(30)};
  tails.product.bias = tails.bias.data();
  tails.run();
  CHECK(value(tails.c[0]) == INFINITY && std::isnan(value(tails.c[1])));
  CHECK(std::fabs(value(tails.c[2])) < 1e-30 && value(tails.c[3]) == 30);
}

/// GELU over its whole range, against the C library in double.
void gelu_accuracy() {
  const int64_t n = 200001;
  Options o;
  o.gelu = o.bias = true;
  Problem<float> line(1, n, 0, o);
  for (int64_t i = 0; i < n; ++i) line.bias[i] = static_cast<float>(-20 + 40.0 * i / (n - 1));
  line.run();
  double worst = 0;
  for (int64_t i = 0; i < n; ++i) {
    double x = line.bias[i], exact = x * 0.5 * std::erfc(-x * std::sqrt(0.5));
    worst = std::fmax(worst, std::fabs(line.c[i] - exact) / (1 + std::fabs(exact)));
    if (x > -5) CHECK(std::fabs(line.c[i] - exact) <= 2e-6 * std::fabs(exact));
  }
  CHECK(worst < 2e-7);
}

template <class T>
bool same_bits(const std::vector<T>& x, const std::vector<T>& y) {
  return std::memcmp(x.data(), y.data(), x.size() * sizeof(T)) == 0;
}

template <class T>
void thread_counts() {
  int threads = thread_count();
  // Few threads pack for themselves, many together; one operand is packed by tiles, or the other, or neither.
  const int64_t shapes[][3] = {{160, 300, 200},  {333, 257, 800},  {1, 3000, 500},
                               {90, 1300, 1100}, {1300, 90, 1100}, {700, 720, 300}};
  int index = 0;
  for (auto& s : shapes) {
    Options o = transposes(index++);
    o.bias = o.gelu = true;
    std::vector<T> first;
    for (int count : {1, 2, 3, 4, 5, 8, 3}) {
      set_thread_count(count);
      Problem<T> problem(s[0], s[1], s[2], o);
      problem.run();
      if (first.empty()) first = problem.c;
      CHECK(same_bits(first, problem.c));
    }
  }
  set_thread_count(threads);
}

/// A weight packed once gives the bits that it gives unpacked, for few rows and for many.
template <class T>
void packed_weights() {
  for (bool transposed : {false, true})
    for (int64_t k : {0, 33, 1100}) {
      Options o;
      o.b_transposed = transposed;
      const int64_t n = 150;
      Problem<T> weight(1, n, k, o);
      Workspace packed(packed_b_bytes<T>(n, k));
      pack_b(n, k, weight.b.data(), weight.product.ldb, transposed, packed.get());
      for (int64_t m : {1, 40, 300}) {
        Problem<T> plain(m, n, k, o), with_packed(m, n, k, o);
        plain.run();
        with_packed.product.b = nullptr;
        with_packed.product.packed_b = packed.get();
        with_packed.run();
        CHECK(same_bits(plain.c, with_packed.c));
      }
    }
}

void refusals() {
  auto refused = [](auto&& call) {
    try {
      call();
    } catch (const std::exception&) {
      return true;
    }
    return false;
  };
  CHECK(refused([] { set_instruction_set("mmx"); }));
  Workspace packed(packed_b_bytes<float>(2, 2));
  alignas(64) float x[4] = {};
  pack_b(2, 2, x, 2, false, packed.get());
  Gemm<float> product{2, 3, 2, x, 2, false, x, 3, false, x, 3};
  product.packed_b = packed.get();
  CHECK(refused([&] { gemm(product, nullptr); }));
  CHECK(refused([&] { gemm(Gemm<float>{2, 2, 2, x, 1, false, x, 2, false, x, 2}, nullptr); }));
  CHECK(refused([&] { gemm(Gemm<float>{-1, 2, 2, x, 2, false, x, 2, false, x, 2}, nullptr); }));
}

template <class T>
void cases(const std::string& name) {
  run_case(name + " sizes", sizes<T>);
  run_case(name + " epilogues", epilogues<T>);
  run_case(name + " NaN and infinity", not_a_number<T>);
  run_case(name + " thread counts", thread_counts<T>);
  run_case(name + " packed weights", packed_weights<T>);
}

}  // namespace

int main() {
  for (const std::string& isa : instruction_sets()) {
    set_instruction_set(isa.c_str());
    CHECK(isa == instruction_set());
    cases<float>(isa + " f32");
    cases<double>(isa + " f64");
    cases<bf16>(isa + " bf16");
    run_case(isa + " bf16 sizes, f32 results", sizes<bf16, float>);
    run_case(isa + " GELU accuracy", gelu_accuracy);
  }
  run_case("refusals", refusals);
  return exit_status();
}
