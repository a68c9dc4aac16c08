// Kernels of ops that memory bounds, whose operands come through shared memory (native/cuda/variants.h): by the law of
// conformance_law.h at sizes where a warp has several rows, and rows of pixels begin anywhere. Where they are only
// another way to the same sums, the bits are those of the kernels that every device has, in every order that the
// emulator lets threads run in.
//
// `staged_kernels_test --bits` prints a checksum of those results.
#include <unistd.h>

#include <cstdlib>

#include "core/accelerator.h"
#include "ops/execute.h"
#include "test/check.h"
#include "test/conformance_law.h"

namespace videomae::test {
namespace {

constexpr Device emu{DeviceKind::emu, 0};
constexpr uint32_t kSeed = 20261201;
constexpr const char* kStaged = "layer_norm_backward=staged,pixel_loss=staged,embed_visible=staged";

/// Moves operands to the emulator.
struct Upload {
  void operator()(const char*, In& x) {
    const Tensor moved = Tensor::empty(x.shape(), x.dtype(), emu);
    Accelerator::of(emu).upload(moved.data(), x.tensor.data(), moved.bytes());
    x.tensor = moved;
  }
  void operator()(const char* field, OptionalIn& x) {
    if (x.given()) (*this)(field, static_cast<In&>(x));
  }
  template <class Other>
  void operator()(const char*, Other&) {}
};

/// Collects what an op has made.
struct Download {
  std::vector<Result> results;

