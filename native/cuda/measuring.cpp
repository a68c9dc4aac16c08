#include "cuda/measuring.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <mutex>
#include <set>

#include "cuda/runtime.h"
#include "cuda/variants.h"

namespace videomae::cuda {
namespace {

constexpr int kRounds = 5;
/// What a variant must gain in every round to be worth other bits.
constexpr double kMargin = 0.02;
/// Runs between two looks at the clock: about so long, so that the start of a graph does not count.
constexpr double kLookMs = 2;
constexpr int kMostRuns = 64;
constexpr size_t kPinnedBytes = size_t{16} << 20;

/// What is measured. One device at a time: others would disturb it.
struct Session {
  std::atomic<int> device{-1};
  std::mutex mutex;  // guards all below
  int last_device = -1;
  std::set<std::string> done;  // work
  std::vector<Measurement> found;
};

Session& session() {
  static auto* one = new Session();
  return *one;
}

std::string mebibytes(size_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }

/// What an op changes in place, as it was before; as far as there is memory for it.
class Saved {
 public:
  Saved(int device, const MeasuredOp& op) : device_(device), op_(op) {
    for (const WrittenTensor& tensor : op.written) {
      if (!tensor.changed || tensor.elements == 0) continue;
      void* copy = runtime::allocate(device, tensor.bytes());
      if (copy == nullptr) {
        missing_ = tensor.bytes();
        return;
      }
      copies_.push_back({tensor, copy});
      runtime::copy(device, copy, tensor.data, tensor.bytes(), Stream::compute);
    }
  }
  ~Saved() {
    for (const auto& [tensor, copy] : copies_) runtime::release(device_, copy);
  }
  Saved(const Saved&) = delete;
  Saved& operator=(const Saved&) = delete;

  void require() const {
    if (missing_ == 0) return;
    throw Error("measuring " + std::string(op_.name), mebibytes(missing_) + " of memory for a copy of what it changes",
                "none", "measure with a smaller batch or model");
  }

  /// Puts it back.
  void restore() const {
    for (const auto& [tensor, copy] : copies_)
      runtime::copy(device_, tensor.data, copy, tensor.bytes(), Stream::compute);
  }

 private:
  struct Copy {
    WrittenTensor tensor;
    void* copy;
  };
  const int device_;
  const MeasuredOp& op_;
  std::vector<Copy> copies_;
  size_t missing_ = 0;
};

/// Copies to the host, by way of one block of pinned memory.
class Downloads {
 public:
  explicit Downloads(int device) : device_(device), pinned_(runtime::allocate_pinned(device, kPinnedBytes)) {
    if (pinned_ == nullptr)
      throw Error("measuring", mebibytes(kPinnedBytes) + " of pinned memory of the host", "none",
                  "close programs that use memory");
  }
  ~Downloads() { runtime::release_pinned(device_, pinned_); }
  Downloads(const Downloads&) = delete;
  Downloads& operator=(const Downloads&) = delete;

  std::vector<char> of(const WrittenTensor& tensor) const {
    std::vector<char> bytes(tensor.bytes());
    for (size_t begin = 0; begin < bytes.size(); begin += kPinnedBytes) {
      const size_t count = std::min(kPinnedBytes, bytes.size() - begin);
      runtime::copy(device_, pinned_, static_cast<const char*>(tensor.data) + begin, count, Stream::compute);
      runtime::synchronize(device_);
      std::memcpy(bytes.data() + begin, pinned_, count);
    }
    return bytes;
  }

 private:
  const int device_;
  void* const pinned_;
};

/// An op several times over, recorded.
class Recorded {
 public:
  Recorded(int device, const MeasuredOp& op, int runs, const std::string& work, const std::string& variant)
      : device_(device), runs_(runs) {
    Trial trial(work, variant);
    runtime::begin_capture(device);
    try {
      for (int i = 0; i < runs; ++i) op.run();
    } catch (...) {
      runtime::end_capture(device, false);
      throw;
    }
    graph_ = runtime::end_capture(device, true);
  }
  ~Recorded() { runtime::destroy_graph(device_, graph_); }
  Recorded(const Recorded&) = delete;
  Recorded& operator=(const Recorded&) = delete;

  /// Of one run.
  double milliseconds() const {
    void* clock = runtime::start_clock(device_);
    runtime::launch(device_, graph_);
    return runtime::stop_clock(device_, clock) / runs_;
  }

