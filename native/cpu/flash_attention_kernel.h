// The inner parts of fused attention, written once and compiled per instruction set.
// Everything is computed transposed, with the block's own tokens (queries forward, keys for grad k and grad v) in the
// vector lanes: S^T = K Q^T comes out of the micro-kernel as [key][query], so maxima, sums and exponentials are
// lane-wise, and P^T is at once the right operand of O^T += V^T P^T. No horizontal sums, no repacking in the loop.
//   "rows" of a matrix: (N, d), contiguous; read by the micro-kernel as the left factor of a product over tokens.
//   "panels" of a matrix: panels of Isa::rows tokens, element (token, c) at [c][token]; left factor of one over d.
// Tails of tokens and of d use smaller micro-kernels, so no padding takes part in a sum.
#pragma once

#include "cpu/flash_attention.h"
#include "cpu/math.h"
#include "cpu/micro_kernel.h"

namespace videomae {

/// Where one head's packed operands lie, in its part of the workspace. The forward pass uses the first four.
template <class T>
struct HeadSpace {
  T *q_rows, *k_rows, *k_panels, *v_rows;  // q and k normalised when cosine; q multiplied by the scale
  T *q_panels, *v_panels, *grad_out_rows, *grad_out_panels;
  T *k_norm, *q_norm;  // (N) each: max(norm, 1e-12), or 1
  T* output_dot;       // (N): grad_out . out
};

/// What one instruction set offers. `head` counts (clip, head) pairs, `block` blocks of `block_tokens` tokens.
template <class T>
struct AttentionKernels {
  int rows, step, block_tokens;  // Isa::rows, kPanelStep, kPanelColumns
  void (*prepare_forward)(const FlashAttention<T>&, int64_t head, const HeadSpace<T>&);
  void (*forward)(const FlashAttention<T>&, int64_t head, int64_t block, const HeadSpace<T>&);
  void (*prepare_backward)(const FlashAttentionBackward<T>&, int64_t head, const HeadSpace<T>&);
  /// Writes grad q of the block and returns its part of grad_logit_scale.
  double (*backward_queries)(const FlashAttentionBackward<T>&, int64_t head, int64_t block, const HeadSpace<T>&);
  /// Writes grad k and grad v of the block.
  void (*backward_keys)(const FlashAttentionBackward<T>&, int64_t head, int64_t block, const HeadSpace<T>&);
};

struct AttentionKernelSet {
  AttentionKernels<float> f32;
  AttentionKernels<double> f64;
};

extern const AttentionKernelSet kAttentionPortable;
#if defined(__x86_64__)
extern const AttentionKernelSet kAttentionAvx2, kAttentionAvx512;
#endif

template <class Isa, class T>
struct AttentionKernel {
  using V = Vectors<Isa, T>;
  using Vec = typename V::Vec;
  using Forward = FlashAttention<T>;
  using Backward = FlashAttentionBackward<T>;
  static constexpr int64_t kRows = Isa::rows, kStep = kPanelStep<Isa, T>, kLanes = kPanelColumns<Isa, T>;
  // Tokens of the other side handled at a time, whole panels: the block of S^T and one head's operands stay in L1.
  static constexpr int64_t kOther = 112 / kRows * kRows;
  static constexpr int64_t kMaxDim = kAttentionMaxHeadDim;
  static constexpr T kNormFloor = T(1e-12);
  static constexpr T kLowest = sizeof(T) == 4 ? T(-3.402823466e38) : T(-1.7976931348623157e308);

  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

  // --- where one head's rows lie -----------------------------------------------------------------------------------

  template <class Args>
  static int64_t qkv_step(const Args& args) {
    return 3 * args.heads * args.head_dim;
  }

  /// First row of q (0), k (1) or v (2) of a head.
  template <class Args>
  static int64_t qkv_offset(const Args& args, int64_t head, int64_t which) {
    int64_t clip = head / args.heads, h = head % args.heads;
    return clip * args.tokens * qkv_step(args) + (which * args.heads + h) * args.head_dim;
  }

  template <class Args>
  static int64_t out_offset(const Args& args, int64_t head) {
    return (head / args.heads * args.tokens * args.heads + head % args.heads) * args.head_dim;
  }

  template <class Args>
  static T scale(const Args& args, int64_t head) {
    return args.logit_scale ? args.logit_scale[head % args.heads]
                            : T(1 / __builtin_sqrt(static_cast<double>(args.head_dim)));
  }

  // --- packing -----------------------------------------------------------------------------------------------------

  static T dot(const T* a, const T* b, int64_t n) {
    Vec sum{};
    for (int64_t i = 0; i < n; i += V::lanes) sum += V::load(a + i, n - i) * V::load(b + i, n - i);
    return V::sum(sum);
  }

