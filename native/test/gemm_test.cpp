// The dense product against three plain loops: sizes around every block boundary, transposes, strides, epilogues, NaN,
// thread counts, under each instruction set of this processor. A float result may be off by at most twice what a plain
// float loop is, plus one rounding of the epilogue.
#include <cstring>

#include "core/thread_pool.h"
#include "cpu/gemm.h"
#include "cpu/gemm_reference.h"
#include "test/check.h"

namespace {

using namespace videomae;
using namespace videomae::test;

struct Options {
  bool a_transposed = false, b_transposed = false, accumulate = false, bias = false, residual = false, rows = false,
       gelu = false, preactivation = false;
  int64_t slack = 0;  // strides larger than the width by this
};

/// Owns the operands of one product and three copies of its results: fast, double reference, plain float loop.
template <class T>
struct Problem {
  Gemm<T> product;
  std::vector<T> a, b, c, bias, residual, preactivation;
  std::vector<int32_t> residual_rows;

  Problem(int64_t m, int64_t n, int64_t k, const Options& o) {
    auto layout = [&](int64_t rows, int64_t columns, bool transposed, std::vector<T>& data, uint64_t seed) {
      int64_t height = transposed ? columns : rows, width = transposed ? rows : columns;
      // Exactly up to the last element: nothing after it may be read.
      data = numbers<T>(height && width ? (height - 1) * (width + o.slack) + width : 0, seed);
      return width + o.slack;
    };
    int64_t lda = layout(m, k, o.a_transposed, a, 1), ldb = layout(k, n, o.b_transposed, b, 2);
    int64_t ldc = layout(m, n, false, c, 3);
    product = Gemm<T>{m, n, k, a.data(), lda, o.a_transposed, b.data(), ldb, o.b_transposed, c.data(), ldc};
    product.accumulate = o.accumulate;
    product.gelu = o.gelu;
    if (o.bias) product.bias = (bias = numbers<T>(n, 4)).data();
    if (o.preactivation) product.preactivation = (preactivation = numbers<T>(c.size(), 5)).data();
    if (!o.residual) return;
    product.residual_ld = layout(o.rows ? 5 : m, n, false, residual, 6);
    product.residual = residual.data();
    if (!o.rows) return;
    for (int64_t i = 0; i < m; ++i) residual_rows.push_back(static_cast<int32_t>(i * 7 % 5));
    product.residual_rows = residual_rows.data();
  }

