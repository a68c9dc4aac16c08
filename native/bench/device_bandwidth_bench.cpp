// Speed of the ops that are bound by memory, on a device of a plug-in: rows of the kind `bandwidth` of bench/row.ts,
// with the identities of bench/peers/bandwidth.py where the two measure the same.
//   device_bandwidth_bench [--device emu] [--quick] [op ...]
// Bytes are those that must move: each operand read once, each result written once. Calls are captured in a graph that
// goes over several sets of operands, more than the caches hold, and the graph is timed. Which kernels may run is said
// by VIDEOMAE_CUDA_VARIANTS (native/cuda/variants.h), and rows repeat it.
#include <algorithm>
#include <cstring>
#include <functional>

#include "bench/recorded_graph.h"
#include "bench/timed_row.h"
#include "ops/execute.h"

namespace videomae::bench {
namespace {

Device device{DeviceKind::cuda, 0};
bool quick = false;
std::vector<std::string> wanted;

In real(const Shape& shape, DType dtype) {
  In x{Tensor::empty(shape, dtype, device)};
  Accelerator::of(device).fill(x.tensor.data(), 0x3C, x.tensor.bytes());  // about 0.01 in f32 and bf16
  return x;
}

In on_device(const In& host) {
  In x{Tensor::empty(host.shape(), host.dtype(), device)};
  Accelerator::of(device).upload(x.tensor.data(), host.tensor.data(), host.tensor.bytes());
  return x;
}

/// The same clip, `clips` times.
In repeated(const In& clip, int64_t clips) {
  const Shape& s = clip.shape();
  In all{Tensor::empty({clips, s[1], s[2], s[3], s[4]}, clip.dtype(), device)};
  for (int64_t i = 0; i < clips; ++i)
    Accelerator::of(device).upload(all.tensor.data<char>() + i * clip.tensor.bytes(), clip.tensor.data(),
                                   clip.tensor.bytes());
  return all;
}

/// The choices of kernels that were asked for, as a part of a row.
std::string chosen_kernels() {
  const char* asked = std::getenv("VIDEOMAE_CUDA_VARIANTS");
  return asked != nullptr && *asked != 0 ? std::string(",\"kernels\":\"") + asked + "\"" : "";
}

/// What is measured: a call, and the bytes that it must move.
struct Work {
  const char* op;
  const char* pass;
  DType dtype;
  Shape shape;
  double bytes;
  std::function<std::function<void()>()> make;  // a call with operands of its own
};

void measure(const Work& work) {
  if (!wanted.empty() && std::count(wanted.begin(), wanted.end(), work.op) == 0) return;
  Accelerator& accelerator = Accelerator::of(device);
  const int sets = quick ? 2 : std::clamp(static_cast<int>(std::ceil(2e8 / work.bytes)), 2, 12);
  std::vector<std::function<void()>> calls;
  for (int i = 0; i < sets; ++i) calls.push_back(work.make());
  const int rounds = quick ? 1 : std::clamp(static_cast<int>(1e10 / (work.bytes * sets)), 1, 20);
  RecordedGraph graph(device, [&] {
    for (int round = 0; round < rounds; ++round)
      for (const auto& call : calls) call();
  });
  Times times = time_calls([&] { graph.launch(), accelerator.synchronize(); });
  for (double* seconds : {&times.median, &times.least, &times.most}) *seconds /= rounds * sets;
  const std::string shape = work.shape.text();
  std::printf(
      "{\"bench\":\"bandwidth\",\"device\":\"%s\",\"op\":\"%s\",\"pass\":\"%s\",\"dtype\":\"%s\",\"shape\":%s,"
      "\"gbPerSecond\":%.6g,\"medianMs\":%.6g,\"minMs\":%.6g,\"maxMs\":%.6g,\"repeats\":%d,"
      "\"variant\":{\"graph\":true,\"sets\":%d%s}}\n",
      name_of(device.kind), work.op, work.pass, name_of(work.dtype), shape.c_str(), 1e-9 * work.bytes / times.median,
      1e3 * times.median, 1e3 * times.least, 1e3 * times.most, times.repeats, sets, chosen_kernels().c_str());
  std::fflush(stdout);
}

/// Runs a copy of the op, so that its results are gone afterwards.
template <class Op>
std::function<void()> call_of(const Op& op) {
  return [op] {
    Op copy = op;
    execute(copy);
  };
}

void measure_copy(int64_t count) {
  measure({"copy", "forward", DType::f32, {count}, 8.0 * static_cast<double>(count), [=] {
             Cast op{real({count}, DType::f32)};
             op.dtype.value = static_cast<int>(DType::f32);
             return call_of(op);
           }});
}

/// @param residual  the addition and its gradient fused in
void measure_layer_norm(int64_t rows, int64_t width, DType dtype, bool residual) {
  const double tensor = static_cast<double>(rows * width) * static_cast<double>(size_of(dtype));
  const auto forward = [=] {
    LayerNorm op{real({rows, width}, dtype), real({width}, DType::f32), real({width}, DType::f32)};
    if (residual) op.residual.tensor = real({rows, width}, dtype).tensor;
    return op;
  };
  const char* name = residual ? "addLayerNorm" : "layerNorm";
  measure({name, "forward", dtype, {rows, width}, (residual ? 4 : 2) * tensor, [=] { return call_of(forward()); }});
  measure({name, "forward+backward", dtype, {rows, width}, (residual ? 8 : 5) * tensor, [=] {
             const auto backward = [=, made = forward(), grad = real({rows, width}, dtype)] {
               LayerNorm op = made;
               execute(op);
               LayerNormBackward gradient{grad, residual ? In{op.sum.tensor} : op.x, op.weight, In{op.mean.tensor},
                                          In{op.rstd.tensor}};
               if (residual) gradient.grad_sum.tensor = grad.tensor;
               execute(gradient);
             };
             return std::function<void()>(backward);
           }});
}

void measure_adamw(int64_t count, bool copies) {
  const double bytes = (copies ? 34.0 : 32.0) * static_cast<double>(count);
  measure({copies ? "adamw with copies" : "adamw", "forward", DType::f32, {count}, bytes, [=] {
             AdamW op;
             for (InOut* t : {&op.parameters, &op.gradients, &op.exp_avg, &op.exp_avg_sq})
               t->tensor = real({count}, DType::f32).tensor;
             op.copies.tensor = Tensor::empty({copies ? count : 0}, DType::bf16, device);
             Draw draw(DType::f32, 1);
             op.updates.tensor = on_device(draw.integers({}, 9)).tensor;
             In segments = draw.integers({1, 2}, 1);
             segments.tensor.data<int32_t>()[0] = static_cast<int32_t>(count / AdamW::alignment);
             op.segments = on_device(segments);
             for (In* x : {&op.learning_rate, &op.weight_decay}) *x = real({}, DType::f64);
             op.rate_scales = real({1}, DType::f64);
             op.gradient_norm.tensor = real({}, DType::f32).tensor;
             op.clip_norm = 0.02;
             return call_of(op);
           }});
}

void measure_grad_norm(int64_t count) {
  measure({"gradNorm", "forward", DType::f32, {count}, 4.0 * static_cast<double>(count), [=] {
             return call_of(GradNorm{real({count}, DType::f32)});
           }});
}

/// `of` of the tokens gathered, or scattered.
void measure_gather(int64_t clips, int64_t tokens, int64_t of, int64_t width) {
  Draw draw(DType::f32, 1);
  const In index = draw.ascending(clips, of, tokens);
  const double rows = 2.0 * static_cast<double>(clips * width);
  measure({"gatherTokens", "forward", DType::bf16, {clips, of, width}, 2 * rows * static_cast<double>(of), [=] {
             return call_of(GatherTokens{real({clips, tokens, width}, DType::bf16), on_device(index)});
           }});
  measure(
      {"scatterTokens", "forward", DType::bf16, {clips, tokens, width}, rows * static_cast<double>(of + tokens), [=] {
         return call_of(ScatterTokens{real({clips, of, width}, DType::bf16), on_device(index), tokens});
       }});
}

void measure_decoder(int64_t clips, int64_t tokens, int64_t visible, int64_t decoded, int64_t width) {
  Draw draw(DType::f32, 1);
  const In seen = draw.ascending(clips, visible, tokens), hidden = draw.ascending(clips, decoded, tokens);
  const double row = 2.0 * static_cast<double>(clips * width);
  measure({"assembleDecoder",
           "forward",
           DType::bf16,
           {clips, visible + decoded, width},
           row * static_cast<double>(2 * visible + decoded),
           [=] {
             return call_of(AssembleDecoder{real({clips, visible, width}, DType::bf16), real({1, 1, width}, DType::f32),
                                            real({tokens, width}, DType::f32), on_device(seen), on_device(hidden)});
           }});
}

void measure_loss(int64_t clips, int64_t frames, int64_t side, int64_t patch) {
  const int64_t tokens = frames / 2 * (side / patch) * (side / patch), decoded = tokens / 2, visible = tokens / 10;
  const int64_t columns = 6 * patch * patch;
  Draw draw(DType::f32, 1);
  const In video = draw.bytes({1, frames, side, side, 3});
  const In hidden = draw.ascending(clips, decoded, tokens), seen = draw.ascending(clips, visible, tokens);
  const auto make = [=] {
    PixelLossOperands operands;
    operands.patch = patch;
    operands.prediction = real({clips, decoded, columns}, DType::bf16);
    operands.video = repeated(video, clips);
    operands.decoded = on_device(hidden), operands.visible = on_device(seen);
    return operands;
  };
  const double pixels = static_cast<double>(clips * decoded * columns);
  const Shape shape{clips, decoded, columns};
  measure(
      {"maskedPixelLoss", "forward", DType::bf16, shape, 3 * pixels, [=] { return call_of(MaskedPixelLoss{make()}); }});
  measure({"maskedPixelLoss", "forward+backward", DType::bf16, shape, 8 * pixels, [=] {
             const auto both = [made = MaskedPixelLoss{make()}, one = real({}, DType::f32)] {
               MaskedPixelLoss op = made;
               execute(op);
               MaskedPixelLossBackward gradient{op, one, In{op.weight.tensor}};
               execute(gradient);
             };
             return std::function<void()>(both);
           }});
}

/// A tenth of the tokens is seen. The product is as narrow as one tile: what counts is its operand, which is written
/// and read again.
void measure_embedding(int64_t clips, int64_t frames, int64_t side, int64_t patch) {
  const int64_t tokens = frames / 2 * (side / patch) * (side / patch), visible = tokens / 10, width = 64;
  const int64_t columns = 6 * patch * patch;
  Draw draw(DType::f32, 1);
  const In video = draw.bytes({1, frames, side, side, 3}), seen = draw.ascending(clips, visible, tokens);
  measure({"embedVisible",
           "forward",
           DType::bf16,
           {clips, visible, columns},
           5.0 * static_cast<double>(clips * visible * columns),
           [=] {
             return call_of(EmbedVisible{repeated(video, clips), on_device(seen),
                                         real({width, 3, 2, patch, patch}, DType::bf16), real({width}, DType::f32),
                                         real({tokens, width}, DType::f32)});
           }});
}

void measure_all() {
  measure_copy(quick ? 1 << 12 : 1 << 28);
  const std::vector<std::pair<int64_t, int64_t>> norms =
      quick ? std::vector<std::pair<int64_t, int64_t>>{{32, 48}}
            : std::vector<std::pair<int64_t, int64_t>>{{5120, 768},  {5120, 1024}, {5120, 1280},
                                                       {6656, 1408}, {30208, 384}, {30208, 512}};
  for (auto [rows, width] : norms)
    for (bool residual : {false, true}) measure_layer_norm(rows, width, DType::bf16, residual);
  for (bool copies : {false, true}) measure_adamw(quick ? 16 * 100 : 94'212'864, copies);
  measure_grad_norm(quick ? 16 * 100 : 94'212'864);
  if (quick) {
    measure_gather(2, 32, 4, 48);
    measure_decoder(2, 32, 4, 16, 48);
    measure_loss(2, 4, 32, 8);
    measure_embedding(2, 8, 32, 8);
    return;
  }
  measure_gather(32, 1568, 160, 768);
  measure_decoder(32, 1568, 160, 784, 384);
  measure_decoder(32, 2048, 208, 1024, 512);
  measure_loss(32, 16, 224, 16);
  measure_loss(32, 16, 224, 14);
  measure_embedding(32, 16, 224, 16);
  measure_embedding(32, 16, 224, 14);
}

}  // namespace
}  // namespace videomae::bench

int main(int argc, char** argv) {
  using namespace videomae;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0)
      bench::quick = true;
    else if (std::strcmp(argv[i], "--device") == 0 && i + 1 < argc)
      bench::device.kind = std::strcmp(argv[++i], "emu") == 0 ? DeviceKind::emu : DeviceKind::cuda;
    else
      bench::wanted.push_back(argv[i]);
  }
  try {
    bench::measure_all();
  } catch (const Error& error) {
    std::fprintf(stderr, "device_bandwidth_bench: %s\n", error.what());
    return 3;
  }
  return 0;
}
