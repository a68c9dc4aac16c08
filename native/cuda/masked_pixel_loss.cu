// The pre-training loss, a warp a reconstructed token: its target is built in registers (cuda/pixel_targets.cuh) and
// compared with its row of the prediction, which is read once (cuda/pixel_loss_tokens.cuh). The warps of a block add up
// the losses of tokens that the encoder did not see, and one block adds up the blocks'. Whether a token was seen is
// looked up in the clip's list of visible tokens. A token whose index is out of range, or whose clip's window is,
// carries no loss and no gradient.
#include "cuda/pixel_loss_tokens.cuh"
#include "cuda/rows.cuh"
#include "cuda/variants.h"
#include "ops/masked_pixel_loss.h"

namespace videomae::cuda {
namespace {

constexpr unsigned warps = 8;
constexpr int64_t scratch_bytes = 64;  // of block_sum()

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
  constexpr int together = 4;  // are asked for before the first is looked at
  const int32_t* const names = tokens.visible + clip * tokens.visible_count;
  bool found = false;
  for (int64_t first = threadIdx.x % 32; first < tokens.visible_count; first += 32 * together) {
    int32_t name[together];
#pragma unroll
    for (int k = 0; k < together; ++k) name[k] = first + 32 * k < tokens.visible_count ? names[first + 32 * k] : 0;
#pragma unroll
    for (int k = 0; k < together; ++k)
      if (first + 32 * k < tokens.visible_count) found |= check(name[k], limit) == token;
  }
  return ballot(found) != 0;
}

/// Where a warp's token lies in shared memory, behind the numbers of block_sum().
__device__ __forceinline__ unsigned char* shared_of_warp(int bytes_of_token) {
  return shared_memory<unsigned char>(scratch_bytes) + static_cast<int>(threadIdx.x) / 32 * bytes_of_token;
}

/// partials (blocks, 2): the sum of the losses of hidden tokens, and their number.
template <class Token, class T>
__global__ void __launch_bounds__(32 * warps, Token::resident)
    pixel_loss_tokens(typename Token::Pixels pixels, int bytes_of_token, Tokens tokens, const T* prediction,
                      float* token_loss, float* partials, IndexCheck check) {
  dependent_launch_begin();
  const int64_t row = thread_number() / 32;
  const bool first_lane = threadIdx.x % 32 == 0;
  float loss = 0, hidden = 0;
  if (row < tokens.rows) {
    const int64_t clip = tokens.by_clip(row), token = check(tokens.decoded[row], pixels.tokens);
    const ClipPlace place = pixels.windows.of_clip(clip, check);
    float sum = NAN;
    if (token >= 0 && place.known) {
      Token seen(shared_of_warp(bytes_of_token), pixels, clip, place, token, prediction + row * pixels.columns);
      const bool is_hidden = !is_visible(tokens, clip, token, pixels.tokens, check);
      sum = seen.loss();
      if (is_hidden) loss = sum, hidden = 1;
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

template <class Token, class T>
__global__ void __launch_bounds__(32 * warps, Token::resident)
    pixel_loss_backward(typename Token::Pixels pixels, int bytes_of_token, Tokens tokens, const T* prediction,
                        const float* grad_loss, const float* weight, T* grad_prediction, IndexCheck check) {
  dependent_launch_begin();
  const int64_t row = thread_number() / 32;
  if (row >= tokens.rows) return;
  const int64_t clip = tokens.by_clip(row), token = check(tokens.decoded[row], pixels.tokens);
  const ClipPlace place = pixels.windows.of_clip(clip, check);
  T* gradient = grad_prediction + row * pixels.columns;
  if (token < 0 || !place.known) return Token::write_zeros(gradient, pixels.columns);
  Token seen(shared_of_warp(bytes_of_token), pixels, clip, place, token, prediction + row * pixels.columns);
  if (is_visible(tokens, clip, token, pixels.tokens, check)) {
    seen.drop();
    return Token::write_zeros(gradient, pixels.columns);
  }
  seen.write_gradient(2 * *grad_loss / (*weight * static_cast<float>(pixels.columns)), gradient);
}

template <int length, class Video>
__global__ void __launch_bounds__(32 * warps, 3)
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

template <class Token>
struct Form {
  using type = Token;
};

/// Starts, a warp a token, a kernel that is a template over how it sees tokens. `with` calls its argument with one.
/// @param rows  the prediction, and the gradient that is written
/// @param body  called with TokenPixels, a launch, bytes of shared memory of a token, and its Form
template <class T, class F>
void with_tokens(const PixelLossOperands& op, const Context& context, const char* name, const char* pass,
                 std::initializer_list<const void*> rows, F&& body) {
  const TokenGrid grid = op.grid(name);
  const auto start = [&](const auto& pixels, auto form) {
    using Token = typename decltype(form)::type;
    const int64_t bytes = Token::shared_bytes(grid);
    const dim3 blocks(static_cast<unsigned>(blocks_of(op.rows())));
    const size_t shared = static_cast<size_t>(scratch_bytes + warps * bytes);
    body(pixels, Launch{blocks, dim3(32 * warps), shared}, static_cast<int>(bytes), form);
  };
  const bool fits =
      TokenInShared<T>::can_hold(grid, op.video, rows) &&
      scratch_bytes + warps * TokenInShared<T>::shared_bytes(grid) <= static_cast<int64_t>(context.limits.shared_optin);
  if (fits && chosen_variant({"pixel_loss", pass, {op.rows(), 3 * grid.pixels()}}, {"direct", "staged"}) == 1)
    return start(TokenPixels<uint8_t>::of(grid, op.video, op.normalize), Form<TokenInShared<T>>{});
  with_token_pixels<T>(grid, op.video, op.normalize, rows, [&](const auto& pixels, auto length) {
    using Video = std::remove_const_t<std::remove_pointer_t<decltype(pixels.video)>>;
    start(pixels, Form<TokenInMemory<decltype(length)::value, Video, T>>{});
  });
}

}  // namespace

void run(MaskedPixelLoss& op, const Context& context) {
  const int64_t blocks = blocks_of(op.rows());
  float* partials = static_cast<float*>(context.workspace);
  if (blocks > 0)
    with_real(op.name, op.prediction.dtype(), [&](auto t) {
      using T = decltype(t);
      const T* prediction = op.prediction.data<T>();
      with_tokens<T>(op, context, op.name, "forward", {prediction},
                     [&](const auto& pixels, const Launch& how, int bytes, auto form) {
                       launch(context, pixel_loss_tokens<typename decltype(form)::type, T>, how, pixels, bytes,
                              tokens_of(op), prediction, op.token_loss.data<float>(), partials,
                              IndexCheck::of(op, context));
                     });
    });
  launch_rows(context, pixel_loss_mean, 1, blocks, partials, blocks, op.loss.data<float>(), op.weight.data<float>());
}

void run(MaskedPixelLossBackward& op, const Context& context) {
  if (op.rows() == 0) return;
  with_real(op.name, op.prediction.dtype(), [&](auto t) {
    using T = decltype(t);
    const T* prediction = op.prediction.data<T>();
    T* gradient = op.grad_prediction.data<T>();
    with_tokens<T>(op, context, op.name, "backward", {prediction, gradient},
                   [&](const auto& pixels, const Launch& how, int bytes, auto form) {
                     launch(context, pixel_loss_backward<typename decltype(form)::type, T>, how, pixels, bytes,
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
