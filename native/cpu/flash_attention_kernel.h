// The inner parts of fused attention on fused multiply-adds, written once and compiled per instruction set.
// Everything is computed transposed, with the block's own tokens (queries forward, keys backward) in the vector lanes:
// S^T = K Q^T comes out of the micro-kernel as [key][query], so maxima, sums and exponentials are lane-wise, and P^T is
// at once the right operand of O^T += V^T P^T. No horizontal sums, no repacking in the loop.
//   "rows" of a matrix: (N, width), contiguous, width d rounded up to whole panels and zero beyond d; the micro-kernel
//   reads them as the left factor of a product over tokens, or as the right factor of one that adds to grad q.
//   "panels" of a matrix: panels of Isa::rows tokens, element (token, c) at [c][token]; left factor of one over d.
// Tails of tokens use smaller micro-kernels, so no padding takes part in a sum. bf16 operands are widened when packed.
#pragma once

#include "cpu/attention_rows.h"
#include "cpu/flash_attention_kernels.h"
#include "cpu/math.h"
#include "cpu/micro_kernel.h"

namespace videomae {

/// Where one head's packed operands lie in its space. The forward pass uses the first four.
template <class W>
struct HeadSpace {
  W *q_rows, *k_rows, *k_panels, *v_rows;  // q and k normalised when cosine; q multiplied by the scale
  W *q_panels, *grad_out_rows, *grad_out_panels;
  W *k_norm, *q_norm;  // (N) each: max(norm, 1e-12), or 1
  W* output_dot;       // (N): grad_out . out
  W* grad_q;           // (parts, N, width): what each range of keys adds to grad q / scale
};

/// c[i][j] (+)= sum_k a[i * a_row + k] b[k * b_step + j] for `Rows` rows of 2 vectors: as micro_kernel, with a's rows
/// apart.
template <class Isa, class T, int Rows>
[[gnu::noinline]] void add_outer_products(int64_t k, const T* a, int64_t a_row, const T* b, int64_t b_step, T* c,
                                          int64_t c_row, bool add) {
  using V = Vectors<Isa, T>;
  typename V::Vec sum[Rows][2];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
    sum[i][0] = add ? V::load(c + i * c_row) : typename V::Vec{};
    sum[i][1] = add ? V::load(c + i * c_row + V::lanes) : typename V::Vec{};
  }
  for (; k > 0; --k, ++a, b += b_step) {
    const typename V::Vec b0 = V::load(b), b1 = V::load(b + V::lanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      sum[i][0] += a[i * a_row] * b0;
      sum[i][1] += a[i * a_row] * b1;
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) V::store(c + i * c_row, sum[i][0]), V::store(c + i * c_row + V::lanes, sum[i][1]);
}

template <class Isa, class T, int Rows = Isa::rows>
inline void run_outer_products(int64_t rows, int64_t k, const T* a, int64_t a_row, const T* b, int64_t b_step, T* c,
                               int64_t c_row, bool add) {
  if constexpr (Rows > 1)
    if (rows < Rows) return run_outer_products<Isa, T, Rows - 1>(rows, k, a, a_row, b, b_step, c, c_row, add);
  add_outer_products<Isa, T, Rows>(k, a, a_row, b, b_step, c, c_row, add);
}

template <class Isa, class T>
struct AttentionKernel {
  using W = wide_t<T>;
  using V = Vectors<Isa, W>;
  using Vec = typename V::Vec;
  using Forward = FlashAttention<T>;
  using Backward = FlashAttentionBackward<T>;
  static constexpr int64_t kRows = Isa::rows, kStep = kPanelStep<Isa, W>, kLanes = kPanelColumns<Isa, W>;
  // Tokens of the other side handled at a time, whole panels: the block of S^T and one head's operands stay in L1.
  static constexpr int64_t kOther = 112 / kRows * kRows;
  static constexpr int64_t kMaxDim = kAttentionMaxHeadDim;
  static constexpr W kNormFloor = W(1e-12);
  static constexpr W kLowest = sizeof(W) == 4 ? W(-3.402823466e38) : W(-1.7976931348623157e308);
  static_assert(kTokenGrain % kLanes == 0 && kMaxDim % kLanes == 0);

  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
  static int64_t width(int64_t d) { return (d + kLanes - 1) / kLanes * kLanes; }

  // --- the space ---------------------------------------------------------------------------------------------------

