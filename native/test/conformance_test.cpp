// Every op of ops.def over its own cases: f32 agrees with f64 run on the same values, and the bits of every output are
// the same for 1, 2 and 3 threads and for two different patterns left in the memory that outputs and scratch reuse (an
// element that a kernel does not write, or scratch that it reads before writing, shows up as a difference). Leaving out
// an output that is not wanted must not change the others.
//
// Prints `ok <op> case <i>` or `FAILED <op> case <i>: why`; `conformance_test <op>` runs one op.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "core/thread_pool.h"
#include "cpu/convert.h"
#include "ops/execute.h"

namespace videomae {
namespace {

constexpr uint32_t kSeed = 20240607;
constexpr double kTolerance = 2e-5;  // relative L2 of f32 against f64

/// An op may declare `static constexpr double tolerance`.
template <class Op, class = void>
struct ToleranceOf {
  static constexpr double value = kTolerance;
};
template <class Op>
struct ToleranceOf<Op, std::void_t<decltype(Op::tolerance)>> {
  static constexpr double value = Op::tolerance;
};

/// What an op left in one tensor.
struct Result {
  std::string field;
  Shape shape;
  DType dtype;
  std::vector<char> bytes;

  double at(int64_t i) const {
    double value = 0;
    cpu::with_element(dtype, [&](auto t) {
      decltype(t) element;
      std::memcpy(&element, bytes.data() + static_cast<size_t>(i) * sizeof element, sizeof element);
      value = cpu::convert<double>(element);
    });
    return value;
  }
  bool is_real() const { return dtype == DType::f32 || dtype == DType::f64; }
};

/// Collects the outputs of an op and whatever it may have changed in place.
struct Collect {
  std::vector<Result> results;

  void add(const char* field, const Tensor& t) {
    const char* data = static_cast<const char*>(t.data());
    results.push_back({field, t.shape(), t.dtype(), std::vector<char>(data, data + t.bytes())});
  }
  void operator()(const char* field, Out& y) { add(field, y.tensor); }
  void operator()(const char* field, OptionalOut& y) {
    if (y.wanted) add(field, y.tensor);
  }
  void operator()(const char* field, InOut& y) { add(field, y.tensor); }
  void operator()(const char* field, InList& xs) {
    for (const Tensor& t : xs.tensors) add(field, t);
  }
  template <class Other>
  void operator()(const char*, Other&) {}
};

/// Leaves a pattern in the memory that the op's outputs will be given.
struct Poison {
  int pattern;
  std::vector<Tensor> held;  // released together, so that no two outputs share one

