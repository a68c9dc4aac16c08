#include "core/allocator.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/error.h"

namespace videomae {
namespace {

constexpr size_t alignment = 64;

size_t rounded(size_t bytes) {
  size_t step = alignment;
  while (step * 16 < bytes) step *= 2;  // sizes above 8 steps of `step` double the step
  return std::max(alignment, (bytes + step - 1) / step * step);
}

std::string megabytes(size_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }

class CachingAllocator {
 public:
  /// @param counting  whether blocks are only counted, and have no memory
  explicit CachingAllocator(bool counting) : counting_(counting) {}

  bool counting() const { return counting_; }

  void* take(size_t size) {
    std::lock_guard<std::mutex> lock(mutex_);
    void* data = nullptr;
    auto kept = free_.find(size);
    if (kept != free_.end() && !kept->second.empty()) {
      data = kept->second.back();
      kept->second.pop_back();
      cached_ -= size;
    } else {
      data = ask_system(size);
    }
    live_ += size;
    peak_ = std::max(peak_, live_);
    reserved_ = std::max(reserved_, live_ + cached_);
    return data;
  }

  void give_back(void* data, size_t size) {
    std::lock_guard<std::mutex> lock(mutex_);
    live_ -= size;
    cached_ += size;
    free_[size].push_back(data);
  }

  void empty() {
    std::lock_guard<std::mutex> lock(mutex_);
    release_cached();
  }

  void count_arena(int64_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    arena_ += bytes;
  }

  MemoryStatistics statistics() {
    std::lock_guard<std::mutex> lock(mutex_);
    return {live_, peak_, cached_, arena_, reserved_, system_};
  }

  void reset_peak() {
    std::lock_guard<std::mutex> lock(mutex_);
    peak_ = live_;
    reserved_ = live_ + cached_;
  }

 private:
  void* ask_system(size_t size) {
    ++system_;
    if (counting_) return reinterpret_cast<void*>(alignment);  // an address that is never followed
    void* data = std::aligned_alloc(alignment, size);
    if (data == nullptr) {
      release_cached();
      data = std::aligned_alloc(alignment, size);
    }
    if (data == nullptr)
      throw Error("allocate", megabytes(size) + " of memory",
                  "none (" + megabytes(live_) + " live, " + megabytes(cached_) + " cached)",
                  "use a smaller batch or model, or dispose of tensors that are no longer needed");
    return data;
  }

  void release_cached() {
    if (!counting_)
      for (auto& [size, blocks] : free_)
        for (void* block : blocks) std::free(block);
    free_.clear();
    cached_ = 0;
#if defined(__GLIBC__)
    // The C library keeps what was freed below other blocks of its heap: hundreds of megabytes after a first step.
    if (!counting_) malloc_trim(0);
#endif
  }

  const bool counting_;
  std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;
  size_t live_ = 0, peak_ = 0, cached_ = 0, arena_ = 0, reserved_ = 0;
  uint64_t system_ = 0;
};

using Home = std::shared_ptr<CachingAllocator>;  // what a block came from, and returns to

thread_local Home rehearsal;
thread_local Arena* open_arena = nullptr;

/// The allocator of the process, or of this thread's rehearsal.
const Home& home() {
  // Never destroyed: blocks may be released while the process ends.
  static const Home* process = new Home(std::make_shared<CachingAllocator>(false));
  return rehearsal ? rehearsal : *process;
}

}  // namespace

Rehearsal::Rehearsal() {
  if (rehearsal) throw Error("rehearse", "one rehearsal at a time", "one inside another");
  if (open_arena != nullptr) throw Error("rehearse", "no compiled step under way", "one inside it");
  rehearsal = std::make_shared<CachingAllocator>(true);
}

Rehearsal::~Rehearsal() { rehearsal.reset(); }

bool rehearsing() { return rehearsal != nullptr; }

MemoryStatistics memory_statistics() { return home()->statistics(); }
void reset_peak() { home()->reset_peak(); }
void empty_cache() { home()->empty(); }

struct Arena::State {
  struct Use {
    size_t size;               // rounded
    int64_t from, until = -1;  // event numbers of its allocation and release; -1: not released
    size_t offset = 0;
  };

  std::mutex mutex;  // blocks may be released from another thread
  std::vector<Use> uses;
  int64_t clock = 0;
  size_t next = 0;  // the use that the next allocation of a replay takes
  int64_t alive = 0;
  int64_t pass = 0;  // a block released after its pass must not be counted in a later one
  bool planned = false;
  bool diverged = false;  // a replay released something earlier or later than the recorded pass
  void* base = nullptr;
  Home base_home;
  size_t bytes = 0;

  ~State() {
    if (base == nullptr) return;
    base_home->count_arena(-static_cast<int64_t>(bytes));
    base_home->give_back(base, bytes);
  }

