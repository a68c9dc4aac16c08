#include "core/arena.h"

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include "core/error.h"

namespace videomae {
namespace {

thread_local Arena* open_arena = nullptr;

size_t whole_lines(size_t bytes, size_t alignment) {
  return std::max(alignment, (bytes + alignment - 1) / alignment * alignment);
}

}  // namespace

struct Arena::State {
  struct Use {
    size_t size;               // whole lines: a plan needs no rounding beyond, because no block serves another size
    int64_t from, until = -1;  // event numbers of its allocation and release; -1: not released
    size_t offset = 0;
  };

  explicit State(Device on) : device(on) {}

  const Device device;
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

  static std::shared_ptr<Block> allocate(const std::shared_ptr<State>& state, size_t bytes, Purpose purpose) {
    const Home from = state->planned ? state->base_home : home_of(state->device);
    const size_t size = whole_lines(bytes, from->alignment());
    std::lock_guard<std::mutex> lock(state->mutex);
    if (!state->planned) {
      const size_t use = state->uses.size();
      std::shared_ptr<Block> taken = allocate_from(from, bytes, purpose);
      state->uses.push_back({size, state->clock++});
      ++state->alive;
      return {new Block{taken->data, bytes, taken->counted}, [state, use, taken](Block* block) mutable {
                delete block;
                taken.reset();
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
    return {new Block{data, bytes, from->counting(), true}, [state, use, pass = state->pass](Block* block) {
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

  /// First fit, the blocks in some order: each takes the lowest offset that no block alive at the same time overlaps.
  /// Returns the bytes of the plan.
  static size_t place(const std::vector<Use*>& order) {
    size_t end = 0;
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
      end = std::max(end, offset + use->size);
      placed.insert(std::upper_bound(placed.begin(), placed.end(), use,
                                     [](const Use* a, const Use* b) { return a->offset < b->offset; }),
                    use);
    }
    return end;
  }

  /// Packs by the best of a few orders: which of them wastes least differs from step to step.
  void plan() {
    std::vector<Use*> blocks;
    for (Use& use : uses) blocks.push_back(&use);
    const auto in_order = [&blocks](auto rank) {
      std::vector<Use*> order = blocks;
      std::stable_sort(order.begin(), order.end(), [&](const Use* a, const Use* b) { return rank(*a) > rank(*b); });
      return order;
    };
    const auto life = [](const Use& use) { return static_cast<double>(use.until - use.from); };
    const std::vector<Use*> orders[] = {
        in_order([](const Use& use) { return use.size; }), in_order(life),
        in_order([&](const Use& use) { return life(use) * static_cast<double>(use.size); })};
    const std::vector<Use*>* best = &orders[0];
    for (const std::vector<Use*>& order : orders) {
      const size_t end = place(order);
      if (best == &order || end < bytes) best = &order, bytes = end;
    }
    bytes = place(*best);
    base_home = home_of(device);
    bytes = base_home->rounded(bytes);
    base_home->empty();  // what the recorded passes used would otherwise stay beside the plan
    base = base_home->take(bytes);
    base_home->count_arena(static_cast<int64_t>(bytes));
    planned = true;
  }
};

Arena::Arena(Device device) : device_(device), state_(std::make_shared<State>(device)) {}

Arena::~Arena() {
  if (open_arena == this) open_arena = nullptr;
}

Arena* Arena::opened(Device device) {
  return open_arena != nullptr && open_arena->device_ == device ? open_arena : nullptr;
}

bool Arena::is_open() { return open_arena != nullptr; }

std::shared_ptr<Block> Arena::allocate(size_t bytes, Purpose purpose) {
  return State::allocate(state_, bytes, purpose);
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
  state_ = std::make_shared<State>(device_);
}

bool Arena::complete() const { return !state_->planned || state_->next == state_->uses.size(); }
bool Arena::planned() const { return state_->planned; }
size_t Arena::bytes() const { return state_->bytes; }

}  // namespace videomae