  /// to[r] = from[r] * factor, divided by max(norm, floor) when `normalise`. That divisor, or 1, goes to norms[r].
  static void copy_rows(const T* from, int64_t ld, int64_t rows, int64_t d, bool normalise, T factor, T* to, T* norms) {
    for (int64_t r = 0; r < rows; ++r, from += ld, to += d) {
      T norm = 1;
      if (normalise) {
        norm = T(__builtin_sqrt(dot(from, from, d)));
        if (norm < kNormFloor) norm = kNormFloor;  // a NaN stays
      }
      if (norms) norms[r] = norm;
      for (int64_t c = 0; c < d; ++c) to[c] = normalise ? from[c] / norm * factor : from[c] * factor;
    }
  }

  static void make_panels(const T* rows, int64_t ld, int64_t tokens, int64_t d, T* panels) {
    for (int64_t t = 0; t < tokens; t += kRows, panels += kStep * d)
      V::transpose(rows + t * ld, ld, smaller(kRows, tokens - t), d, panels, kStep, kStep);
  }

  /// The lanes' operand: `tokens` <= kLanes rows as [c][token], zero in the lanes beyond.
  static void make_lanes(const T* rows, int64_t ld, int64_t tokens, int64_t d, T* lanes) {
    V::transpose(rows, ld, tokens, d, lanes, kLanes, kLanes);
    if (tokens <= V::lanes)
      for (int64_t c = 0; c < d; ++c) V::store(lanes + c * kLanes + V::lanes, Vec{});
  }

  /// Per-token numbers as lanes, `fill` beyond.
  static void load_lanes(const T* values, int64_t tokens, T fill, Vec* lanes) {
    for (int64_t i = 0; i < kLanes; ++i) lanes[i / V::lanes][i % V::lanes] = i < tokens ? values[i] : fill;
  }

  // --- products ----------------------------------------------------------------------------------------------------

  /// result[token][lane] = sum_c panels(token, c) lanes[c][lane] for `count` tokens from `first`, a multiple of kRows.
  static void over_dim(const T* panels, int64_t first, int64_t count, int64_t d, const T* lanes, T* result) {
    const T* a = panels + first / kRows * kStep * d;
    for (int64_t t = 0; t < count; t += kRows, a += kStep * d)
      run_micro_kernel<Isa, T>(smaller(kRows, count - t), d, a, kStep, lanes, result + t * kLanes, false, lanes);
  }

  /// result[c][lane] += sum_t rows(first + t, c) weights[t][lane] for `count` tokens. The d rows of the result are cut
  /// evenly: 64 is 5 x 13 and not 4 x 14 + 8.
  static void over_tokens(const T* rows, int64_t first, int64_t count, int64_t d, const T* weights, T* result) {
    int64_t parts = (d + kRows - 1) / kRows, height = (d + parts - 1) / parts;
    for (int64_t c = 0; c < d; c += height)
      run_micro_kernel<Isa, T>(smaller(height, d - c), count, rows + first * d + c, d, weights, result + c * kLanes,
                               true, weights);
  }

  static void clear(T* result, int64_t d) {
    for (int64_t i = 0; i < d * kLanes; i += V::lanes) V::store(result + i, Vec{});
  }

  // --- forward -----------------------------------------------------------------------------------------------------

  static void prepare_forward(const Forward& args, int64_t head, const HeadSpace<T>& s) {
    int64_t n = args.tokens, d = args.head_dim, ld = qkv_step(args);
    copy_rows(args.qkv + qkv_offset(args, head, 0), ld, n, d, args.cosine, scale(args, head), s.q_rows, nullptr);
    copy_rows(args.qkv + qkv_offset(args, head, 1), ld, n, d, args.cosine, 1, s.k_rows, nullptr);
    make_panels(s.k_rows, d, n, d, s.k_panels);
    copy_rows(args.qkv + qkv_offset(args, head, 2), ld, n, d, false, 1, s.v_rows, nullptr);
  }

