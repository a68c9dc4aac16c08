#include "core/thread_pool.h"

#include <sched.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/sleep_until.h"

namespace videomae {
namespace {

thread_local bool inside_pool = false;      // this thread is running a piece
thread_local bool single_threaded = false;  // this thread was asked to work alone

int available_processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    int n = CPU_COUNT(&set);
    if (n > 0) return n < 256 ? n : 256;
  }
  return 1;
}

/// Waits a moment for `done()`: most waits of a training step are shorter than falling asleep and being woken (about
/// 50 us here). Returns whether it came true.
template <class Condition>
bool spin_until(Condition done) {
  for (int i = 0; i < 4000; ++i) {
    if (done()) return true;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  return false;
}

/// One parallel_for under way. A thread first takes the pieces of its own share, which are the same in every call with
/// so many pieces and threads: what it wrote in one call it finds in its cache in the next (a line that another core
/// holds comes ten times more slowly where cores share no cache). Then it helps with what the others have left.
struct Job {
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  FunctionRef<void(int64_t)> body;
  std::vector<Share> shares;  // of each thread
  std::mutex error_mutex;
  std::exception_ptr error;

  Job(FunctionRef<void(int64_t)> body, int64_t count, int64_t threads) : body(body), shares(threads) {
    for (int64_t t = 0; t < threads; ++t)
      shares[t].next = count * t / threads, shares[t].end = count * (t + 1) / threads;
  }

  void work(size_t thread) {
    for (size_t t = 0; t < shares.size(); ++t) {
      Share& share = shares[(thread + t) % shares.size()];
      for (;;) {
        const int64_t i = share.next.fetch_add(1, std::memory_order_relaxed);
        if (i >= share.end) break;
        try {
          body(i);
        } catch (...) {
          std::lock_guard<std::mutex> lock(error_mutex);
          if (!error) error = std::current_exception();
        }
      }
    }
  }
};

class ThreadPool {
 public:
  /// Never destroyed: its threads live as long as the process, and the library is never unloaded.
  static ThreadPool& instance() {
    static ThreadPool* pool = new ThreadPool;
    return *pool;
  }

  int count() const { return count_.load(); }
  void set_count(int n) { count_.store(n); }

  void run(int64_t pieces, FunctionRef<void(int64_t)> body) {
    int64_t helpers = std::min<int64_t>(count() - 1, pieces - 1);
    std::unique_lock<std::mutex> owner(owner_mutex_, std::defer_lock);
    bool pooled = helpers > 0 && !inside_pool && !single_threaded && owner.try_lock();
    Job job(body, pieces, pooled ? helpers + 1 : 1);
    if (pooled) start(job, static_cast<int>(helpers));
    bool outer = inside_pool;
    inside_pool = true;
    job.work(0);
    inside_pool = outer;
    if (pooled) finish();
    if (job.error) std::rethrow_exception(job.error);
  }

 private:
  void start(Job& job, int helpers) {
    std::lock_guard<std::mutex> lock(mutex_);
    while (static_cast<int>(threads_) < helpers) {
      std::thread([this, id = threads_] { loop(id); }).detach();
      ++threads_;
    }
    job_ = &job;
    wanted_ = helpers;
    running_.store(helpers);
    ++generation_;
    wake_.notify_all();
  }

  void finish() {
    spin_until([this] { return running_.load() == 0; });
    std::unique_lock<std::mutex> lock(mutex_);
    sleep_until(done_, lock, [this] { return running_.load() == 0; });
    job_ = nullptr;
  }

  void loop(int id) {
    inside_pool = true;
    uint64_t seen = 0;
    for (;;) {
      spin_until([&] { return generation_.load() != seen; });
      std::unique_lock<std::mutex> lock(mutex_);
      sleep_until(wake_, lock, [&] { return generation_.load() != seen; });
      seen = generation_.load();
      if (id >= wanted_ || job_ == nullptr) continue;
      Job* job = job_;
      lock.unlock();
      job->work(static_cast<size_t>(id) + 1);
      lock.lock();
      if (--running_ == 0) done_.notify_all();
      lock.unlock();
    }
  }

  std::atomic<int> count_{available_processors()};
  std::mutex owner_mutex_;  // held by the caller whose job the pool runs
  std::mutex mutex_;        // guards everything below; the atomics may be read without it
  std::condition_variable wake_, done_;
  Job* job_ = nullptr;
  std::atomic<uint64_t> generation_{0};
  std::atomic<int> running_{0};
  int threads_ = 0, wanted_ = 0;
};

}  // namespace

void parallel_for(int64_t count, FunctionRef<void(int64_t)> body) {
  if (count > 0) ThreadPool::instance().run(count, body);
}

int thread_count() { return ThreadPool::instance().count(); }

void set_thread_count(int count) {
  if (count < 1 || count > 256)
    throw std::invalid_argument("threads: expected a number from 1 to 256; got " + std::to_string(count));
  ThreadPool::instance().set_count(count);
}

void run_single_threaded(bool on) { single_threaded = on; }

}  // namespace videomae