  void operator()(const char* field, OptionalOut& y) {
    if (y.wanted) (*this)(field, static_cast<Out&>(y));
  }
  void operator()(const char*, Out& y) {
    held.push_back(Tensor::empty(y.shape, y.dtype));
    std::memset(held.back().data(), pattern, held.back().bytes());
  }
  template <class Other>
  void operator()(const char*, Other&) {}
};

/// Counts the outputs that can be left out, and leaves out the one numbered `which`.
struct LeaveOut {
  int which = -1, count = 0;
  void operator()(const char*, OptionalOut& y) {
    if (count++ == which) y.wanted = false;
  }
  template <class Other>
  void operator()(const char*, Other&) {}
};

using Results = std::vector<std::vector<Result>>;  // [case][output]

/// Runs all cases of an op, drawn afresh: ops that change tensors in place must not see a changed one.
template <class Op>
Results run_cases(DType real, int threads, int pattern, int left_out = -1) {
  set_thread_count(threads);
  Draw draw(real, kSeed);
  Results all;
  for (Op& op : Op::cases(draw)) {
    LeaveOut leave_out{left_out};
    op.visit(leave_out);
    op.infer();
    {
      Poison poison{pattern, {}};
      op.visit(poison);
      if (const size_t bytes = op.workspace(DeviceKind::cpu)) std::memset(allocate(bytes)->data, pattern, bytes);
    }
    execute(op);
    Collect collect;
    op.visit(collect);
    all.push_back(std::move(collect.results));
  }
  return all;
}

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", x);
  return text;
}

/// Empty when an output of f32 agrees with that of f64; otherwise how they differ.
std::string disagreement(const Result& narrow, const Result& wide, double tolerance) {
  if (narrow.shape != wide.shape) return narrow.shape.text() + " in f32, " + wide.shape.text() + " in f64";
  double difference = 0, norm = 0;
  for (int64_t i = 0, n = narrow.shape.elements(); i < n; ++i) {
    const double a = narrow.at(i), b = wide.at(i);
    if (a == b || (a != a && b != b)) {
      norm += std::isfinite(b) ? b * b : 0;
      continue;
    }
    if (!narrow.is_real() || !std::isfinite(a) || !std::isfinite(b))
      return "element " + std::to_string(i) + " is " + number(a) + " in f32 and " + number(b) + " in f64";
    difference += (a - b) * (a - b);
    norm += b * b;
  }
  const double error = difference == 0 ? 0 : std::sqrt(difference / norm);
  return error <= tolerance ? "" : "relative error " + number(error) + " of f32 against f64";
}

/// The first output of a case whose bits are others in a repeated run, which may lack some outputs. Null if none.
const Result* first_difference(const std::vector<Result>& first, const std::vector<Result>& repeated) {
  size_t k = 0;
  for (const Result& again : repeated) {
    while (first[k].field != again.field) ++k;
    if (first[k++].bytes != again.bytes) return &again;
  }
  return nullptr;
}

template <class Op>
bool conforms() {
  const Results narrow = run_cases<Op>(DType::f32, 1, 0xA5), wide = run_cases<Op>(DType::f64, 1, 0xA5);
  struct Repeat {
    const Results& first;
    std::string difference;
    Results results;
  };
  std::vector<Repeat> repeats;
  Op sample;
  LeaveOut optional;
  sample.visit(optional);
  for (DType real : {DType::f32, DType::f64}) {
    const Results& first = real == DType::f32 ? narrow : wide;
    const std::string in = std::string(" (") + name_of(real) + ")";
    repeats.push_back({first, "differs between 1 and 2 threads" + in, run_cases<Op>(real, 2, 0xA5)});
    repeats.push_back({first, "differs between 1 and 3 threads" + in, run_cases<Op>(real, 3, 0xA5)});
    repeats.push_back({first, "depends on what memory held before" + in, run_cases<Op>(real, 1, 0x5B)});
    for (int k = 0; k < optional.count; ++k)
      repeats.push_back({first, "changes when another output is left out" + in, run_cases<Op>(real, 1, 0x5B, k)});
  }

  bool all_ok = true;
  for (size_t i = 0; i < narrow.size(); ++i) {
    std::string failure;
    for (const Repeat& repeat : repeats)
      if (const Result* y = first_difference(repeat.first[i], repeat.results[i]))
        failure = y->field + " " + repeat.difference;
    for (size_t k = 0; k < narrow[i].size() && failure.empty(); ++k) {
      const std::string why = disagreement(narrow[i][k], wide[i][k], ToleranceOf<Op>::value);
      if (!why.empty()) failure = narrow[i][k].field + ": " + why;
    }
    if (failure.empty())
      std::printf("ok %s case %zu\n", Op::name, i);
    else
      std::printf("FAILED %s case %zu: %s\n", Op::name, i, failure.c_str());
    all_ok = all_ok && failure.empty();
  }
  return all_ok;
}

template <class Op>
bool checked() {
  try {
    return conforms<Op>();
  } catch (const std::exception& error) {
    std::printf("FAILED %s: %s\n", Op::name, error.what());
    return false;
  }
}

}  // namespace
}  // namespace videomae

int main(int argc, char** argv) {
  bool ok = true;
#define OP(Type, stem) \
  if (argc < 2 || std::strcmp(argv[1], videomae::Type::name) == 0) ok = videomae::checked<videomae::Type>() && ok;
#include "ops/ops.def"
#undef OP
  return ok ? 0 : 1;
}