  static void forward(const Forward& args, int64_t head, int64_t block, const HeadSpace<T>& s) {
    int64_t d = args.head_dim, first = block * kLanes, count = smaller(kLanes, args.tokens - first);
    alignas(64) T queries[kMaxDim * kLanes], weights[kOther * kLanes], sum[kMaxDim * kLanes];
    make_lanes(s.q_rows + first * d, d, count, d, queries);
    clear(sum, d);
    // The running maximum starts at the lowest finite number: a block of logits that are all -inf then weighs 0
    // instead of giving NaN, and only a row without any finite logit ends as 0 / 0.
    Vec highest[2] = {V::all(kLowest), V::all(kLowest)}, total[2] = {};
    for (int64_t key = 0; key < args.tokens; key += kOther) {
      int64_t keys = smaller(kOther, args.tokens - key);
      over_dim(s.k_panels, key, keys, d, queries, weights);
      Vec correction[2];
      for (int v = 0; v < 2; ++v) exponentiate(weights + v * V::lanes, keys, highest[v], total[v], correction[v]);
      if (key > 0)
        for (int64_t c = 0; c < d; ++c)
          for (int v = 0; v < 2; ++v) {
            T* p = sum + c * kLanes + v * V::lanes;
            V::store(p, V::load(p) * correction[v]);
          }
      over_tokens(s.v_rows, key, keys, d, weights, sum);
    }
    for (int64_t c = 0; c < d; ++c)
      for (int v = 0; v < 2; ++v) {
        T* p = sum + c * kLanes + v * V::lanes;
        V::store(p, V::load(p) / total[v]);
      }
    int64_t out_step = args.heads * d;
    V::transpose(sum, kLanes, d, count, args.out + out_offset(args, head) + first * out_step, out_step, d);
    T* lse = args.lse + head * args.tokens + first;
    for (int64_t i = 0; i < count; ++i)
      lse[i] = highest[i / V::lanes][i % V::lanes] + T(__builtin_log(total[i / V::lanes][i % V::lanes]));
  }

  /// One vector of lanes of a block of logits becomes e^(logit - maximum); the running maximum and sum move on, and
  /// `correction` is what earlier sums must be multiplied by.
  static void exponentiate(T* logits, int64_t keys, Vec& highest, Vec& total, Vec& correction) {
    Vec maximum = highest, sum{};
    for (int64_t i = 0; i < keys; ++i) {
      Vec x = V::load(logits + i * kLanes);
      maximum = x > maximum ? x : maximum;  // passes by a NaN, which the exponential below brings back
    }
    for (int64_t i = 0; i < keys; ++i) {
      Vec p = VectorMath<Isa, T>::exp(V::load(logits + i * kLanes) - maximum);
      sum += p;
      V::store(logits + i * kLanes, p);
    }
    correction = VectorMath<Isa, T>::exp(highest - maximum);
    total = total * correction + sum;
    highest = maximum;
  }

  // --- backward ----------------------------------------------------------------------------------------------------
  //   P = e^(S - lse)   dP = dO V^T   dS = P (dP - rowsum(dO O))   dV = P^T dO   dQ = scale dS K   dK = dS^T (scale Q)

  static void prepare_backward(const Backward& args, int64_t head, const HeadSpace<T>& s) {
    int64_t n = args.tokens, d = args.head_dim, ld = qkv_step(args), out_step = args.heads * d;
    copy_rows(args.qkv + qkv_offset(args, head, 0), ld, n, d, args.cosine, scale(args, head), s.q_rows, s.q_norm);
    copy_rows(args.qkv + qkv_offset(args, head, 1), ld, n, d, args.cosine, 1, s.k_rows, s.k_norm);
    const T *out = args.out + out_offset(args, head), *grad_out = args.grad_out + out_offset(args, head);
    copy_rows(grad_out, out_step, n, d, false, 1, s.grad_out_rows, nullptr);
    copy_rows(args.qkv + qkv_offset(args, head, 2), ld, n, d, false, 1, s.v_rows, nullptr);
    make_panels(s.q_rows, d, n, d, s.q_panels);
    make_panels(s.k_rows, d, n, d, s.k_panels);
    make_panels(s.v_rows, d, n, d, s.v_panels);
    make_panels(s.grad_out_rows, d, n, d, s.grad_out_panels);
    // rowsum(dO O), added up in the micro-kernel's order: where a row of P is one-hot, dP equals it to the last bit and
    // dS is exactly 0.
    alignas(64) T panel[kMaxDim * kStep];
    for (int64_t t = 0; t < n; t += kRows) {
      int64_t held = smaller(kRows, n - t);
      const T* grads = s.grad_out_panels + t * kStep / kRows * d;
      make_panels(out + t * out_step, out_step, held, d, panel);
      for (int64_t i = 0; i < held; i += V::lanes) {
        Vec sum{};
        for (int64_t c = 0; c < d; ++c) sum += V::load(grads + c * kStep + i) * V::load(panel + c * kStep + i);
        V::store(s.output_dot + t + i, sum, held - i);
      }
    }
  }

