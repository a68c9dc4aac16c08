// Atomic operations of the host's code in .cu files (reference counts), which -fsanitize=thread also turns into calls.
// Kernels have none: the order of atomic additions is not defined.
#include <cstdint>

#define ATOMICS(bits)                                                                                                  \
  using a##bits = uint##bits##_t;                                                                                      \
  extern "C" a##bits __tsan_atomic##bits##_load(const volatile a##bits* p, int) {                                      \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                                       \
  }                                                                                                                    \
  extern "C" void __tsan_atomic##bits##_store(volatile a##bits* p, a##bits v, int) {                                   \
    __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                                          \
  }                                                                                                                    \
  extern "C" a##bits __tsan_atomic##bits##_exchange(volatile a##bits* p, a##bits v, int) {                             \
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                                                \
  }                                                                                                                    \
  extern "C" a##bits __tsan_atomic##bits##_fetch_add(volatile a##bits* p, a##bits v, int) {                            \
    return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);                                                                 \
  }                                                                                                                    \
  extern "C" a##bits __tsan_atomic##bits##_fetch_sub(volatile a##bits* p, a##bits v, int) {                            \
    return __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST);                                                                 \
  }                                                                                                                    \
  extern "C" a##bits __tsan_atomic##bits##_fetch_or(volatile a##bits* p, a##bits v, int) {                             \
    return __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST);                                                                  \
  }                                                                                                                    \
  extern "C" a##bits __tsan_atomic##bits##_fetch_and(volatile a##bits* p, a##bits v, int) {                            \
    return __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST);                                                                 \
  }                                                                                                                    \
  extern "C" int __tsan_atomic##bits##_compare_exchange_strong(volatile a##bits* p, a##bits* expected, a##bits v, int, \
                                                               int) {                                                  \
    return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                     \
  }                                                                                                                    \
  extern "C" int __tsan_atomic##bits##_compare_exchange_weak(volatile a##bits* p, a##bits* expected, a##bits v, int,   \
                                                             int) {                                                    \
    return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                     \
  }

ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)
#undef ATOMICS

extern "C" void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
extern "C" void __tsan_atomic_signal_fence(int) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }
