// What everything stands on: shapes, tensors, the allocator, arenas, Philox, the thread pool.
#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "core/allocator.h"
#include "core/arena.h"
#include "core/philox.h"
#include "core/tensor.h"
#include "core/thread_pool.h"
#include "test/check.h"

/// Under the address sanitizer an allocation that is too large must fail as it does without, not end the process.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
  return "allocator_may_return_null=1";
}

namespace videomae::test {
namespace {

bool aligned(const void* data) { return reinterpret_cast<uintptr_t>(data) % 64 == 0; }

// ---- shapes and tensors ----

void shapes() {
  Shape shape{2, 3, 5};
  CHECK(shape.rank() == 3 && shape.elements() == 30 && shape[-1] == 5 && shape[0] == 2);
  CHECK(shape.product(1, 3) == 15 && shape.product(1, 1) == 1);
  CHECK(Shape{}.elements() == 1 && (Shape{4, 0}.elements() == 0));
  CHECK(shape.text() == "[2, 3, 5]" && Shape{}.text() == "[]");
  CHECK(shape == (Shape{2, 3, 5}) && shape != (Shape{2, 3}) && shape != (Shape{2, 3, 4}));
  shape[-2] = 7;
  CHECK(shape == (Shape{2, 7, 5}));
  CHECK(throws_error("at most 8 axes", [] { Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}; }));
}

void tensors() {
  const Tensor t = Tensor::empty({3, 4}, DType::f32);
  CHECK(t.defined() && t.bytes() == 48 && t.text() == "f32[3, 4]" && aligned(t.data()));
  CHECK(!Tensor().defined() && Tensor().text() == "a freed tensor");
  CHECK(Tensor::empty({0, 7}, DType::bf16).bytes() == 0);
  CHECK(throws_error("axes of size 0 or more", [] { Tensor::empty({-1}, DType::u8); }));
  CHECK(throws_error("at most 2^46", [] { Tensor::empty({1 << 30, 1 << 30, 1 << 30}, DType::u8); }));
}

void views() {
  const Tensor t = Tensor::empty({3, 4}, DType::i32);
  for (int32_t i = 0; i < 12; ++i) t.data<int32_t>()[i] = i;
  const Tensor row = t.view(4, {2, 2}), inner = row.view(2, {2});
  CHECK(row.data<int32_t>()[0] == 4 && inner.data<int32_t>()[1] == 7);
  CHECK(t.view(12, {0}).elements() == 0 && t.view(0, {}).elements() == 1);
  for (const Shape& beyond : {Shape{13}, Shape{-1}, Shape{1 << 30, 1 << 30, 1 << 30}})
    CHECK(throws_error("view", [&] { t.view(0, beyond); }));
  CHECK(throws_error("view", [&] { t.view(-1, {1}); }));
  CHECK(throws_error("view", [&] { t.view(12, {1}); }));
  CHECK(throws_error("view", [&] { row.view(3, {2}); }));  // inside t, but past the end of row
  {
    Tensor whole = Tensor::empty({1000}, DType::i32);
    whole.data<int32_t>()[999] = 42;
    const Tensor last = whole.view(999, {1});
    whole = Tensor();
    CHECK(*last.data<int32_t>() == 42);  // a view holds the memory
  }
}

// ---- memory ----

void allocator() {
  empty_cache();
  for (size_t bytes : {size_t{0}, size_t{1}, size_t{63}, size_t{65}, size_t{1000}, size_t{123457}})
    CHECK(aligned(allocate(bytes)->data));
  const MemoryStatistics before = memory_statistics();
  void* first = nullptr;
  {
    const auto block = allocate(1 << 20);
    first = block->data;
    CHECK(block->bytes == 1 << 20);
    CHECK(memory_statistics().live == before.live + (1 << 20));
  }
  CHECK(memory_statistics().live == before.live);
  CHECK(memory_statistics().cached == before.cached + (1 << 20));
  const uint64_t asked = memory_statistics().system;
  CHECK(allocate((1 << 20) - 1000)->data == first);  // another size of the same step
  CHECK(memory_statistics().system == asked);
  {
    const auto block = allocate((100 << 20) + 1);  // as large as parameters' buffers: hardly any waste
    CHECK(memory_statistics().live == before.live + (102 << 20));
  }
  empty_cache();
  CHECK(memory_statistics().cached == 0);
}

void scratch_memory() {
  empty_cache();
  const MemoryStatistics before = memory_statistics();
  const auto scratch = [](size_t bytes) { return allocate(bytes, {}, Purpose::scratch); };
  void* const large = scratch(1 << 20)->data;
  const uint64_t asked = memory_statistics().system;
  {
    const auto small = scratch(1000);
    CHECK(small->data == large && small->bytes == 1000);
    CHECK(memory_statistics().live == before.live + 1024);  // what is asked for, not what serves it
    CHECK(memory_statistics().cached == before.cached + (1 << 20) - 1024);
    const auto other = scratch(2000);  // two ops at a time
    CHECK(other->data != large);
  }
  CHECK(memory_statistics().system == asked + 1);
  { const auto larger = scratch(1 << 21); }  // what was too small has gone back
  CHECK(memory_statistics().cached == before.cached + (1 << 21));
  CHECK(memory_statistics().live == before.live);
  CHECK(allocate(1 << 21)->data != nullptr && memory_statistics().system == asked + 3);  // tensors have their own
  empty_cache();
  CHECK(memory_statistics().cached == 0);
}

void peak() {
  reset_peak();
  const size_t live = memory_statistics().live;
  CHECK(memory_statistics().peak == live);
  {
    const auto a = allocate(1 << 16);
    { const auto b = allocate(1 << 17); }
    { const auto c = allocate(1 << 16); }
  }
  CHECK(memory_statistics().live == live);
  CHECK(memory_statistics().peak == live + (1 << 16) + (1 << 17));
  reset_peak();
  CHECK(memory_statistics().peak == live);
}

void exhausted_memory() {
  CHECK(throws_error("of memory", [] { allocate(size_t{1} << 60); }));
  CHECK(allocate(100)->data != nullptr);
}

/// A step that holds `small` while two blocks of `large` come and go. Returns their addresses.
std::vector<void*> step(size_t small, size_t large) {
  std::vector<void*> places;
  const auto held = allocate(small);
  places.push_back(held->data);
  for (int i = 0; i < 2; ++i) {
    const auto block = allocate(large);
    static_cast<char*>(block->data)[large - 1] = 1;
    places.push_back(block->data);
  }
  return places;
}

void arena_replays() {
  Arena arena;
  arena.open();
  step(100, 5000);
  CHECK(arena.close() == 0 && !arena.planned());
  arena.plan();
  CHECK(arena.planned() && arena.bytes() >= 5100 && arena.bytes() < 6000);  // the two large ones share a place
  CHECK(memory_statistics().arena == arena.bytes());
  const uint64_t asked = memory_statistics().system;
  const size_t live = memory_statistics().live;
  std::vector<void*> previous;
  for (int pass = 0; pass < 3; ++pass) {
    arena.open();
    const std::vector<void*> places = step(100, 5000);
    CHECK(arena.close() == 0);
    CHECK(places[1] == places[2] && places[0] != places[1] && aligned(places[0]) && aligned(places[1]));
    if (pass > 0) CHECK(places == previous);
    previous = places;
  }
  CHECK(memory_statistics().system == asked && memory_statistics().live == live);
}

void arena_keeps_overlapping_blocks_apart() {
  Arena arena;
  for (int pass = 0; pass < 2; ++pass) {
    arena.open();
    {
      std::vector<std::shared_ptr<Block>> alive;
      for (int i = 0; i < 20; ++i) {
        alive.push_back(allocate(static_cast<size_t>(64 * (1 + i * 7 % 11))));
        if (i % 3 == 2) alive.erase(alive.begin());
      }
      for (const auto& a : alive)
        for (const auto& b : alive) {
          const char *from = static_cast<char*>(a->data), *other = static_cast<char*>(b->data);
          CHECK(a == b || from + a->bytes <= other || other + b->bytes <= from);
        }
    }
    CHECK(arena.close() == 0);
    if (pass == 0) arena.plan();
  }
}

void arena_mismatch() {
  Arena arena;
  arena.open();
  step(100, 5000);
  arena.close();
  arena.plan();
  arena.open();
  CHECK(throws_error("same allocations", [] { step(100, 9000); }));
  arena.close();
  arena.open();
  step(100, 5000);
  CHECK(throws_error("had ended", [] { allocate(64); }));
  arena.close();
}

void arena_blocks_alive() {
  Arena arena;
  std::shared_ptr<Block> kept;
  arena.open();
  kept = allocate(100);
  CHECK(throws_error("inside another", [] {
    Arena inner;
    inner.open();
  }));
  CHECK(arena.close() == 1);
  CHECK(throws_error("alive", [&] { arena.plan(); }));
  CHECK(throws_error("alive", [&] { arena.open(); }));
  kept.reset();
  arena.open();
  step(64, 640);
  CHECK(arena.close() == 0);
  arena.plan();
  std::shared_ptr<Block> survivor;
  {
    Arena short_lived;
    short_lived.open();
    { const auto block = allocate(256); }
    short_lived.close();
    short_lived.plan();
    short_lived.open();
    survivor = allocate(256);
    CHECK(short_lived.close() == 1);
  }
  static_cast<char*>(survivor->data)[255] = 1;  // its memory outlives the arena
}

void arena_is_of_one_thread() {
  Arena arena;
  arena.open();
  std::thread([] { allocate(4096); }).join();
  CHECK(arena.close() == 0);
  arena.plan();
  arena.open();
  CHECK(throws_error("had ended", [] { allocate(4096); }));  // the other thread's block was not recorded
  arena.close();
}

// ---- random numbers ----

void philox_known_answers() {
  CHECK((philox({0, 0, 0, 0}, {0, 0}) == PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t ones = 0xffffffff;
  CHECK(
      (philox({ones, ones, ones, ones}, {ones, ones}) == PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

void philox_uniform_numbers() {
  const PhiloxKey key{1, 2};
  double total = 0;
  std::set<double> distinct;
  for (uint64_t i = 0; i < 10000; ++i) {
    const double u = philox_uniform(key, i);
    CHECK(u >= 0 && u < 1);
    total += u;
    distinct.insert(u);
  }
  CHECK(std::fabs(total / 10000 - 0.5) < 0.01 && distinct.size() == 10000);
  CHECK(philox_uniform(key, 5) == philox_uniform(key, 5));
  CHECK(philox_uniform(key, 5) != philox_uniform({1, 3}, 5) && philox_uniform(key, 5) != philox_uniform({2, 2}, 5));
  const PhiloxBlock words = philox({0, 0, 0, 0}, {0, 0});
  CHECK(philox_uniform({0, 0}, 1) == ((words[2] >> 5) * 67108864.0 + (words[3] >> 6)) / 9007199254740992.0);
}

// ---- threads ----

/// That every piece of [0, count) runs exactly once.
bool covers(int64_t count) {
  std::vector<std::atomic<int>> runs(static_cast<size_t>(count));
  parallel_for(count, [&](int64_t i) { ++runs[static_cast<size_t>(i)]; });
  for (const auto& n : runs)
    if (n != 1) return false;
  return true;
}

void thread_counts() {
  const int before = thread_count();
  CHECK(before >= 1);
  for (int count = 1; count <= 4; ++count) {
    set_thread_count(count);
    CHECK(thread_count() == count);
    for (int64_t pieces : {0, 1, 2, 3, 100, 10000}) CHECK(covers(pieces));
  }
  for (int wrong : {0, -1, 257}) {
    bool threw = false;
    try {
      set_thread_count(wrong);
    } catch (const std::invalid_argument&) {
      threw = true;
    }
    CHECK(threw);
  }
  set_thread_count(before);
}

/// A thread begins with the same pieces in every call.
void shares() {
  set_thread_count(3);
  std::vector<std::thread::id> first(3);
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> begun{0};
    std::vector<std::thread::id> on(3);
    parallel_for(30, [&](int64_t i) {
      if (i % 10 != 0) return;
      on[static_cast<size_t>(i / 10)] = std::this_thread::get_id();
      for (++begun; begun < 3;) std::this_thread::yield();  // so no thread is free to take another's
    });
    if (round == 0) first = on;
    CHECK(on == first && on[0] == std::this_thread::get_id() && on[1] != on[0] && on[2] != on[0] && on[2] != on[1]);
  }
}

void nested_calls() {
  set_thread_count(3);
  std::atomic<int64_t> total{0};
  parallel_for(20, [&](int64_t i) {
    const auto outer = std::this_thread::get_id();
    parallel_for(30, [&](int64_t j) {
      CHECK(std::this_thread::get_id() == outer);
      total += i * 30 + j;
    });
  });
  CHECK(total == 600 * 599 / 2);
}

void exceptions() {
  for (int count : {1, 3}) {
    set_thread_count(count);
    std::atomic<int> done{0};
    bool threw = false;
    try {
      parallel_for(50, [&](int64_t i) {
        if (i == 7) throw std::runtime_error("seven");
        ++done;
      });
    } catch (const std::runtime_error& error) {
      threw = std::string(error.what()) == "seven";
    }
    CHECK(threw && done == 49);
    CHECK(covers(100));  // the pool is usable afterwards
  }
}

void concurrent_callers() {
  set_thread_count(3);
  std::atomic<int> failed{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round)
        if (!covers(64)) ++failed;
    });
  for (std::thread& caller : callers) caller.join();
  CHECK(failed == 0);
}

void single_threaded() {
  set_thread_count(3);
  run_single_threaded(true);
  const auto caller = std::this_thread::get_id();
  std::atomic<int> elsewhere{0};
  parallel_for(200, [&](int64_t) { elsewhere += std::this_thread::get_id() != caller; });
  run_single_threaded(false);
  CHECK(elsewhere == 0);
}

}  // namespace
}  // namespace videomae::test

int main() {
  using namespace videomae::test;
  run_case("shapes", shapes);
  run_case("tensors", tensors);
  run_case("views", views);
  run_case("allocator", allocator);
  run_case("scratch_memory", scratch_memory);
  run_case("peak", peak);
  run_case("exhausted memory", exhausted_memory);
  run_case("arena replays", arena_replays);
  run_case("arena keeps overlapping blocks apart", arena_keeps_overlapping_blocks_apart);
  run_case("arena mismatch", arena_mismatch);
  run_case("arena blocks alive", arena_blocks_alive);
  run_case("arena is of one thread", arena_is_of_one_thread);
  run_case("philox known answers", philox_known_answers);
  run_case("philox uniform numbers", philox_uniform_numbers);
  run_case("thread counts", thread_counts);
  run_case("shares of threads", shares);
  run_case("nested calls", nested_calls);
  run_case("exceptions", exceptions);
  run_case("concurrent callers", concurrent_callers);
  run_case("single threaded", single_threaded);
  return exit_status();
}
