// Patch embedding of the visible tokens on a GPU: one kernel reads their cubes, and nothing else of the video, and
// writes the product's operand, normalised; then one product whose epilogue adds the bias and the rows of the
// positional table.
#include "cuda/clip_window.cuh"
#include "cuda/device/shared_memory.cuh"
#include "cuda/elements.cuh"
#include "cuda/gemm.h"
#include "cuda/quad.cuh"
#include "cuda/token_bytes.cuh"
#include "cuda/variants.h"
#include "ops/embed_visible.h"

namespace videomae::cuda {
namespace {

constexpr int kThreads = 128;  // a patch of 16 x 16 x 2 is as many groups of four pixels
constexpr int kWarps = kThreads / 32;

/// A clip batch and its token grid (ops/token_grid.h).
struct Clips {
  const void* video;  // u8 (B, T, H, W, 3) or f32 (B, 3, T, H, W)
  int64_t frame;      // pixels of a frame of the video
  int frames, width;  // of the video
  int tubelet, patch, rows, columns, tokens;
  ClipWindows windows;
};

Clips clips_of(const TokenGrid& g, const void* video) {
  return {video,
          g.video_height * g.video_width,
          static_cast<int>(g.frames),
          static_cast<int>(g.video_width),
          static_cast<int>(g.tubelet),
          static_cast<int>(g.patch),
          static_cast<int>(g.rows()),
          static_cast<int>(g.columns()),
          static_cast<int>(g.tokens()),
          ClipWindows::of(g)};
}

/// Up to four neighbouring pixels of one row of a cube.
struct PixelGroup {
  int t, count;
  int64_t first;  // in a frame of the video
  int column;     // in the patch's columns, of channel 0

