// Sleep until a condition holds. The same as std::condition_variable::wait, whose out-of-line function GCC 12 exports
// in a new version (GLIBCXX_3.4.30): a binary that calls it does not load where the C++ library is GCC 11's, as on
// RHEL 9.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <mutex>

namespace videomae {

/// Returns when `holds()` is true; it is called with the lock held, now and whenever `signal` is notified.
template <class Condition>
void sleep_until(std::condition_variable& signal, std::unique_lock<std::mutex>& lock, Condition holds) {
  while (!holds()) pthread_cond_wait(signal.native_handle(), lock.mutex()->native_handle());
}

}  // namespace videomae