  static std::shared_ptr<Block> allocate(const std::shared_ptr<State>& state, size_t bytes) {
    const size_t size = rounded(bytes);
    std::lock_guard<std::mutex> lock(state->mutex);
    if (!state->planned) {
      const size_t use = state->uses.size();
      const Home from = home();
      void* data = from->take(size);
      state->uses.push_back({size, state->clock++});
      ++state->alive;
      return {new Block{data, bytes, from->counting()}, [state, use, size, from](Block* block) {
                from->give_back(block->data, size);
                delete block;
                std::lock_guard<std::mutex> lock(state->mutex);
                state->uses[use].until = state->clock++;
                --state->alive;
              }};
    }
    state->check_replay(bytes, size);
    const size_t use = state->next++;
    ++state->clock;
    ++state->alive;
    void* data = static_cast<char*>(state->base) + state->uses[use].offset;
    return {new Block{data, bytes, state->base_home->counting()}, [state, use, pass = state->pass](Block* block) {
              delete block;
              std::lock_guard<std::mutex> lock(state->mutex);
              if (pass != state->pass) return;
              if (state->uses[use].until != state->clock++) state->diverged = true;
              --state->alive;
            }};
  }

  /// Blocks of a replay share places as their lifetimes in the recorded pass allow, so size and order must repeat.
  void check_replay(size_t bytes, size_t size) const {
    const bool ended = next == uses.size();
    if (!ended && uses[next].size == size && uses[next].from == clock && !diverged) return;
    const std::string got = "allocation " + std::to_string(next) + " of " + std::to_string(bytes) + " bytes where ";
    throw Error("compileStep", "the same allocations and releases as in the recorded step",
                got + (ended                     ? "the recorded step had ended"
                       : uses[next].size != size ? std::to_string(uses[next].size) + " were recorded"
                                                 : "other blocks were alive"),
                "a compiled step must do the same work for inputs of the same shape; run it uncompiled otherwise");
  }

  /// First fit, largest block first: each takes the lowest offset that no block alive at the same time overlaps.
  void plan() {
    std::vector<Use*> order;
    for (Use& use : uses) order.push_back(&use);
    std::stable_sort(order.begin(), order.end(), [](const Use* a, const Use* b) { return a->size > b->size; });
    std::vector<const Use*> placed;  // by offset
    for (Use* use : order) {
      size_t offset = 0;
      for (const Use* other : placed) {
        const bool together = use->from < other->until && other->from < use->until;
        if (!together) continue;
        if (offset + use->size <= other->offset) break;
        offset = std::max(offset, other->offset + other->size);
      }
      use->offset = offset;
      bytes = std::max(bytes, offset + use->size);
      placed.insert(std::upper_bound(placed.begin(), placed.end(), use,
                                     [](const Use* a, const Use* b) { return a->offset < b->offset; }),
                    use);
    }
    bytes = rounded(bytes);
    base_home = home();
    base_home->empty();  // what the recorded passes used would otherwise stay beside the plan
    base = base_home->take(bytes);
    base_home->count_arena(static_cast<int64_t>(bytes));
    planned = true;
  }
};

Arena::Arena() : state_(std::make_shared<State>()) {}

Arena::~Arena() {
  if (open_arena == this) open_arena = nullptr;
}

void Arena::open() {
  if (open_arena != nullptr)
    throw Error("compileStep", "one compiled step at a time", "a step inside another",
                "call the inner function plainly");
  std::lock_guard<std::mutex> lock(state_->mutex);
  if (state_->alive != 0)
    throw Error("compileStep", "no tensor of the previous step alive", std::to_string(state_->alive) + " blocks",
                "return tensors from the step, or copy them out with keep()");
  if (!state_->planned) state_->uses.clear();
  state_->clock = 0;
  state_->next = 0;
  state_->diverged = false;
  ++state_->pass;
  open_arena = this;
}

int64_t Arena::close() {
  if (open_arena == this) open_arena = nullptr;
  std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->alive;
}

void Arena::plan() {
  std::lock_guard<std::mutex> lock(state_->mutex);
  if (state_->planned) return;
  if (state_->alive != 0)
    throw Error("compileStep", "no tensor of the recorded step alive", std::to_string(state_->alive) + " blocks",
                "return tensors from the step, or copy them out with keep()");
  state_->plan();
}

void Arena::clear() {
  if (open_arena == this) throw Error("compileStep", "a step that is not running", "one that is");
  state_ = std::make_shared<State>();
}

bool Arena::complete() const { return !state_->planned || state_->next == state_->uses.size(); }
bool Arena::planned() const { return state_->planned; }
size_t Arena::bytes() const { return state_->bytes; }

std::shared_ptr<Block> allocate(size_t bytes) {
  if (open_arena != nullptr) return Arena::State::allocate(open_arena->state_, bytes);
  const size_t size = rounded(bytes);
  const Home from = home();
  void* data = from->take(size);
  return {new Block{data, bytes, from->counting()}, [size, from](Block* block) {
            from->give_back(block->data, size);
            delete block;
          }};
}

}  // namespace videomae