  __device__ __forceinline__ PixelGroup(const Clips& clips, const ClipPlace& clip, int token, int group) {
    const int groups = (clips.patch + 3) / 4, row = group / groups, dx = group % groups * 4;
    const int dt = row / clips.patch, dy = row % clips.patch, place = token % (clips.rows * clips.columns);
    t = token / (clips.rows * clips.columns) * clips.tubelet + dt;
    const int y = clip.top + place / clips.columns * clips.patch + dy;
    const int x = clip.left + clip.step * (place % clips.columns * clips.patch + dx);
    first = static_cast<int64_t>(y) * clips.width + x;
    count = clips.patch - dx < 4 ? clips.patch - dx : 4;
    column = row * clips.patch + dx;
  }
};

__device__ __forceinline__ int groups_of(const Clips& clips) {
  return clips.tubelet * clips.patch * ((clips.patch + 3) / 4);
}

/// What makes a byte a normalised value, by channel: times `scale` plus `shift`.
struct Normalisation {
  float scale[3], shift[3];
};

/// Three channels of up to four pixels that lie in a row; `step` is 1, or -1 when they lie before `from`.
__device__ __forceinline__ void load_pixels(Quad (&v)[3], const uint8_t* from, int step, int count,
                                            const Normalisation& to) {
  uint32_t bytes[12];
  const uint8_t* const lowest = step > 0 ? from : from - 9;
  if (count == 4 && reinterpret_cast<uintptr_t>(lowest) % 4 == 0) {
    const uint32_t* const words = reinterpret_cast<const uint32_t*>(lowest);
    const uint32_t three[3] = {words[0], words[1], words[2]};
#pragma unroll
    for (int i = 0; i < 12; ++i) {
      const int back = 9 - i / 3 * 3 + i % 3;
      bytes[i] = (step > 0 ? three[i / 4] >> i % 4 * 8 : three[back / 4] >> back % 4 * 8) & 255;
    }
  } else {
#pragma unroll
    for (int i = 0; i < 12; ++i) bytes[i] = i < 3 * count ? from[step * (i / 3 * 3) + i % 3] : 0;
  }
#pragma unroll
  for (int i = 0; i < 12; ++i) v[i % 3].at[i / 3] = static_cast<float>(bytes[i]) * to.scale[i % 3] + to.shift[i % 3];
}

/// One channel of up to four pixels that lie in a row, in either direction.
__device__ __forceinline__ Quad load_pixels(const float* from, int step, int count) {
  Quad quad;
#pragma unroll
  for (int i = 0; i < 4; ++i) quad.at[i] = i < count ? from[step * i] : 0.0f;
  return quad;
}

__device__ __forceinline__ void store_pixels(float* to, const Quad& quad, int step, int count) {
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (i < count) to[step * i] = quad.at[i];
}

/// Block i writes row i of the operand, the cube of visible token i: columns (channel, dt, dy, dx).
template <class T>
__global__ void __launch_bounds__(kThreads)
    gather_patches(Clips clips, bool bytes, Normalisation normalisation, const int32_t* visible, int visible_count,
                   T* patches, IndexCheck check) {
  dependent_launch_begin();
  const int64_t row = blockIdx.x;
  const int64_t clip = row / visible_count;
  const int token = static_cast<int>(check(visible[row], clips.tokens));
  const ClipPlace place = clips.windows.of_clip(clip, check);
  const int channel = clips.tubelet * clips.patch * clips.patch;
  T* const to = patches + row * (3 * channel);
  const bool whole_rows = reinterpret_cast<uintptr_t>(patches) % (4 * sizeof(T)) == 0 && clips.patch % 4 == 0;
  const bool known = token >= 0 && place.known;
  for (int group = static_cast<int>(threadIdx.x); group < groups_of(clips); group += kThreads) {
    const PixelGroup at(clips, place, known ? token : 0, group);
    Quad v[3] = {};
    if (known && bytes) {
      const int64_t pixel = (clip * clips.frames + at.t) * clips.frame + at.first;
      load_pixels(v, static_cast<const uint8_t*>(clips.video) + 3 * pixel, place.step, at.count, normalisation);
    } else if (known) {
      const float* const video = static_cast<const float*>(clips.video);
#pragma unroll
      for (int c = 0; c < 3; ++c) {
        const int64_t frame = (clip * 3 + c) * clips.frames + at.t;
        v[c] = load_pixels(video + frame * clips.frame + at.first, place.step, at.count);
      }
    }
#pragma unroll
    for (int c = 0; c < 3; ++c) store_quad(to + c * channel + at.column, v[c], whole_rows && at.count == 4, at.count);
  }
}

/// A warp writes a row of the operand out of shared memory, where the bytes of its token have come: 16 bytes at a time
/// on both ways.
template <class T>
__global__ void __launch_bounds__(kThreads)
    gather_patches_staged(TokenPixels<uint8_t> pixels, int bytes_of_token, Normalisation to, const int32_t* visible,
                          int visible_count, int64_t rows, T* patches, IndexCheck check) {
  dependent_launch_begin();
  constexpr int length = vector_width<T>;
  const int64_t row = thread_number() / 32;
  if (row >= rows) return;
  const int64_t clip = row / visible_count, token = check(visible[row], pixels.tokens);
  const ClipPlace place = pixels.windows.of_clip(clip, check);
  const int lane = static_cast<int>(threadIdx.x) % 32, patch = static_cast<int>(pixels.patch);
  const int channel = static_cast<int>(pixels.columns) / 3;
  T* const out = patches + row * pixels.columns;
  if (token < 0 || !place.known) {
    for (int c = lane * length; c < 3 * channel; c += 32 * length) store_floats<length>(out + c, Floats<length>{});
    return;
  }
  unsigned char* const shared = shared_memory<unsigned char>() + static_cast<int>(threadIdx.x) / 32 * bytes_of_token;
  const TokenBytes bytes(shared, pixels, clip, place, token);
  cp_async_commit();
  cp_async_wait<0>();
  warp_sync();
  for (int first = lane * length; first < channel; first += 32 * length) {
    int dx = first % patch, dy = first / patch % patch, dt = first / patch / patch;
    Floats<length> v[3];
#pragma unroll
    for (int j = 0; j < length; ++j) {
      const Channels<uint32_t> pixel = bytes.pixel(dt, dy, dx);
#pragma unroll
      for (int c = 0; c < 3; ++c) v[c].at[j] = static_cast<float>(pixel.of(c)) * to.scale[c] + to.shift[c];
      if (++dx == patch) dx = 0, ++dy;
      if (dy == patch) dy = 0, ++dt;
    }
#pragma unroll
    for (int c = 0; c < 3; ++c) store_floats<length>(out + c * channel + first, v[c]);
  }
}

/// No gradient: what of a video lies outside its window.
__global__ void clear(float* video, int64_t elements) {
  dependent_launch_begin();
  if (const int64_t i = thread_number(); i < elements) video[i] = 0;
}

/// Block b * N + n writes the cube of token n of clip b, whether it was visible or not: the sum of the rows that name
/// it, in order.
template <class T>
__global__ void __launch_bounds__(kThreads) scatter_patches(Clips clips, const T* patches, const int32_t* visible,
                                                            int visible_count, float* video, IndexCheck check) {
  dependent_launch_begin();
  const int token = static_cast<int>(blockIdx.x % clips.tokens);
  const int64_t clip = blockIdx.x / clips.tokens, channel = clips.tubelet * clips.patch * clips.patch;
  const int32_t* const names = visible + clip * visible_count;
  const ClipPlace place = clips.windows.of_clip(clip, check);
  if (!place.known) return;
  for (int group = static_cast<int>(threadIdx.x); group < groups_of(clips); group += kThreads) {
    const PixelGroup at(clips, place, token, group);
    Quad sums[3] = {};
    for (int i = 0; i < visible_count; ++i) {
      if (names[i] != token) continue;
      const T* const from = patches + (clip * visible_count + i) * 3 * channel + at.column;
#pragma unroll
      for (int c = 0; c < 3; ++c) add_quad(sums[c], load_quad(from + c * channel, false, at.count));
    }
#pragma unroll
    for (int c = 0; c < 3; ++c) {
      const int64_t frame = (clip * 3 + c) * clips.frames + at.t;
      store_pixels(video + frame * clips.frame + at.first, sums[c], place.step, at.count);
    }
  }
  if (token > 0) return;
  for (int i = static_cast<int>(threadIdx.x); i < visible_count; i += kThreads) check(names[i], clips.tokens);
}

Normalisation normalisation() {
  Normalisation n;
  for (int c = 0; c < 3; ++c) {
    n.scale[c] = static_cast<float>(1 / (255 * channel_std[c]));
    n.shift[c] = static_cast<float>(-channel_mean[c] / channel_std[c]);
  }
  return n;
}

Gemm embedding_product(const EmbedVisible& op) {
  const int64_t columns = 3 * op.grid().pixels(), width = op.width();
  Gemm g{op.weight.dtype(), op.rows(), width, columns};
  g.lda = columns;
  g.ldb = columns, g.b_transposed = true;
  g.c_dtype = op.y.dtype, g.ldc = width;
  return g;
}

/// Where the choice is "staged", and whole chunks make up what is read and what is written.
template <class T>
bool bytes_come_through_shared_memory(const EmbedVisible& op, const Context& context, const TokenGrid& g) {
  const bool fits = TokenBytes::can_hold(g, op.video) && g.pixels() % vector_width<T> == 0 &&
                    aligned(16, {op.patches.data<T>()}) &&
                    kWarps * TokenBytes::shared_bytes(g) <= static_cast<int64_t>(context.limits.shared_optin);
  return fits && chosen_variant({"embed_visible", "", {op.rows(), 3 * g.pixels()}}, {"direct", "staged"}) == 1;
}

template <class T>
void gather(const EmbedVisible& op, const Context& context) {
  const TokenGrid g = op.grid();
  if (bytes_come_through_shared_memory<T>(op, context, g)) {
    const int64_t bytes = TokenBytes::shared_bytes(g);
    launch(
        context, gather_patches_staged<T>,
        {dim3(static_cast<unsigned>(ceil_div(op.rows(), kWarps))), dim3(kThreads), static_cast<size_t>(kWarps * bytes)},
        TokenPixels<uint8_t>::of(g, op.video, false), static_cast<int>(bytes), normalisation(),
        op.visible.data<int32_t>(), static_cast<int>(op.visible.shape()[1]), op.rows(), op.patches.data<T>(),
        IndexCheck::of(op, context));
    return;
  }
  launch(context, gather_patches<T>, {dim3(static_cast<unsigned>(op.rows())), dim3(kThreads)},
         clips_of(g, op.video.tensor.data()), g.bytes, normalisation(), op.visible.data<int32_t>(),
         static_cast<int>(op.visible.shape()[1]), op.patches.data<T>(), IndexCheck::of(op, context));
}

template <class T>
void scatter(const EmbedVisibleVideoGrad& op, const Context& context) {
  const TokenGrid g = op.grid();
  const dim3 cubes(static_cast<unsigned>(g.batch * g.tokens()));
  if (g.window != nullptr)
    launch_threads(context, clear, op.video.elements(), op.grad_video.data<float>(), op.video.elements());
  launch(context, scatter_patches<T>, {cubes, dim3(kThreads)}, clips_of(g, nullptr), op.grad_patches.data<T>(),
         op.visible.data<int32_t>(), static_cast<int>(op.visible.shape()[1]), op.grad_video.data<float>(),
         IndexCheck::of(op, context));
}

}  // namespace

size_t workspace(const EmbedVisible& op) { return gemm_workspace(embedding_product(op), After::steps); }
size_t workspace(const EmbedVisibleVideoGrad&) { return 0; }

void run(EmbedVisible& op, const Context& context) {
  if (op.rows() == 0) return;
  with_real(op.name, op.weight.dtype(), [&](auto t) { gather<decltype(t)>(op, context); });
  Gemm g = embedding_product(op);
  g.a = op.patches.tensor.data(), g.b = op.weight.tensor.data(), g.c = op.y.tensor.data();
  g.bias = op.bias.data<float>();
  g.residual = op.position.tensor.data(), g.residual_dtype = op.position.dtype(), g.residual_ld = op.width();
  g.residual_rows = op.visible.data<int32_t>(), g.residual_count = op.position.shape()[0];
  gemm(context, g, context.workspace);
}

void run(EmbedVisibleVideoGrad& op, const Context& context) {
  if (op.video.elements() == 0) return;
  with_real(op.name, op.grad_patches.dtype(), [&](auto t) { scatter<decltype(t)>(op, context); });
}

}  // namespace videomae::cuda