  /// Lays out one head's space from `base` (null: only counts). Returns its size in bytes, whole cache lines.
  static int64_t lay_out(int64_t tokens, int64_t d, int64_t parts, void* base, HeadSpace<W>* space) {
    int64_t size = 0;
    auto take = [&](int64_t elements) {
      W* at = base ? static_cast<W*>(base) + size : nullptr;
      constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(W));
      size += (elements + line - 1) / line * line;
      return at;
    };
    const int64_t rows = tokens * width(d), panels = (tokens + kRows - 1) / kRows * kStep * d;
    space->q_rows = take(rows);
    space->k_rows = take(rows);
    space->k_panels = take(panels);
    space->v_rows = take(rows);
    if (parts > 0) {
      space->q_panels = take(panels);
      space->grad_out_rows = take(rows);
      space->grad_out_panels = take(panels);
      space->k_norm = take(tokens);
      space->q_norm = take(tokens);
      space->output_dot = take(tokens);
      space->grad_q = take(parts * rows);
    }
    return size * static_cast<int64_t>(sizeof(W));
  }

  static HeadSpace<W> space_at(void* base, int64_t tokens, int64_t d, int64_t parts) {
    HeadSpace<W> space{};
    lay_out(tokens, d, parts, base, &space);
    return space;
  }

  static int64_t forward_space(int64_t tokens, int64_t d) {
    HeadSpace<W> unused{};
    return lay_out(tokens, d, 0, nullptr, &unused);
  }

  static int64_t backward_space(int64_t tokens, int64_t d, int64_t parts) {
    HeadSpace<W> unused{};
    return lay_out(tokens, d, parts, nullptr, &unused);
  }

  // --- packing -----------------------------------------------------------------------------------------------------

  template <class A, class B>
  static W dot(const A* a, const B* b, int64_t n) {
    Vec sum{};
    for (int64_t i = 0; i < n; i += V::lanes) sum += V::load(a + i, n - i) * V::load(b + i, n - i);
    return V::sum(sum);
  }

  /// to[r] = from[r] * factor, divided by max(norm, floor) when `normalise`; zero beyond d. The divisor, or 1, goes to
  /// norms[r].
  static constexpr int64_t kAhead = 8;  // rows: each lies pages after the one before, so the next are asked for early
  static void copy_rows(const T* from, int64_t ld, int64_t rows, int64_t d, bool normalise, W factor, W* to, W* norms) {
    for (int64_t r = 0; r < rows; ++r, from += ld, to += width(d)) {
      W norm = 1;
      if (normalise) {
        norm = W(__builtin_sqrt(dot(from, from, d)));
        if (norm < kNormFloor) norm = kNormFloor;  // a NaN stays
      }
      if (norms) norms[r] = norm;
      for (int64_t c = 0; c < width(d); c += V::lanes) {
        const Vec x = c < d ? V::load(from + c, d - c) : Vec{};
        __builtin_prefetch(from + kAhead * ld + c);
        V::store(to + c, normalise ? x / norm * factor : x * factor);
      }
    }
  }

  static void make_panels(const W* rows, int64_t ld, int64_t tokens, int64_t d, W* panels) {
    for (int64_t t = 0; t < tokens; t += kRows, panels += kStep * d)
      V::transpose(rows + t * ld, ld, smaller(kRows, tokens - t), d, panels, kStep, kStep);
  }

  /// The lanes' operand: `tokens` <= kLanes rows as [c][token], zero in the lanes beyond.
  static void make_lanes(const W* rows, int64_t tokens, int64_t d, W* lanes) {
    V::transpose(rows, width(d), tokens, d, lanes, kLanes, kLanes);
    if (tokens <= V::lanes)
      for (int64_t c = 0; c < d; ++c) V::store(lanes + c * kLanes + V::lanes, Vec{});
  }

  /// [c][lane] to the first `count` rows of `to`, whose steps are ld.
  static void store_lanes(const W* lanes, int64_t count, int64_t d, T* to, int64_t ld) {
    if constexpr (sizeof(T) == sizeof(W)) {
      V::transpose(lanes, kLanes, d, count, to, ld, d);
    } else {
      alignas(64) W rows[kLanes * kMaxDim];
      V::transpose(lanes, kLanes, d, count, rows, kMaxDim, kMaxDim);
      for (int64_t r = 0; r < count; ++r)
        for (int64_t c = 0; c < d; c += V::lanes) V::store(to + r * ld + c, V::load(rows + r * kMaxDim + c), d - c);
    }
  }