 private:
  const int device_, runs_;
  void* graph_ = nullptr;
};

void run_with(const MeasuredOp& op, const std::string& work, const std::string& variant) {
  Trial trial(work, variant);
  op.run();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Runs the op by a variant, from what it had before, and compares what it leaves with `expected`.
Agreement agreement_of(int device, const MeasuredOp& op, const Saved& before, const Downloads& downloads,
                       const std::vector<std::vector<char>>& expected, const Measurement& m) {
  before.restore();
  // Both bytes of a NaN: what a variant does not write must not pass for what the default wrote.
  for (const WrittenTensor& tensor : op.written)
    if (!tensor.changed && tensor.elements > 0)
      runtime::fill(device, tensor.data, 0xFF, tensor.bytes(), Stream::compute);
  Agreement all;
  try {
    run_with(op, m.work, m.variant);
    for (size_t i = 0; i < expected.size(); ++i) {
      const WrittenTensor& tensor = op.written[i];
      const std::vector<char> got = downloads.of(tensor);
      all.join(compare(got.data(), expected[i].data(), tensor.elements, tensor.dtype, op.coarse));
    }
  } catch (const Error& error) {
    all.failure = error.what();
  }
  return all;
}

/// Takes the times of both by turns.
void time(int device, const MeasuredOp& op, Measurement& m) {
  const double once = Recorded(device, op, 1, "", "").milliseconds();
  const int runs = std::clamp(static_cast<int>(std::ceil(kLookMs / std::max(once, 1e-3))), 1, kMostRuns);
  const Recorded standard(device, op, runs, "", ""), variant(device, op, runs, m.work, m.variant);
  standard.milliseconds(), variant.milliseconds();  // a graph is sent to the device at its first launch
  std::vector<double> standard_ms, variant_ms;
  m.faster = true;
  for (int round = 0; round < kRounds; ++round) {
    standard_ms.push_back(standard.milliseconds()), variant_ms.push_back(variant.milliseconds());
    m.faster = m.faster && variant_ms.back() < (1 - kMargin) * standard_ms.back();
  }
  m.standard_ms = median(standard_ms), m.variant_ms = median(variant_ms);
}

/// What is left of the work that was met when all that was measured is taken away.
std::vector<MetWork> new_among(const std::vector<MetWork>& met) {
  Session& s = session();
  const std::lock_guard<std::mutex> lock(s.mutex);
  std::vector<MetWork> fresh;
  for (const MetWork& work : met)
    if (s.done.insert(work.work).second) fresh.push_back(work);
  return fresh;
}

}  // namespace

void begin_measuring(int device) {
  Session& s = session();
  const std::lock_guard<std::mutex> lock(s.mutex);
  if (s.device >= 0 && s.device != device)
    throw Error("measuring", "one device at a time", "another one", "wait until that is done");
  s.device = s.last_device = device, s.done.clear(), s.found.clear();
}

void end_measuring() { session().device = -1; }

bool measuring(int device) { return session().device == device; }

void measure(int device, const MeasuredOp& op) {
  const Saved before(device, op);
  std::vector<MetWork> works;
  {
    Trial trial;
    op.run();
    works = new_among(trial.met());
  }
  if (works.empty()) return;
  before.require();
  const Downloads downloads(device);
  std::vector<std::vector<char>> expected;
  for (const WrittenTensor& tensor : op.written) expected.push_back(downloads.of(tensor));
  for (const MetWork& work : works)
    for (size_t i = 1; i < work.variants.size(); ++i) {
      Measurement m{work.work, op.name, work.variants[0], work.variants[i]};
      m.agreement = agreement_of(device, op, before, downloads, expected, m);
      if (m.agreement.failure.empty()) time(device, op, m);
      Session& s = session();
      const std::lock_guard<std::mutex> lock(s.mutex);
      s.found.push_back(std::move(m));
    }
  before.restore();
  run_with(op, "", "");
  runtime::synchronize(device);  // the copy of what was changed is released now
}

std::vector<Measurement> measurements(int device) {
  Session& s = session();
  const std::lock_guard<std::mutex> lock(s.mutex);
  return s.last_device == device ? s.found : std::vector<Measurement>();
}

}  // namespace videomae::cuda