  static double backward_queries(const Backward& args, int64_t head, int64_t block, const HeadSpace<T>& s) {
    int64_t d = args.head_dim, ld = qkv_step(args);
    int64_t first = block * kLanes, count = smaller(kLanes, args.tokens - first);
    alignas(64) T queries[kMaxDim * kLanes], grads[kMaxDim * kLanes], sum[kMaxDim * kLanes];
    alignas(64) T p[kOther * kLanes], ds[kOther * kLanes];
    make_lanes(s.q_rows + first * d, d, count, d, queries);
    make_lanes(s.grad_out_rows + first * d, d, count, d, grads);
    clear(sum, d);
    Vec lse[2], output_dot[2];
    load_lanes(args.lse + head * args.tokens + first, count, 0, lse);
    load_lanes(s.output_dot + first, count, 0, output_dot);
    for (int64_t key = 0; key < args.tokens; key += kOther) {
      int64_t keys = smaller(kOther, args.tokens - key);
      over_dim(s.k_panels, key, keys, d, queries, p);
      over_dim(s.v_panels, key, keys, d, grads, ds);
      for (int64_t i = 0; i < 2 * keys; ++i) {
        Vec weight = VectorMath<Isa, T>::exp(V::load(p + i * V::lanes) - lse[i % 2]);
        V::store(ds + i * V::lanes, weight * (V::load(ds + i * V::lanes) - output_dot[i % 2]));
      }
      over_tokens(s.k_rows, key, keys, d, ds, sum);
    }
    // sum^T is dS K. With q^ the (normalised) query: grad q^ = scale dS K, and grad scale = sum of q^ . (dS K).
    T* rows = grads;
    V::transpose(sum, kLanes, d, count, rows, d, d);
    T* grad = args.grad_qkv + qkv_offset(args, head, 0) + first * ld;
    const T* q = args.qkv + qkv_offset(args, head, 0) + first * ld;
    double grad_scale = 0;
    for (int64_t r = 0; r < count; ++r) {
      T norm = s.q_norm[first + r];
      grad_scale += static_cast<double>(dot(q + r * ld, rows + r * d, d)) / norm;
      finish_row(rows + r * d, scale(args, head), args.cosine, q + r * ld, norm, d, grad + r * ld);
    }
    return grad_scale;
  }

  static void backward_keys(const Backward& args, int64_t head, int64_t block, const HeadSpace<T>& s) {
    int64_t d = args.head_dim, ld = qkv_step(args);
    int64_t first = block * kLanes, count = smaller(kLanes, args.tokens - first);
    alignas(64) T keys[kMaxDim * kLanes], values[kMaxDim * kLanes], sum_k[kMaxDim * kLanes], sum_v[kMaxDim * kLanes];
    alignas(64) T p[kOther * kLanes], ds[kOther * kLanes];
    make_lanes(s.k_rows + first * d, d, count, d, keys);
    make_lanes(s.v_rows + first * d, d, count, d, values);
    clear(sum_k, d);
    clear(sum_v, d);
    const T* lse = args.lse + head * args.tokens;
    for (int64_t query = 0; query < args.tokens; query += kOther) {
      int64_t queries = smaller(kOther, args.tokens - query);
      over_dim(s.q_panels, query, queries, d, keys, p);
      over_dim(s.grad_out_panels, query, queries, d, values, ds);
      for (int64_t i = 0; i < 2 * queries; ++i) {
        Vec weight = VectorMath<Isa, T>::exp(V::load(p + i * V::lanes) - lse[query + i / 2]);
        V::store(p + i * V::lanes, weight);
        V::store(ds + i * V::lanes, weight * (V::load(ds + i * V::lanes) - s.output_dot[query + i / 2]));
      }
      over_tokens(s.grad_out_rows, query, queries, d, p, sum_v);
      over_tokens(s.q_rows, query, queries, d, ds, sum_k);
    }
    V::transpose(sum_v, kLanes, d, count, args.grad_qkv + qkv_offset(args, head, 2) + first * ld, ld, d);
    T* rows = keys;
    V::transpose(sum_k, kLanes, d, count, rows, d, d);
    T* grad = args.grad_qkv + qkv_offset(args, head, 1) + first * ld;
    const T* k = args.qkv + qkv_offset(args, head, 1) + first * ld;
    for (int64_t r = 0; r < count; ++r)
      finish_row(rows + r * d, 1, args.cosine, k + r * ld, s.k_norm[first + r], d, grad + r * ld);
  }

  /// From times g, the gradient of x^ = x / norm, to that of x: (g - x^ (x^ . g)) / norm, without the projection on
  /// the norm floor, where x^ is linear in x. Not cosine: x^ is x.
  static void finish_row(const T* g, T times, bool cosine, const T* x, T norm, int64_t d, T* grad) {
    T along = cosine && !(norm <= kNormFloor) ? dot(x, g, d) / norm : T(0);
    for (int64_t c = 0; c < d; ++c) grad[c] = times * (cosine ? (g[c] - x[c] / norm * along) / norm : g[c]);
  }

  static constexpr AttentionKernels<T> table() {
    return {kRows, kStep, kLanes, prepare_forward, forward, prepare_backward, backward_queries, backward_keys};
  }
};

}  // namespace videomae