  // --- products ----------------------------------------------------------------------------------------------------

  /// result[token][lane] = sum_c panels(token, c) lanes[c][lane] for `count` tokens from `first`, a multiple of kRows.
  static void over_dim(const W* panels, int64_t first, int64_t count, int64_t d, const W* lanes, W* result) {
    const W* a = panels + first / kRows * kStep * d;
    for (int64_t t = 0; t < count; t += kRows, a += kStep * d)
      run_micro_kernel<Isa, W>(smaller(kRows, count - t), d, a, kStep, lanes, result + t * kLanes, false,
                               Ahead::along(reinterpret_cast<const char*>(a + kStep * d)));
  }

  /// result[c][lane] += sum_t rows(first + t, c) weights[t][lane] for `count` tokens. The d rows of the result are cut
  /// evenly: 64 is 5 x 13 and not 4 x 14 + 8.
  static void over_tokens(const W* rows, int64_t first, int64_t count, int64_t d, const W* weights, W* result) {
    int64_t parts = (d + kRows - 1) / kRows, height = (d + parts - 1) / parts;
    const W* next = rows + (first + count) * width(d);
    for (int64_t c = 0; c < d; c += height, next += count * V::lanes)
      run_micro_kernel<Isa, W>(smaller(height, d - c), count, rows + first * width(d) + c, width(d), weights,
                               result + c * kLanes, true, Ahead::along(reinterpret_cast<const char*>(next)));
  }

  /// result(t, c) (+)= sum_lane weights[t][lane] rows(first + lane, c) for `count` tokens and `lanes` lanes.
  static void over_lanes(const W* rows, int64_t lanes, int64_t count, int64_t d, const W* weights, W* result,
                         bool add) {
    for (int64_t t = 0; t < count; t += kRows)
      for (int64_t c = 0; c < d; c += kLanes)
        run_outer_products<Isa, W>(smaller(kRows, count - t), lanes, weights + t * kLanes, kLanes, rows + c, width(d),
                                   result + t * width(d) + c, width(d), add);
  }

  static void clear(W* result, int64_t count) {
    for (int64_t i = 0; i < count; i += V::lanes) V::store(result + i, Vec{});
  }

  // --- forward -----------------------------------------------------------------------------------------------------

  static bool prepare_forward(const Forward& args, int64_t head, void* space) {
    const HeadSpace<W> s = space_at(space, args.tokens, args.head_dim, 0);
    int64_t n = args.tokens, d = args.head_dim, ld = attention_rows::qkv_step(args);
    const W scale = static_cast<W>(attention_rows::scale(args, head));
    auto rows = [&](int64_t which) { return args.qkv + attention_rows::qkv_offset(args, head, which); };
    copy_rows(rows(0), ld, n, d, args.cosine, scale, s.q_rows, nullptr);
    copy_rows(rows(1), ld, n, d, args.cosine, 1, s.k_rows, nullptr);
    make_panels(s.k_rows, width(d), n, d, s.k_panels);
    copy_rows(rows(2), ld, n, d, false, 1, s.v_rows, nullptr);
    return true;
  }

  static void forward(const Forward& args, int64_t head, TokenRange queries, void* space) {
    const HeadSpace<W> s = space_at(space, args.tokens, args.head_dim, 0);
    for (int64_t first = queries.begin; first < queries.end; first += kLanes)
      forward_block(args, head, first, smaller(kLanes, queries.end - first), s);
  }