  void run() {
    Workspace workspace(gemm_workspace<T>(product.m, product.n, product.k));
    gemm(product, workspace.get());
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

template <class T>
void compare(int64_t m, int64_t n, int64_t k, const Options& options) {
  Problem<T> fast(m, n, k, options), plain(m, n, k, options);
  Problem<double> exact(m, n, k, options);
  // The reference gets the rounded inputs.
  exact.a.assign(fast.a.begin(), fast.a.end());
  exact.b.assign(fast.b.begin(), fast.b.end());
  exact.c.assign(fast.c.begin(), fast.c.end());
  exact.bias.assign(fast.bias.begin(), fast.bias.end());
  exact.residual.assign(fast.residual.begin(), fast.residual.end());
  exact.preactivation.assign(fast.preactivation.begin(), fast.preactivation.end());
  fast.run();
  gemm_reference(exact.product);
  double unit = sizeof(T) == 4 ? 1.2e-7 : 2.3e-16;
  double bound = 2 * plain_loop_error(plain.product) + unit * (8 + std::sqrt(static_cast<double>(k)));
  // Everything between the rows of C is compared too: it must be as it was.
  bool good = max_error(fast.c, exact.c) <= bound && max_error(fast.preactivation, exact.preactivation) <= bound;
  if (!good)
    std::printf("  m %ld n %ld k %ld type %zu: error %g %g, bound %g\n", long(m), long(n), long(k), sizeof(T),
                max_error(fast.c, exact.c), max_error(fast.preactivation, exact.preactivation), bound);
  CHECK(good);
}

Options transposes(int index) {
  Options options;
  options.a_transposed = index & 1;
  options.b_transposed = index & 2;
  return options;
}

template <class T>
void sizes() {
  const int64_t small[] = {1, 2, 7, 13, 14, 15, 31, 33};
  int index = 0;
  for (int64_t m : small)
    for (int64_t n : small)
      for (int64_t k : small) compare<T>(m, n, k, transposes(index++));
  const int64_t shapes[][3] = {{96, 160, 257}, {160, 257, 768}, {257, 96, 160}, {1, 768, 768},  {768, 1, 97},
                               {2, 2, 2000},   {160, 96, 385},  {33, 31, 769},  {200, 600, 64}, {300, 7, 0}};
  for (auto& s : shapes)
    for (int t = 0; t < 4; ++t) compare<T>(s[0], s[1], s[2], transposes(t));
  compare<T>(0, 5, 7, {});
  compare<T>(5, 0, 7, {});
}

template <class T>
void epilogues() {
  for (int set = 0; set < 64; ++set) {
    Options o = transposes(set / 5 % 4);
    o.accumulate = set & 1;
    o.bias = set & 2;
    o.residual = set & 4;
    o.rows = set & 8;
    o.gelu = set & 16;
    o.preactivation = set & 32;
    o.slack = set % 3 * 5;
    compare<T>(37, 75, 50, o);
    compare<T>(29, 45, 800, o);
    compare<T>(3, 5, 0, o);
  }
}

/// One NaN or infinity in A or B spoils exactly its row or column of C, and zeros opposite it do not hide it.
template <class T>
void not_a_number() {
  const int64_t m = 45, n = 70, k = 400;
  for (T poison : {T(NAN), T(INFINITY)})
    for (int t = 0; t < 4; ++t) {
      Options o = transposes(t);
      Problem<T> row(m, n, k, o), column(m, n, k, o);
      std::fill(row.b.begin(), row.b.end(), T(0));
      row.a[o.a_transposed ? 399 * row.product.lda + 17 : 17 * row.product.lda + 399] = poison;
      row.run();
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) CHECK(std::isnan(row.c[i * n + j]) == (i == 17));
      std::fill(column.a.begin(), column.a.end(), T(0));
      column.b[o.b_transposed ? 69 * column.product.ldb + 3 : 3 * column.product.ldb + 69] = poison;
      column.run();
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) CHECK(std::isnan(column.c[i * n + j]) == (j == 69));
    }
  Options gelu;
  gelu.gelu = gelu.bias = true;
  Problem<T> tails(1, 4, 0, gelu);
  tails.bias = {T(INFINITY), T(NAN), T(-30), T(30)};
  tails.product.bias = tails.bias.data();
  tails.run();
  CHECK(tails.c[0] == T(INFINITY) && std::isnan(tails.c[1]) && std::fabs(tails.c[2]) < T(1e-30) && tails.c[3] == T(30));
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
void thread_counts() {
  int threads = thread_count();
  const int64_t shapes[][3] = {{160, 300, 200}, {333, 257, 800}, {1, 3000, 500}};
  for (auto& s : shapes) {
    Options o;
    o.b_transposed = o.bias = o.gelu = true;
    std::vector<T> first;
    for (int count : {1, 2, 3, 2, 3}) {
      set_thread_count(count);
      Problem<T> problem(s[0], s[1], s[2], o);
      problem.run();
      if (first.empty()) first = problem.c;
      CHECK(std::memcmp(first.data(), problem.c.data(), first.size() * sizeof(T)) == 0);
    }
  }
  set_thread_count(threads);
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
  float x[4] = {};
  CHECK(refused([&] { gemm(Gemm<float>{2, 2, 2, x, 1, false, x, 2, false, x, 2}, nullptr); }));
  CHECK(refused([&] { gemm(Gemm<float>{-1, 2, 2, x, 2, false, x, 2, false, x, 2}, nullptr); }));
}

}  // namespace

int main() {
  for (const std::string& isa : instruction_sets()) {
    set_instruction_set(isa.c_str());
    CHECK(isa == instruction_set());
    run_case(isa + " sizes f32", sizes<float>);
    run_case(isa + " sizes f64", sizes<double>);
    run_case(isa + " epilogues f32", epilogues<float>);
    run_case(isa + " epilogues f64", epilogues<double>);
    run_case(isa + " NaN and infinity f32", not_a_number<float>);
    run_case(isa + " NaN and infinity f64", not_a_number<double>);
    run_case(isa + " GELU accuracy", gelu_accuracy);
    run_case(isa + " thread counts f32", thread_counts<float>);
    run_case(isa + " thread counts f64", thread_counts<double>);
  }
  run_case("refusals", refusals);
  return exit_status();
}
