// Every op of ops.def over its own cases, in f32 and bf16, by the law of conformance_law.h: as the cases are drawn;
// with every operand moved to begin one element further on, where no vector is aligned; and with a NaN, and an
// infinity, in the middle of the first operand. And the bits of every output are the same, in f64 too, for 1, 2 and 3
// threads and for two different patterns left in the memory that outputs and scratch reuse (an element that a kernel
// does not write, or scratch that it reads before writing, shows up as a difference). Leaving out an output that is not
// wanted must not change the others. What an op adds to a tensor has the bits of what it makes, added afterwards.
//
// With `--device emu` (or cuda) it is that device's kernels, held to the CPU's f64 ones; f64 itself is left out.
//
// Prints `ok <op> case <i>` or `FAILED <op> case <i>: why`, and a table at the end; `conformance_test <op> ...` runs
// those ops.
#include <cstdio>
#include <map>
#include <optional>

#include "core/accelerator.h"
#include "core/thread_pool.h"
#include "ops/execute.h"
#include "test/conformance_law.h"

namespace videomae::test {
namespace {

constexpr uint32_t kSeed = 20240607;

Device tested;  // the CPU unless the command line names another

/// Copies between the CPU's memory and that of the device under test.
void copy_to(const Tensor& to, const void* from) {
  if (to.bytes() == 0) return;
  if (to.device().is_cpu())
    std::memcpy(to.data(), from, to.bytes());
  else
    Accelerator::of(to.device()).upload(to.data(), from, to.bytes());
}
void copy_from(void* to, const Tensor& from) {
  if (from.bytes() == 0) return;
  if (from.device().is_cpu())
    std::memcpy(to, from.data(), from.bytes());
  else
    Accelerator::of(from.device()).download(to, from.data(), from.bytes());
}

/// How a run of an op's cases differs from the plain one.
struct Variant {
  int threads = 1;
  int pattern = 0xA5;             // left in memory that is reused
  int left_out = -1;              // the output that is not wanted, among those that may be left out
  bool added_after = false;       // outputs that the op would add to a tensor are made, and added by the test
  bool shifted = false;           // operands begin one element further on
  std::optional<double> planted;  // in the middle of the first real operand
  Device device{};                // whose kernels run
};

/// Puts operands where a variant wants them, with what it wants in them.
struct Arrange {
  Variant variant;
  bool planted = false;

  void one(Tensor& t) {
    plant(t);
    if (!variant.shifted && variant.device.is_cpu()) return;
    const Tensor moved = Tensor::empty({t.elements() + variant.shifted}, t.dtype(), variant.device)
                             .view(variant.shifted ? 1 : 0, t.shape());
    copy_to(moved, t.data());
    t = moved;
  }
  void plant(Tensor& t) {
    if (!variant.planted || planted) return;
    with_element(t.dtype(), [&](auto type) {
      using T = decltype(type);
      if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, bf16>) {
        planted = true;
        if (t.elements() > 0) t.data<T>()[t.elements() / 2] = convert<T>(*variant.planted);
      }
    });
  }
  void operator()(const char*, In& x) { one(x.tensor); }
  void operator()(const char*, InOut& x) { one(x.tensor); }
  void operator()(const char*, OptionalIn& x) {
    if (x.given()) one(x.tensor);
  }
  void operator()(const char*, InList& xs) {
    for (Tensor& t : xs.tensors) one(t);
  }
  void operator()(const char*, AddedOut& y) {
    if (y.adds) one(y.tensor);
  }
  template <class Other>
  void operator()(const char*, Other&) {}
};

/// Makes the op make what it would add, and adds it when the op has run.
struct AddAfter {
  std::vector<std::pair<AddedOut*, Tensor>> held;

  void operator()(const char*, AddedOut& y) {
    if (!y.adds) return;
    held.push_back({&y, y.tensor});
    y.adds = false, y.tensor = Tensor();
  }
  template <class Other>
  void operator()(const char*, Other&) {}

  void finish() {
    for (auto& [y, to] : held)
      with_element(to.dtype(), [&, made = y->tensor, sum = to](auto type) {
        using T = decltype(type);
        std::vector<T> a(static_cast<size_t>(made.elements())), b(a.size());
        copy_from(a.data(), made), copy_from(b.data(), sum);
        for (size_t i = 0; i < a.size(); ++i) b[i] = convert<T>(convert<double>(b[i]) + convert<double>(a[i]));
        copy_to(made, b.data());
      });
  }
};

/// Leaves a pattern in the memory that the op's outputs will be given.
struct Poison {
  int pattern;
  Device device;
  std::vector<Tensor> held;  // released together, so that no two outputs share one