  static void forward_block(const Forward& args, int64_t head, int64_t first, int64_t count, const HeadSpace<W>& s) {
    int64_t d = args.head_dim;
    alignas(64) W queries[kMaxDim * kLanes], weights[kOther * kLanes], sum[kMaxDim * kLanes];
    make_lanes(s.q_rows + first * width(d), count, d, queries);
    clear(sum, d * kLanes);
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
            W* p = sum + c * kLanes + v * V::lanes;
            V::store(p, V::load(p) * correction[v]);
          }
      over_tokens(s.v_rows, key, keys, d, weights, sum);
    }
    for (int64_t c = 0; c < d; ++c)
      for (int v = 0; v < 2; ++v) {
        W* p = sum + c * kLanes + v * V::lanes;
        V::store(p, V::load(p) / total[v]);
      }
    const int64_t out_step = attention_rows::out_step(args);
    store_lanes(sum, count, d, args.out + attention_rows::out_offset(args, head) + first * out_step, out_step);
    W* lse = args.lse + head * args.tokens + first;
    for (int64_t i = 0; i < count; ++i)
      lse[i] = highest[i / V::lanes][i % V::lanes] + W(__builtin_log(total[i / V::lanes][i % V::lanes]));
  }

  /// One vector of lanes of a block of logits becomes e^(logit - maximum); the running maximum and sum move on, and
  /// `correction` is what earlier sums must be multiplied by.
  static void exponentiate(W* logits, int64_t keys, Vec& highest, Vec& total, Vec& correction) {
    Vec maximum = highest, sum{};
    for (int64_t i = 0; i < keys; ++i) {
      Vec x = V::load(logits + i * kLanes);
      maximum = x > maximum ? x : maximum;  // passes by a NaN, which the exponential below brings back
    }
    for (int64_t i = 0; i < keys; ++i) {
      Vec p = VectorMath<Isa, W>::exp(V::load(logits + i * kLanes) - maximum);
      sum += p;
      V::store(logits + i * kLanes, p);
    }
    correction = VectorMath<Isa, W>::exp(highest - maximum);
    total = total * correction + sum;
    highest = maximum;
  }

  // --- backward ----------------------------------------------------------------------------------------------------
  //   P = e^(S - lse)   dP = dO V^T   dS = P (dP - rowsum(dO O))   dV = P^T dO   dQ = scale dS K   dK = dS^T (scale Q)

  static bool prepare_backward(const Backward& args, int64_t head, int64_t parts, void* space) {
    const HeadSpace<W> s = space_at(space, args.tokens, args.head_dim, parts);
    int64_t n = args.tokens, d = args.head_dim, ld = attention_rows::qkv_step(args);
    const int64_t out_step = attention_rows::out_step(args), out_offset = attention_rows::out_offset(args, head);
    const W scale = static_cast<W>(attention_rows::scale(args, head));
    auto rows = [&](int64_t which) { return args.qkv + attention_rows::qkv_offset(args, head, which); };
    copy_rows(rows(0), ld, n, d, args.cosine, scale, s.q_rows, s.q_norm);
    copy_rows(rows(1), ld, n, d, args.cosine, 1, s.k_rows, s.k_norm);
    copy_rows(rows(2), ld, n, d, false, 1, s.v_rows, nullptr);
    copy_rows(args.grad_out + out_offset, out_step, n, d, false, 1, s.grad_out_rows, nullptr);
    make_panels(s.q_rows, width(d), n, d, s.q_panels);
    make_panels(s.grad_out_rows, width(d), n, d, s.grad_out_panels);
    // rowsum(dO O), added up in the micro-kernel's order: where a row of P is one-hot, dP equals it to the last bit and
    // dS is exactly 0.
    alignas(64) W out[kRows * kMaxDim], panel[kMaxDim * kStep];
    for (int64_t t = 0; t < n; t += kRows) {
      int64_t held = smaller(kRows, n - t);
      const W* grads = s.grad_out_panels + t * kStep / kRows * d;
      copy_rows(args.out + out_offset + t * out_step, out_step, held, d, false, 1, out, nullptr);
      make_panels(out, width(d), held, d, panel);
      for (int64_t i = 0; i < held; i += V::lanes) {
        Vec sum{};
        for (int64_t c = 0; c < d; ++c) sum += V::load(grads + c * kStep + i) * V::load(panel + c * kStep + i);
        V::store(s.output_dot + t + i, sum, held - i);
      }
    }
    return true;
  }

  static void backward(const Backward& args, int64_t head, TokenRange keys, int64_t part, void* space) {
    const HeadSpace<W> s =
        space_at(space, args.tokens, args.head_dim, 1);  // what lies before grad_q does not depend on the parts
    W* grad_q = s.grad_q + part * args.tokens * width(args.head_dim);
    for (int64_t first = keys.begin; first < keys.end; first += kLanes)
      backward_block(args, head, first, smaller(kLanes, keys.end - first), s, grad_q, first > keys.begin);
  }

  static void backward_block(const Backward& args, int64_t head, int64_t first, int64_t count, const HeadSpace<W>& s,
                             W* grad_q, bool add_to_q) {
    int64_t d = args.head_dim, ld = attention_rows::qkv_step(args);
    alignas(64) W keys[kMaxDim * kLanes], values[kMaxDim * kLanes], sum_k[kMaxDim * kLanes], sum_v[kMaxDim * kLanes];
    alignas(64) W p[kOther * kLanes], ds[kOther * kLanes];
    make_lanes(s.k_rows + first * width(d), count, d, keys);
    make_lanes(s.v_rows + first * width(d), count, d, values);
    clear(sum_k, d * kLanes);
    clear(sum_v, d * kLanes);
    const W* lse = args.lse + head * args.tokens;
    for (int64_t query = 0; query < args.tokens; query += kOther) {
      int64_t queries = smaller(kOther, args.tokens - query);
      over_dim(s.q_panels, query, queries, d, keys, p);
      over_dim(s.grad_out_panels, query, queries, d, values, ds);
      for (int64_t i = 0; i < 2 * queries; ++i) {
        Vec weight = VectorMath<Isa, W>::exp(V::load(p + i * V::lanes) - lse[query + i / 2]);
        V::store(p + i * V::lanes, weight);
        V::store(ds + i * V::lanes, weight * (V::load(ds + i * V::lanes) - s.output_dot[query + i / 2]));
      }
      over_tokens(s.grad_out_rows, query, queries, d, p, sum_v);
      over_tokens(s.q_rows, query, queries, d, ds, sum_k);
      over_lanes(s.k_rows + first * width(d), count, queries, d, ds, grad_q + query * width(d), add_to_q);
    }
    store_lanes(sum_v, count, d, args.grad_qkv + attention_rows::qkv_offset(args, head, 2) + first * ld, ld);
    W* rows = keys;
    V::transpose(sum_k, kLanes, d, count, rows, d, d);
    T* grad = args.grad_qkv + attention_rows::qkv_offset(args, head, 1) + first * ld;
    const T* k = args.qkv + attention_rows::qkv_offset(args, head, 1) + first * ld;
    for (int64_t r = 0; r < count; ++r)
      finish_row(rows + r * d, 1, args.cosine, k + r * ld, s.k_norm[first + r], d, grad + r * ld);
  }

  /// With q^ the (normalised) query: grad q^ = scale dS K, and grad scale = sum of q^ . (dS K).
  static double finish(const Backward& args, int64_t head, int64_t parts, void* space) {
    const HeadSpace<W> s = space_at(space, args.tokens, args.head_dim, parts);
    int64_t n = args.tokens, d = args.head_dim, ld = attention_rows::qkv_step(args);
    const W scale = static_cast<W>(attention_rows::scale(args, head));
    T* grad = args.grad_qkv + attention_rows::qkv_offset(args, head, 0);
    const T* q = args.qkv + attention_rows::qkv_offset(args, head, 0);
    double grad_scale = 0;
    for (int64_t r = 0; r < n; ++r, q += ld, grad += ld) {
      W* row = s.grad_q + r * width(d);
      for (int64_t part = 1; part < parts; ++part)
        for (int64_t c = 0; c < d; c += V::lanes)
          V::store(row + c, V::load(row + c) + V::load(row + part * n * width(d) + c));
      grad_scale += static_cast<double>(dot(q, row, d)) / s.q_norm[r];
      finish_row(row, scale, args.cosine, q, s.q_norm[r], d, grad);
    }
    return grad_scale;
  }

  /// From times g, the gradient of x^ = x / norm, to that of x: (g - x^ (x^ . g)) / norm, without the projection on
  /// the norm floor, where x^ is linear in x. Not cosine: x^ is x.
  static void finish_row(const W* g, W times, bool cosine, const T* x, W norm, int64_t d, T* grad) {
    const W along = cosine && !(norm <= kNormFloor) ? dot(x, g, d) / norm : W(0);
    for (int64_t c = 0; c < d; c += V::lanes) {
      const Vec gradient = V::load(g + c, d - c);
      V::store(grad + c, times * (cosine ? (gradient - V::load(x + c, d - c) / norm * along) / norm : gradient), d - c);
    }
  }

  static constexpr AttentionKernels<T> table() {
    return {forward_space, backward_space, prepare_forward, prepare_backward, forward, backward, finish, nullptr};
  }
};

}  // namespace videomae
