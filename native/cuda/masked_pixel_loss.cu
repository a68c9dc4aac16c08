// The pre-training loss, a warp a reconstructed token: its target is built in registers (cuda/pixel_targets.cuh) and
// compared with its row of the prediction, which is read once. The warps of a block add up the losses of tokens that
// the encoder did not see, and one block adds up the blocks'. Whether a token was seen is looked up in the clip's list
// of visible tokens. A token whose index is out of range, or whose clip's window is, carries no
// loss and no gradient.
#include "cuda/pixel_targets.cuh"
#include "cuda/rows.cuh"
#include "ops/masked_pixel_loss.h"

namespace videomae::cuda {
namespace {

constexpr unsigned warps = 8;
constexpr int resident = 3;  // blocks of a multiprocessor: with more, registers would not last

struct Tokens {
  const int32_t *decoded, *visible;  // (B, R), (B, V)
  int64_t rows, count, visible_count;
  Divisor by_clip;
};

Tokens tokens_of(const PixelLossOperands& op) {
  const int64_t count = op.decoded.shape()[1];
  return {
      op.decoded.data<int32_t>(), op.visible.data<int32_t>(), op.rows(), count, op.visible.shape()[1], Divisor(count)};
}

/// Whether the encoder saw a token, which is in range. All lanes call.
__device__ __forceinline__ bool is_visible(const Tokens& tokens, int64_t clip, int64_t token, int64_t limit,
                                           const IndexCheck& check) {
  bool found = false;
  for (int64_t i = threadIdx.x % 32; i < tokens.visible_count; i += 32)
    found |= check(tokens.visible[clip * tokens.visible_count + i], limit) == token;
  return ballot(found) != 0;
}

/// partials (blocks, 2): the sum of the losses of hidden tokens, and their number.
template <int length, class Video, class T>
__global__ void __launch_bounds__(32 * warps, resident)
    pixel_loss_tokens(TokenPixels<Video> pixels, Tokens tokens, const T* prediction, float* token_loss, float* partials,
                      IndexCheck check) {
  dependent_launch_begin();
  const int64_t row = thread_number() / 32;
  const bool first_lane = threadIdx.x % 32 == 0;
  float loss = 0, hidden = 0;
  if (row < tokens.rows) {
    const int64_t clip = tokens.by_clip(row), token = check(tokens.decoded[row], pixels.tokens);
    const ClipPlace place = pixels.windows.of_clip(clip, check);
    float sum = NAN;
    if (token >= 0 && place.known) {
      const TokenTarget<length, Video> target(pixels, clip, place, token);
      sum = 0;
      target.for_columns([&](int64_t column, const Floats<length>& values) {
        const Floats<length> predicted = load_floats<length>(prediction + row * pixels.columns + column);
#pragma unroll
        for (int j = 0; j < length; ++j) {
          const float d = predicted.at[j] - values.at[j];
          sum += d * d;
        }
      });
      sum = warp_sum(sum) / static_cast<float>(pixels.columns);
      if (!is_visible(tokens, clip, token, pixels.tokens, check)) loss = sum, hidden = 1;
    }
    if (token_loss != nullptr && first_lane) token_loss[row] = sum;
  }
  float* scratch = shared_memory<float>();
  loss = block_sum(first_lane ? loss : 0.0f, scratch);
  hidden = block_sum(first_lane ? hidden : 0.0f, scratch);
  if (threadIdx.x == 0) partials[2 * blockIdx.x] = loss, partials[2 * blockIdx.x + 1] = hidden;
}

/// NaN when no token carries loss.
__global__ void pixel_loss_mean(const float* partials, int64_t blocks, float* loss, float* weight) {
  dependent_launch_begin();
  const float sum = row_sum(blocks, [=](int64_t i) { return partials[2 * i]; });
  const float hidden = row_sum(blocks, [=](int64_t i) { return partials[2 * i + 1]; });
  if (threadIdx.x == 0) *loss = sum / hidden, *weight = hidden;
}

template <int length, class Video, class T>
__global__ void __launch_bounds__(32 * warps, resident)
    pixel_loss_backward(TokenPixels<Video> pixels, Tokens tokens, const T* prediction, const float* grad_loss,
                        const float* weight, T* grad_prediction, IndexCheck check) {
  dependent_launch_begin();
  const int64_t row = thread_number() / 32;
  if (row >= tokens.rows) return;
  const int64_t clip = tokens.by_clip(row), token = check(tokens.decoded[row], pixels.tokens);
  const ClipPlace place = pixels.windows.of_clip(clip, check);
  T* gradient = grad_prediction + row * pixels.columns;
  if (token < 0 || !place.known || is_visible(tokens, clip, token, pixels.tokens, check)) {
    for (int64_t c = threadIdx.x % 32 * length; c < pixels.columns; c += 32 * length)
      store_floats<length>(gradient + c, Floats<length>{});
    return;
  }
  const float factor = 2 * *grad_loss / (*weight * static_cast<float>(pixels.columns));
  const TokenTarget<length, Video> target(pixels, clip, place, token);
  target.for_columns([&](int64_t column, const Floats<length>& values) {
    Floats<length> result = load_floats<length>(prediction + row * pixels.columns + column);
#pragma unroll
    for (int j = 0; j < length; ++j) result.at[j] = factor * (result.at[j] - values.at[j]);
    store_floats<length>(gradient + column, result);
  });
}

template <int length, class Video>
__global__ void __launch_bounds__(32 * warps, resident)
    pixel_targets(TokenPixels<Video> pixels, const int32_t* decoded, int64_t rows, Divisor by_clip, float* y,
                  IndexCheck check) {
  dependent_launch_begin();
  const int64_t row = thread_number() / 32;
  if (row >= rows) return;
  const int64_t clip = by_clip(row), token = check(decoded[row], pixels.tokens);
  const ClipPlace place = pixels.windows.of_clip(clip, check);
  if (token < 0 || !place.known) return;
  const TokenTarget<length, Video> target(pixels, clip, place, token);
  target.for_columns([&](int64_t column, const Floats<length>& values) {
    store_floats<length>(y + row * pixels.columns + column, values);
  });
}

int64_t blocks_of(int64_t rows) { return ceil_div(rows, warps); }

}  // namespace

void run(MaskedPixelLoss& op, const Context& context) {
  const TokenGrid grid = op.grid(op.name);
  const int64_t blocks = blocks_of(op.rows());
  float* partials = static_cast<float*>(context.workspace);
  if (blocks > 0)
    with_real(op.name, op.prediction.dtype(), [&](auto t) {
      using T = decltype(t);
      const T* prediction = op.prediction.data<T>();
      with_token_pixels<T>(grid, op.video, op.normalize, {prediction}, [&](const auto& pixels, auto length) {
        using Video = std::remove_const_t<std::remove_pointer_t<decltype(pixels.video)>>;
        launch(context, pixel_loss_tokens<decltype(length)::value, Video, T>,
               Launch{dim3(static_cast<unsigned>(blocks)), dim3(32 * warps), warps * sizeof(float)}, pixels,
               tokens_of(op), prediction, op.token_loss.data<float>(), partials, IndexCheck::of(op, context));
      });
    });
  launch_rows(context, pixel_loss_mean, 1, blocks, partials, blocks, op.loss.data<float>(), op.weight.data<float>());
}

void run(MaskedPixelLossBackward& op, const Context& context) {
  const TokenGrid grid = op.grid(op.name);
  with_real(op.name, op.prediction.dtype(), [&](auto t) {
    using T = decltype(t);
    const T* prediction = op.prediction.data<T>();
    T* gradient = op.grad_prediction.data<T>();
    with_token_pixels<T>(grid, op.video, op.normalize, {prediction, gradient}, [&](const auto& pixels, auto length) {
      using Video = std::remove_const_t<std::remove_pointer_t<decltype(pixels.video)>>;
      launch_threads(context, pixel_loss_backward<decltype(length)::value, Video, T>, op.rows() * 32, pixels,
                     tokens_of(op), prediction, op.grad_loss.data<float>(), op.weight.data<float>(), gradient,
                     IndexCheck::of(op, context));
    });
  });
}

void run(PixelTargets& op, const Context& context) {
  if (op.f64) throw Error(op.name, "f32 targets on a GPU", "f64", "f64 is for checks on the CPU");
  float* y = op.y.data<float>();
  const int64_t rows = op.decoded.elements();
  if (rows == 0) return;
  with_token_pixels<float>(op.grid(), op.video, op.normalize, {y}, [&](const auto& pixels, auto length) {
    using Video = std::remove_const_t<std::remove_pointer_t<decltype(pixels.video)>>;
    launch_threads(context, pixel_targets<decltype(length)::value, Video>, rows * 32, pixels,
                   op.decoded.data<int32_t>(), rows, Divisor(op.decoded.shape()[1]), y, IndexCheck::of(op, context));
  });
}

size_t workspace(const MaskedPixelLoss& op) { return static_cast<size_t>(2 * blocks_of(op.rows())) * sizeof(float); }
size_t workspace(const MaskedPixelLossBackward&) { return 0; }
size_t workspace(const PixelTargets&) { return 0; }

}  // namespace videomae::cuda
