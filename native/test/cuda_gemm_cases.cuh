// Products of the emulator's device against plain sums in f64, and cases that any kernels of products must pass.
#pragma once

#include "core/bfloat16.h"
#include "cuda/elements.cuh"
#include "cuda/emu/launch.h"
#include "cuda/gemm.h"
#include "cuda/gemm_plan.h"
#include "cuda/runtime.h"
#include "test/check.h"

namespace videomae::cuda {

/// As where there is a driver: cuBLASLt is looked for, which the emulator's plug-in does not do.
const bool runtime::needs_driver = true;

/// Numbers of f32 or bf16, and what they are in f64.
struct Numbers {
  DType dtype;
  std::vector<double> exact;
  std::vector<float> wide;
  std::vector<bf16> narrow;

  Numbers(DType dtype, size_t count, uint64_t seed) : dtype(dtype), exact(test::numbers<float>(count, seed).size()) {
    wide = test::numbers<float>(count, seed);
    for (size_t i = 0; i < count; ++i) {
      if (dtype == DType::bf16) narrow.push_back(videomae::to_bf16(wide[i])), wide[i] = videomae::to_float(narrow[i]);
      exact[i] = wide[i];
    }
  }
  /// A buffer of NaN.
  Numbers(DType dtype, size_t count) : dtype(dtype), wide(count, NAN), narrow(count, videomae::to_bf16(NAN)) {}

  void* at(size_t offset = 0) {
    return dtype == DType::f32 ? static_cast<void*>(wide.data() + offset) : static_cast<void*>(narrow.data() + offset);
  }
  double got(size_t i) const { return dtype == DType::f32 ? wide[i] : videomae::to_float(narrow[i]); }
};

inline Context device(int multiprocessors = 4, uint64_t shared = 227 * 1024) {
  Context context;
  context.limits = {90, multiprocessors, shared, shared + 1024};
  return context;
}

struct Epilogues {
  bool accumulate = false, bias = false, keep = false, gelu = false, gate = false, sums = false;
  int residual = 0;  // 1: of the operands' dtype, 2: f32 rows of a table
  DType c = DType::f32;
};

struct Size {
  int64_t m, n, k;
};

/// Rows `pad` elements longer than they need be, counted from a multiple of `multiple`, and everything begins `offset`
/// elements late.
struct Placement {
  int64_t pad = 0, offset = 0, multiple = 1;

  int64_t row(int64_t elements) const { return ceil_div(elements, multiple) * multiple + pad; }
};

inline double gelu_of(double x) { return 0.5 * x * std::erfc(-x * 0.70710678118654752440); }
inline double gelu_slope(double x) {
  return 0.5 * std::erfc(-x * 0.70710678118654752440) + x * std::exp(-0.5 * x * x) * 0.39894228040143267794;
}

/// Error of one product relative to the f64 sums; C, kept pre-activations and column sums by the law of low precision.
/// @returns C's bits
inline std::vector<char> check_product(const Context& context, DType dtype, Size size, bool at, bool bt,
                                       Epilogues e = {}, Placement place = {}) {
  const auto [m, n, k] = size;
  const int64_t lda = place.row(at ? m : k), ldb = place.row(bt ? k : n), ldc = place.row(n);
  const int64_t o = place.offset;
  Numbers a(dtype, (at ? k : m) * lda + o, 1), b(dtype, (bt ? n : k) * ldb + o, 2), bias(DType::f32, n + o, 3);
  Numbers gate(dtype, m * ldc + o, 4), table(e.residual == 2 ? DType::f32 : dtype, (m + 5) * ldc + o, 5);
  Numbers before(e.c, m * ldc + o, 6), kept(dtype, m * ldc + o), sums(DType::f32, n);
  Numbers c = before;
  std::vector<int32_t> rows(m);
  for (int64_t i = 0; i < m; ++i) rows[i] = static_cast<int32_t>(i * 7 % (m + 5));

  Gemm g{dtype, m, n, k, a.at(o), lda, at, b.at(o), ldb, bt, c.at(o), ldc, e.c};
  g.accumulate = e.accumulate, g.gelu = e.gelu;
  if (e.bias) g.bias = static_cast<float*>(bias.at(o));
  if (e.keep) g.preactivation = kept.at(o);
  if (e.gate) g.gate = gate.at(o);
  if (e.sums) g.column_sums = sums.wide.data();
  if (e.residual) g.residual = table.at(o), g.residual_dtype = table.dtype, g.residual_ld = ldc;
  if (e.residual == 2) g.residual_rows = rows.data(), g.residual_count = m + 5;
  const size_t bytes = gemm_workspace(g, e.sums ? After::column_sums : g.plain() ? After::nothing : After::steps);
  test::Workspace workspace(bytes);
  if (bytes) std::memset(workspace.get(), 0xA5, bytes);
  gemm(context, g, workspace.get());

  struct Error {
    double square = 0, norm = 0, rounding = 0;
    void add(double got, double expected, DType dtype) {
      square += (got - expected) * (got - expected), norm += expected * expected;
      const float rounded = static_cast<float>(expected);
      const double naive = (dtype == DType::f32 ? rounded : videomae::to_float(videomae::to_bf16(rounded))) - expected;
      rounding += naive * naive;
    }
    /// The law: at most twice what rounding the exact result costs, and 2e-5.
    bool good() const {
      return !(std::sqrt(square) > 2 * std::sqrt(rounding) + 2e-5 * std::sqrt(norm)) && square == square;
    }
  } of_c, of_kept, of_sums;
  bool untouched = true;
  std::vector<double> columns(n);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double v = 0;
      for (int64_t x = 0; x < k; ++x)
        v += a.exact[o + (at ? x * lda + i : i * lda + x)] * b.exact[o + (bt ? j * ldb + x : x * ldb + j)];
      const int64_t here = o + i * ldc + j;
      if (e.accumulate) v += before.exact[here];
      if (e.bias) v += bias.exact[o + j];
      if (e.keep) of_kept.add(kept.got(here), v, dtype);
      if (e.gelu) v = gelu_of(v);
      if (e.gate) v *= gelu_slope(gate.exact[here]);
      if (e.residual) v += table.exact[o + (e.residual == 2 ? rows[i] : i) * ldc + j];
      of_c.add(c.got(here), v, e.c);
      columns[j] += v;
    }
    for (int64_t j = n; j < ldc; ++j) untouched = untouched && c.got(o + i * ldc + j) == before.exact[o + i * ldc + j];
  }
  for (int64_t j = 0; j < n && e.sums; ++j) of_sums.add(sums.wide[j], columns[j], DType::f32);
  CHECK(of_c.good() && of_kept.good() && of_sums.good());
  CHECK(untouched);
  const char* elements = static_cast<char*>(c.at());
  return {elements, elements + (o + m * ldc) * size_of(e.c)};
}

