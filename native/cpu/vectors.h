// Register-wide vectors for the kernel files, on GCC's vector extensions. An instruction set is a tag type
//   struct Isa { static constexpr int vector_bytes, rows; };
// declared in an unnamed namespace of the one file compiled for it, so every instantiation has internal linkage and no
// AVX-512 copy of a template can be picked by the linker for another file. For the same reason this header and those
// built on it include nothing from the standard library but <cstdint> and <cstddef>.
// bf16 is a storage type: loads widen to float, stores round to nearest, ties to even (a NaN stays one).
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.h"

#define VIDEOMAE_INLINE [[gnu::always_inline]] static inline

namespace videomae {

template <class T>
struct SameSizeInteger;
template <>
struct SameSizeInteger<float> {
  using type = int32_t;
};
template <>
struct SameSizeInteger<double> {
  using type = int64_t;
};

/// The type of a stored bf16's bits; depends on T only so that a vector of it may.
template <class T>
struct HalfBits {
  using type = uint16_t;
};

/// An instruction set says `static constexpr bool rounds_bf16 = true` where it has an instruction for that (which takes
/// denormal numbers for zero).
template <class Isa, class = void>
struct RoundsBf16 {
  static constexpr bool value = false;
};
template <class Isa>
struct RoundsBf16<Isa, decltype(void(Isa::rounds_bf16))> {
  static constexpr bool value = Isa::rounds_bf16;
};

template <class Isa, class T>
struct Vectors {
  using Integer = typename SameSizeInteger<T>::type;
  typedef T Vec __attribute__((vector_size(Isa::vector_bytes)));
  typedef Integer Mask __attribute__((vector_size(Isa::vector_bytes)));  // lane-wise truth, indices and bit patterns
  static constexpr int lanes = Isa::vector_bytes / static_cast<int>(sizeof(T));
  using Half = typename HalfBits<T>::type;
  typedef Half Halves __attribute__((vector_size(2 * lanes)));  // as many bf16 as there are lanes

  VIDEOMAE_INLINE Vec all(T value) { return Vec{} + value; }

  VIDEOMAE_INLINE Vec load(const T* p) {
    Vec v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
  }

  VIDEOMAE_INLINE void store(T* p, Vec v) { __builtin_memcpy(p, &v, sizeof v); }

  /// The first n elements (0 <= n), the rest zero; touches no memory past them.
  VIDEOMAE_INLINE Vec load(const T* p, int64_t n) {
    if (n >= lanes) return load(p);
    Vec v{};
    for (int i = 0; i < n; ++i) v[i] = p[i];
    return v;
  }

  VIDEOMAE_INLINE void store(T* p, Vec v, int64_t n) {
    if (n >= lanes) return store(p, v);
    for (int i = 0; i < n; ++i) p[i] = v[i];
  }

  VIDEOMAE_INLINE Vec load(const bf16* p) {
    static_assert(sizeof(T) == 4, "bf16 widens to float");
    Halves h;
    __builtin_memcpy(&h, p, sizeof h);
    return (Vec)(__builtin_convertvector(h, Mask) << 16);
  }

  VIDEOMAE_INLINE Vec load(const bf16* p, int64_t n) {
    if (n >= lanes) return load(p);
    Halves h{};
    for (int i = 0; i < n; ++i) h[i] = p[i].bits;
    return (Vec)(__builtin_convertvector(h, Mask) << 16);
  }

  VIDEOMAE_INLINE Halves round(Vec v) {
    static_assert(sizeof(T) == 4, "bf16 is rounded from float");
    if constexpr (RoundsBf16<Isa>::value) {
      Halves h;
      asm("vcvtneps2bf16 %1, %0" : "=v"(h) : "v"(v));
      return h;
    }
    typedef uint32_t Bits __attribute__((vector_size(Isa::vector_bytes)));
    Bits bits = (Bits)v;
    Bits nearest = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    return __builtin_convertvector(v == v ? nearest : bits >> 16 | 0x40, Halves);
  }

  VIDEOMAE_INLINE void store(bf16* p, Vec v) {
    Halves h = round(v);
    __builtin_memcpy(p, &h, sizeof h);
  }

  VIDEOMAE_INLINE void store(bf16* p, Vec v, int64_t n) {
    if (n >= lanes) return store(p, v);
    Halves h = round(v);
    for (int i = 0; i < n; ++i) p[i].bits = h[i];
  }

  VIDEOMAE_INLINE T sum(Vec v) {
    T total = 0;
    for (int i = 0; i < lanes; ++i) total += v[i];
    return total;
  }

  /// Transposes a lanes x lanes square held in registers: log2(lanes) rounds, round s exchanging the off-diagonal
  /// s x s blocks of every 2s x 2s one. Two shuffles for each pair of rows and round.
  template <int Step = 1>
  VIDEOMAE_INLINE void transpose_square(Vec* rows) {
    if constexpr (Step < lanes) {
      Mask low, high;
      for (int i = 0; i < lanes; ++i) {
        low[i] = i & Step ? lanes + i - Step : i;
        high[i] = i & Step ? lanes + i : i + Step;
      }
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) {
        if (i & Step) continue;
        Vec a = rows[i], b = rows[i + Step];
        rows[i] = __builtin_shuffle(a, b, low);
        rows[i + Step] = __builtin_shuffle(a, b, high);
      }
      transpose_square<Step * 2>(rows);
    }
  }

  static constexpr int64_t kAhead = 4;  // squares of a transposition: what comes next is asked for so early

  /// to[j * to_step + i] = from[i * from_step + j] for i < rows, j < columns. `to_width` >= rows is how many elements
  /// of each row of `to` may be written: those from `rows` to the next multiple of `lanes` inside it become zero.
  template <class S>
  static void transpose(const S* from, int64_t from_step, int64_t rows, int64_t columns, T* to, int64_t to_step,
                        int64_t to_width) {
    for (int64_t i = 0; i < rows; i += lanes) {
      int64_t height = rows - i < lanes ? rows - i : lanes;
      for (int64_t j = 0; j < columns; j += lanes) {
        int64_t width = columns - j < lanes ? columns - j : lanes;
        bool whole_stores = to_width - i >= lanes;
        Vec square[lanes];
        if (width == lanes && whole_stores) {  // unrolled, the square never leaves the registers
#pragma GCC unroll 16
          for (int r = 0; r < lanes; ++r) {
            const S* row = from + (i + r) * from_step + j;
            square[r] = r < height ? load(row) : Vec{};
            __builtin_prefetch(row + kAhead * lanes);
          }
          transpose_square(square);
#pragma GCC unroll 16
          for (int c = 0; c < lanes; ++c) store(to + (j + c) * to_step + i, square[c]);
        } else {
          for (int r = 0; r < lanes; ++r) square[r] = r < height ? load(from + (i + r) * from_step + j, width) : Vec{};
          transpose_square(square);
          for (int c = 0; c < width; ++c) store(to + (j + c) * to_step + i, square[c], to_width - i);
        }
      }
    }
  }
};

}  // namespace videomae