  void operator()(const char* field, OptionalOut& y) {
    if (y.wanted) (*this)(field, static_cast<Out&>(y));
  }
  void operator()(const char* field, AddedOut& y) {
    if (!y.adds) (*this)(field, static_cast<OptionalOut&>(y));
  }
  void operator()(const char*, Out& y) {
    held.push_back(Tensor::empty(y.shape, y.dtype, device));
    copy_to(held.back(), std::vector<char>(held.back().bytes(), static_cast<char>(pattern)).data());
  }
  template <class Other>
  void operator()(const char*, Other&) {}
};

/// Leaves a pattern in the scratch memory that the op will be given.
void poison_scratch(size_t bytes, const Variant& variant) {
  const std::shared_ptr<Block> scratch = allocate(bytes, variant.device, Purpose::scratch);
  const std::vector<char> pattern(bytes, static_cast<char>(variant.pattern));
  if (variant.device.is_cpu())
    std::memcpy(scratch->data, pattern.data(), bytes);
  else
    Accelerator::of(variant.device).upload(scratch->data, pattern.data(), bytes);
}

/// Collects the outputs of an op and whatever it may have changed in place.
struct Collect {
  std::vector<Result> results;

  void add(const char* field, const Tensor& t) {
    results.push_back({field, t.shape(), t.dtype(), std::vector<char>(t.bytes())});
    copy_from(results.back().bytes.data(), t);
  }
  void operator()(const char* field, Out& y) { add(field, y.tensor); }
  void operator()(const char* field, OptionalOut& y) {
    if (y.wanted) add(field, y.tensor);
  }
  void operator()(const char* field, AddedOut& y) { (*this)(field, static_cast<OptionalOut&>(y)); }
  void operator()(const char* field, InOut& y) { add(field, y.tensor); }
  template <class Other>
  void operator()(const char*, Other&) {}
};

/// Counts the outputs that can be left out, and leaves out the one numbered `which`.
struct LeaveOut {
  int which = -1, count = 0;
  void operator()(const char*, OptionalOut& y) {
    if (count++ == which) y.wanted = false;
  }
  void operator()(const char* field, AddedOut& y) {
    (*this)(field, static_cast<OptionalOut&>(y));
    y.adds = y.adds && y.wanted;
  }
  template <class Other>
  void operator()(const char*, Other&) {}
};

using Results = std::vector<std::vector<Result>>;  // [case][output]

/// Runs all cases of an op, drawn afresh: ops that change tensors in place must not see a changed one.
/// @param exact  the dtype in which the operands are exact
template <class Op>
Results run_cases(DType real, DType exact, const Variant& variant = {}) {
  set_thread_count(variant.threads);
  Draw draw(real, kSeed, exact);
  Results all;
  for (Op& op : Op::cases(draw)) {
    Arrange arrange{variant};
    op.visit(arrange);
    LeaveOut leave_out{variant.left_out};
    op.visit(leave_out);
    AddAfter add_after;
    if (variant.added_after) op.visit(add_after);
    op.infer();
    {
      Poison poison{variant.pattern, variant.device, {}};
      op.visit(poison);
      const size_t bytes = workspace_of(variant.device, IdOf<Op>::value, &op);
      if (bytes > 0) poison_scratch(bytes, variant);
    }
    execute(op);
    add_after.finish();
    Collect collect;
    op.visit(collect);
    all.push_back(std::move(collect.results));
  }
  return all;
}

/// What was checked in one dtype.
struct Tally {
  int ops = 0, cases = 0, checks = 0;
  double worst = 0;  // share of the allowed error
  std::string worst_op;
};
std::map<std::string, Tally> table;

/// The first output of a case whose bits are others in a repeated run, which may lack some outputs. Null if none.
const Result* first_difference(const std::vector<Result>& first, const std::vector<Result>& repeated) {
  size_t k = 0;
  for (const Result& again : repeated) {
    while (first[k].field != again.field) ++k;
    if (first[k++].bytes != again.bytes) return &again;
  }
  return nullptr;
}

/// Why each case fails; empty where it does not.
using Failures = std::vector<std::string>;

/// That runs which must not matter leave the same bits.
template <class Op>
void check_repeats(DType real, Failures& failures) {
  Op sample;
  LeaveOut optional;
  sample.visit(optional);
  struct Repeat {
    const char* difference;
    Variant variant;
  };
  std::vector<Repeat> repeats = {{"depends on what memory held before", {1, 0x5B}}};
  if (tested.is_cpu())
    repeats.insert(repeats.end(), {{"differs between 1 and 2 threads", {2}}, {"differs between 1 and 3 threads", {3}}});
  for (int k = 0; k < optional.count; ++k) repeats.push_back({"changes when another output is left out", {1, 0x5B, k}});
  repeats.push_back({"is another sum when it is made and then added", {}});
  repeats.back().variant.added_after = true;
  for (Repeat& repeat : repeats) repeat.variant.device = tested;
  Variant plain;
  plain.device = tested;
  const Results first = run_cases<Op>(real, real, plain);
  failures.resize(first.size());
  for (const Repeat& repeat : repeats) {
    const Results again = run_cases<Op>(real, real, repeat.variant);
    for (size_t i = 0; i < first.size(); ++i)
      if (const Result* y = first_difference(first[i], again[i]))
        failures[i] = y->field + " " + repeat.difference + " (" + name_of(real) + ")";
  }
}

/// That the op follows the law in one dtype.
template <class Op>
void check_law(DType real, Failures& failures) {
  struct Setting {
    const char* text;
    Variant variant;
  };
  Setting settings[] = {{"", {}}, {", operands unaligned", {}}, {", with a NaN", {}}, {", with an infinity", {}}};
  settings[1].variant.shifted = true;
  settings[2].variant.planted = NAN;
  settings[3].variant.planted = INFINITY;
  Tally& tally = table[name_of(real)];
  for (const Setting& setting : settings) {
    Variant on_device = setting.variant;
    on_device.device = tested;
    const Results got = run_cases<Op>(real, real, on_device);
    const Results wide = run_cases<Op>(DType::f64, real, setting.variant);
    for (size_t i = 0; i < got.size(); ++i)
      for (size_t k = 0; k < got[i].size(); ++k) {
        const Verdict verdict = judge<Op>(got[i][k], wide[i][k], real);
        ++tally.checks;
        if (verdict.share > tally.worst) tally.worst = verdict.share, tally.worst_op = Op::name;
        if (!verdict.failure.empty() && failures[i].empty())
          failures[i] = got[i][k].field + " (" + name_of(real) + setting.text + ") " + verdict.failure;
      }
    if (&setting == settings) tally.cases += static_cast<int>(got.size());
  }
  ++tally.ops;
}

template <class Op>
bool conforms() {
  Failures failures;
  for (DType real : {DType::f64, DType::f32, DType::bf16})
    if (tested.is_cpu() || real != DType::f64) check_repeats<Op>(real, failures);
  for (DType real : {DType::f32, DType::bf16}) check_law<Op>(real, failures);
  bool all_ok = true;
  for (size_t i = 0; i < failures.size(); ++i) {
    if (failures[i].empty())
      std::printf("ok %s case %zu\n", Op::name, i);
    else
      std::printf("FAILED %s case %zu: %s\n", Op::name, i, failures[i].c_str());
    all_ok = all_ok && failures[i].empty();
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
}  // namespace videomae::test

int main(int argc, char** argv) {
  using namespace videomae;
  std::vector<std::string> ops;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--device") != 0)
      ops.push_back(argv[i]);
    else if (++i < argc)
      test::tested.kind = std::strcmp(argv[i], "emu") == 0    ? DeviceKind::emu
                          : std::strcmp(argv[i], "cuda") == 0 ? DeviceKind::cuda
                                                              : DeviceKind::cpu;
  }
  if (test::tested.kind != DeviceKind::cpu) try {
      Accelerator::of(test::tested);
    } catch (const Error& error) {
      std::fprintf(stderr, "conformance_test: %s\n", error.what());
      return 3;
    }
  bool ok = true;
#define OP(Type, stem) \
  if (ops.empty() || std::count(ops.begin(), ops.end(), Type::name) > 0) ok = test::checked<Type>() && ok;
#include "ops/ops.def"
#undef OP
  std::printf("device %s\ndtype  ops  cases  checks  most of the allowed error\n", name_of(test::tested).c_str());
  for (const auto& [dtype, t] : test::table)
    std::printf("%-5s %4d %6d %7d  %.2f (%s)\n", dtype.c_str(), t.ops, t.cases, t.checks, t.worst, t.worst_op.c_str());
  return ok ? 0 : 1;
}