inline void alignments(DType dtype) {
  for (int order = 0; order < 4; ++order)
    for (const Placement& place :
         {Placement{1, 0}, Placement{0, 1}, Placement{2, 2}, Placement{3, 4}, Placement{4, 4}, Placement{8, 8}})
      check_product(device(), dtype, {24, 40, 48}, order & 1, order & 2, {.bias = true, .c = dtype}, place);
}

/// Few tiles and a long k: cut in parts, whose sums meet in order.
inline void parts(DType dtype, Placement place = {}) {
  CHECK(gemm_parts(40, 50, 1500, 1) > 2);
  CHECK(gemm_parts(5120, 3072, 768, 1) == 1 && gemm_parts(40, 50, 1500, 2) == 1);
  CHECK(gemm_parts(5120, 3072, 30000, 1) >= 4);  // sums over no more than 8192
  for (int parts = 1; parts < 8; ++parts) CHECK((parts - 1) * gemm_part_length(2000, parts) < 2000);
  check_product(device(), dtype, {40, 50, 1500}, true, false, {}, place);
  check_product(device(), dtype, {33, 31, 1111}, true, false, {.accumulate = true}, {1, 1});
  const Epilogues all{.bias = true, .keep = true, .gelu = true, .c = dtype};
  check_product(device(), dtype, {33, 32, 1024}, false, true, all, place);
}

inline void same_bits(DType dtype) {
  const auto all = [&] {
    std::vector<char> bits = check_product(device(), dtype, {72, 72, 600}, true, false, {.accumulate = true});
    const auto more =
        check_product(device(1), dtype, {130, 264, 40}, false, true, {.gate = true, .sums = true, .c = dtype});
    bits.insert(bits.end(), more.begin(), more.end());
    return bits;
  };
  const auto first = all();
  for (const auto& [order, seed] :
       {std::pair{emu::Order::forward, 1}, {emu::Order::reversed, 1}, {emu::Order::random, 7}}) {
    emu::set_order(order, static_cast<uint64_t>(seed));
    CHECK(all() == first);
  }
  emu::set_order(emu::Order::random, 1);
}

/// NaN and infinity go where they belong, and nowhere else: not into rows that share a tile, nor in from beyond a tail.
inline void not_numbers(DType dtype, Placement place = {}) {
  const int64_t m = 9, n = 11, k = 19, lda = place.row(k), ldb = place.row(n);
  for (const float value : {NAN, INFINITY}) {
    Numbers a(dtype, m * lda, 1), b(dtype, k * ldb, 2), c(DType::f32, m * n);
    a.wide[3 * lda + 18] = value;
    if (dtype == DType::bf16) a.narrow[3 * lda + 18] = videomae::to_bf16(value);
    gemm(device(), Gemm{dtype, m, n, k, a.at(), lda, false, b.at(), ldb, false, c.at(), n, DType::f32}, nullptr);
    for (int64_t i = 0; i < m * n; ++i)
      CHECK(i / n != 3 ? std::isfinite(c.wide[i]) : std::isnan(value) ? std::isnan(c.wide[i]) : std::isinf(c.wide[i]));
  }
}

}  // namespace videomae::cuda