  void operator()(const char* field, Out& y) {
    results.push_back({field, y.shape, y.dtype, std::vector<char>(y.tensor.bytes())});
    std::vector<char>& bytes = results.back().bytes;
    if (y.tensor.device().is_cpu())
      std::memcpy(bytes.data(), y.tensor.data(), bytes.size());
    else
      Accelerator::of(emu).download(bytes.data(), y.tensor.data(), bytes.size());
  }
  void operator()(const char* field, OptionalOut& y) {
    if (y.wanted) (*this)(field, static_cast<Out&>(y));
  }
  void operator()(const char* field, AddedOut& y) { (*this)(field, static_cast<OptionalOut&>(y)); }
  template <class Other>
  void operator()(const char*, Other&) {}
};

template <class Op>
std::vector<Result> results_of(Op op, Device device) {
  Upload upload;
  if (!device.is_cpu()) op.visit(upload);
  execute(op);
  Download download;
  op.visit(download);
  return download.results;
}

/// Runs what `make(draw)` draws on the emulator, and holds it to the CPU's f64 kernel.
template <class F>
void compare(F&& make) {
  for (DType real : {DType::f32, DType::bf16}) {
    Draw draw(real, kSeed), wide_draw(DType::f64, kSeed, real);
    auto op = make(draw);
    const std::vector<Result> got = results_of(op, emu), wide = results_of(make(wide_draw), Device{});
    for (size_t k = 0; k < got.size(); ++k) {
      const Verdict verdict = judge<decltype(op)>(got[k], wide[k], real);
      CHECK(verdict.failure.empty());
      if (!verdict.failure.empty())
        std::printf("  %s of %s (%s) %s\n", got[k].field.c_str(), op.name, name_of(real), verdict.failure.c_str());
    }
  }
}

struct Rows {
  int64_t rows, width;
  bool sum;
};

LayerNormBackward norm_gradient(Draw& draw, const Rows& r) {
  LayerNormBackward op{draw.real({r.rows, r.width}), draw.real({r.rows, r.width}), draw.wide({r.width}),
                       draw.wide({r.rows}, -0.1, 0.1), draw.wide({r.rows}, 0.9, 1.1)};
  if (r.sum) op.grad_sum.tensor = draw.real({r.rows, r.width}).tensor;
  return op;
}

/// More rows than 132 multiprocessors have warps: up to three a warp, and two where a lane has two runs.
constexpr Rows kRows[] = {{6400, 24, false}, {6400, 24, true}, {3180, 264, true}, {1060, 1408, true}};

struct Pictures {
  int64_t patch;
  bool windows;  // of larger videos, one of them mirrored
};
constexpr Pictures kPictures[] = {{14, false}, {16, false}, {14, true}, {16, true}};

In video(Draw& draw, const Pictures& p) {
  const int64_t height = 2 * p.patch + 3 * p.windows, width = 2 * p.patch + 5 * p.windows;
  return draw.bytes({2, 16, height, width, 3});  // 16 frames, so that the bytes are whole chunks
}

ClipWindow windows(const Pictures& p) {
  return p.windows ? draw_windows(2 * p.patch + 3, 2 * p.patch + 5, 2 * p.patch) : ClipWindow{};
}

EmbedVisible embedding(Draw& draw, const Pictures& p) {
  EmbedVisible op{video(draw, p), draw.ascending(2, 7, 32), draw.real({24, 3, 2, p.patch, p.patch}), draw.wide({24}),
                  draw.wide({32, 24})};
  op.window = windows(p);
  return op;
}

template <class Op>
Op loss(Draw& draw, const Pictures& p, bool normalize) {
  Op op;
  op.prediction = draw.real({2, 9, 6 * p.patch * p.patch}), op.video = video(draw, p);
  op.decoded = draw.ascending(2, 9, 32), op.visible = draw.ascending(2, 12, 32);
  op.patch = p.patch, op.normalize = normalize, op.window = windows(p);
  return op;
}

void layer_norm() {
  for (const Rows& rows : kRows) compare([&](Draw& draw) { return norm_gradient(draw, rows); });
}

void patches() {
  for (const Pictures& p : kPictures) compare([&](Draw& draw) { return embedding(draw, p); });
}

void pixel_loss() {
  for (const Pictures& p : kPictures)
    for (bool normalize : {true, false}) {
      compare([&](Draw& draw) { return loss<MaskedPixelLoss>(draw, p, normalize); });
      compare([&](Draw& draw) {
        auto op = loss<MaskedPixelLossBackward>(draw, p, normalize);
        op.grad_loss = draw.wide({}), op.weight = draw.wide({}, 5, 6);
        return op;
      });
    }
}

/// A checksum over what has the same bits whichever kernel makes it.
std::string bits() {
  uint64_t hash = 14695981039346656037u;
  const auto add = [&](const auto& op) {
    for (const Result& result : results_of(op, emu))
      for (char byte : result.bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211u;
  };
  for (DType real : {DType::f32, DType::bf16}) {
    Draw draw(real, kSeed);
    for (const Rows& rows : kRows) add(norm_gradient(draw, rows));
    for (const Pictures& p : kPictures) add(embedding(draw, p));
  }
  return std::to_string(hash);
}

/// What `--bits` prints under some settings.
std::string bits_under(const std::string& settings) {
  char self[4096] = {}, line[64] = {};
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) return "";
  FILE* output = popen((settings + " '" + self + "' --bits").c_str(), "r");
  const bool read = output != nullptr && fgets(line, sizeof line, output) != nullptr;
  return output != nullptr && pclose(output) == 0 && read ? std::string(line, std::strcspn(line, "\n")) : "";
}

void bits_are_the_same() {
  const std::string expected = bits();
  CHECK(bits_under("VIDEOMAE_CUDA_VARIANTS=") == expected);
  CHECK(bits_under("VIDEOMAE_EMU_ORDER=reversed") == expected);
  CHECK(bits_under("VIDEOMAE_EMU_SEED=7") == expected);
}

}  // namespace
}  // namespace videomae::test

int main(int argc, char** argv) {
  using namespace videomae::test;
  if (argc > 1 && std::string(argv[1]) == "--bits") {
    std::printf("%s\n", bits().c_str());
    return 0;
  }
  setenv("VIDEOMAE_CUDA_VARIANTS", kStaged, 1);  // before the plug-in reads it
  run_case("staged: gradients of layer norm, several rows a warp", layer_norm);
  run_case("staged: patches", patches);
  run_case("staged: pixel loss", pixel_loss);
  run_case("staged: bits are those of other kernels, in any order", bits_are_the_same);
  return exit_status();
}
