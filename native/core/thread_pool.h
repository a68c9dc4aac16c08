// The process-wide thread pool. Work is cut into numbered pieces whose content depends on shape only, and pieces are
// handed out dynamically: which thread runs a piece never changes a result, so 1, 2 and 3 threads give the same bits.
#pragma once

#include <cstdint>
#include <type_traits>

namespace videomae {

/// A borrowed callable: two words, no allocation. Valid only while the callable lives.
template <class Signature>
class FunctionRef;

template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, FunctionRef>>>
  FunctionRef(F&& f)
      : object_(const_cast<void*>(static_cast<const void*>(&f))), call_([](void* object, Args... args) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(object))(args...);
        }) {}

  R operator()(Args... args) const { return call_(object_, args...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

/// Runs body(i) for every i in [0, count), in any order and on any threads; returns when all are done. An exception
/// thrown by a body is rethrown here after the others have finished. A call from inside a body, or while another
/// caller holds the pool, runs its pieces on the calling thread.
void parallel_for(int64_t count, FunctionRef<void(int64_t)> body);

/// Threads that work on one call, the caller included. At first: the number of processors this process may use.
int thread_count();

/// Sets that number, 1 to 256; throws std::invalid_argument outside it. Takes effect on the next call.
void set_thread_count(int count);

/// Makes calls from the current thread run on it alone (loader workers), or lets them use the pool again.
void run_single_threaded(bool on);

}  // namespace videomae
