// Devices of a plug-in, on the emulator: memory, copies, streams, captured graphs, and what goes wrong with them.
// How plug-ins are found and refused is tested by test/addon/plugin.test.ts.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "core/accelerator.h"
#include "core/arena.h"
#include "core/graph.h"
#include "core/tensor.h"
#include "test/check.h"

namespace videomae::test {
namespace {

constexpr Device emu{DeviceKind::emu, 0};

Accelerator& device() { return Accelerator::of(emu); }

Tensor floats(const std::vector<float>& values) {
  const Tensor t = Tensor::empty({static_cast<int64_t>(values.size())}, DType::f32, emu);
  device().upload(t.data(), values.data(), t.bytes());
  return t;
}

std::vector<float> read(const Tensor& t) {
  std::vector<float> values(static_cast<size_t>(t.elements()));
  device().download(values.data(), t.data(), t.bytes());
  return values;
}

void names_and_indices() {
  CHECK(name_of(emu) == "emu" && name_of(Device{}) == "cpu" && name_of(Device{DeviceKind::cuda, 1}) == "cuda:1");
  CHECK(device_count(DeviceKind::cpu) == 1 && device_count(DeviceKind::emu) == 1);
  CHECK(throws_error("one of 1 devices", [] { Accelerator::of({DeviceKind::emu, 1}); }));
  CHECK(throws_error("got emu:-1", [] { Accelerator::of({DeviceKind::emu, -1}); }));
  CHECK(device().description().limits.capability == 90 && device().compute_stream() != nullptr);
}

void round_trips() {
  std::vector<float> values{1, 2, 3};
  const Tensor t = floats(values);
  values.assign(3, 0);  // the upload has read them
  CHECK(t.device() == emu && reinterpret_cast<uintptr_t>(t.data()) % 256 == 0);
  CHECK(read(t) == (std::vector<float>{1, 2, 3}));
  CHECK(read(t.view(1, {2})) == (std::vector<float>{2, 3}));
  const Tensor copy = Tensor::empty({3}, DType::f32, emu);
  device().copy(copy.data(), t.data(), t.bytes());
  device().fill(t.data(), 0, t.bytes());
  CHECK(read(copy) == (std::vector<float>{1, 2, 3}) && read(t) == (std::vector<float>{0, 0, 0}));
  const Tensor empty = floats({});
  CHECK(read(empty).empty());
}

void nothing_is_done_before_it_must() {
  const Tensor t = floats({5});
  const auto block = device().begin_download(t.data(), t.bytes());
  CHECK(std::isnan(*block->data<float>()));  // not yet, and not what it held before
  block->wait();
  CHECK(*block->data<float>() == 5);
}

void pinned_blocks_in_use_are_left_alone() {
  const Tensor t = floats({7});
  void* first;
  {
    const auto block = device().begin_download(t.data(), t.bytes());
    first = block->data();
  }
  const auto second = device().begin_download(t.data(), t.bytes());
  CHECK(second->data() != first);
  second->wait();
  const auto third = device().begin_download(t.data(), t.bytes());
  CHECK(third->data() == first);  // its copy has ended
  third->wait();
}

void streams_wait_for_events() {
  Accelerator& d = device();
  const Tensor staging = Tensor::empty({1}, DType::f32, emu), t = floats({0});
  PinnedMemory::Block block(d.pinned(), sizeof(float));
  *block.data<float>() = 3;
  const auto copy = [&](void* to, const void* from, Stream stream) {
    call_plugin(d.plugin().copy, 0, to, from, sizeof(float), stream);
  };
  for (const bool waits : {true, false}) {
    d.fill(staging.data(), 0, sizeof(float));
    d.synchronize();
    Event uploaded(emu);
    CHECK(uploaded.finished());  // never recorded
    copy(staging.data(), block.data(), Stream::copy);
    uploaded.record(Stream::copy);
    CHECK(!uploaded.finished());
    if (waits) uploaded.hold_up(Stream::compute);
    copy(t.data(), staging.data(), Stream::compute);
    CHECK(read(t)[0] == (waits ? 3 : 0));  // without the wait the copy is late
    CHECK(uploaded.finished() == waits);
    uploaded.synchronize();
    CHECK(uploaded.finished());
  }
  const float elsewhere = 1;
  CHECK(throws_error("neither", [&] { copy(t.data(), &elsewhere, Stream::copy); }));
}

void statistics_and_reuse() {
  empty_cache(emu);
  const MemoryStatistics before = memory_statistics(emu), cpu = memory_statistics();
  void* first;
  {
    const Tensor t = Tensor::empty({1 << 18}, DType::f32, emu);
    first = t.data();
    CHECK(memory_statistics(emu).live == before.live + (1 << 20));
  }
  CHECK(memory_statistics(emu).cached == before.cached + (1 << 20));
  CHECK(Tensor::empty({1 << 18}, DType::f32, emu).data() == first);
  CHECK(memory_statistics().live == cpu.live);
  empty_cache(emu);
  CHECK(memory_statistics(emu).cached == 0);
}

void ten_thousand_allocations() {
  empty_cache(emu);
  const MemoryStatistics before = memory_statistics(emu);
  {
    std::vector<Tensor> held(16);
    for (int64_t i = 0; i < 10000; ++i) {
      Tensor& t = held[static_cast<size_t>(i * 7 % 16)];
      t = Tensor::empty({1 + i * 37 % 3000}, DType::f32, emu);
      device().fill(t.data(), static_cast<uint8_t>(i), t.bytes());
    }
  }
  const MemoryStatistics after = memory_statistics(emu);
  CHECK(after.live == before.live && after.system - before.system < 1000);
  CHECK(device().pinned().statistics().live < 1 << 16);
}

void memory_of_several_threads() {
  const size_t live = memory_statistics(emu).live;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n)
    threads.emplace_back([n, &wrong] {
      for (int i = 0; i < 200; ++i) {
        const float value = static_cast<float>(n * 1000 + i);
        const Tensor t = floats(std::vector<float>(static_cast<size_t>(1 + i % 7), value));
        if (read(t).back() != value) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0 && memory_statistics(emu).live == live);
}

void exhausted_memory() {
  const auto ask = [] { Tensor::empty({int64_t{1} << 33}, DType::f32, emu); };
  CHECK(throws_error("expected 32768 MiB of memory on emu; got none (", ask));
  CHECK(throws_error("use a smaller batch size", ask));
  {  // cached blocks are given back first
    const int64_t most = (int64_t{1} << 30) * 7 / 16;
    { const Tensor a = Tensor::empty({most}, DType::u8, emu), b = Tensor::empty({most}, DType::u8, emu); }
    CHECK(memory_statistics(emu).cached >= static_cast<size_t>(2 * most));
    CHECK(Tensor::empty({2 * most}, DType::u8, emu).defined());
  }
  empty_cache(emu);
}

void rehearsals_count_devices_apart() {
  const MemoryStatistics real = memory_statistics(emu);
  {
    const Rehearsal rehearsal;
    const Tensor t = Tensor::empty({100}, DType::f32, emu);
    CHECK(t.counted() && memory_statistics(emu).live == 512 && memory_statistics().live == 0);
    const Tensor absent = Tensor::empty({1}, DType::f32, {DeviceKind::cuda, 3});  // needs no GPU
    CHECK(memory_statistics({DeviceKind::cuda, 3}).live == 256);
  }
  CHECK(memory_statistics(emu).live == real.live);
}

void arenas_of_a_device() {
  Arena arena(emu);
  std::vector<void*> places;
  for (int pass = 0; pass < 3; ++pass) {
    const uint64_t asked = memory_statistics(emu).system;
    arena.open();
    {
      const Tensor elsewhere = Tensor::empty({3}, DType::f32);  // on the CPU: not of the arena
      const Tensor a = Tensor::empty({1000}, DType::f32, emu), b = Tensor::empty({7}, DType::u8, emu);
      CHECK(a.block()->planned == (pass > 0) && !elsewhere.block()->planned);
      if (pass > 0) CHECK(memory_statistics(emu).system == asked);
      if (pass == 2) CHECK(places == (std::vector<void*>{a.data(), b.data()}));
      places = {a.data(), b.data()};
    }
    CHECK(arena.close() == 0);
    arena.plan();
  }
  CHECK(memory_statistics(emu).arena == arena.bytes() && memory_statistics().arena == 0);
}

// ---- captured graphs ----

void replays() {
  Accelerator& d = device();
  const Tensor x = floats({1}), y = floats({0}), z = floats({0});
  Graph graph(emu);
  graph.begin(true);
  CHECK(Graph::recorder() == &graph);
  d.copy(y.data(), x.data(), 4);
  const float constant = 40;
  d.upload(z.data(), &constant, 4);
  graph.end();
  CHECK(Graph::recorder() == nullptr && graph.captured());
  CHECK(read(y)[0] == 0);  // recorded, not done
  for (float value : {5.f, 6.f}) {
    d.upload(x.data(), &value, 4);
    d.fill(z.data(), 0, 4);
    graph.launch();
    CHECK(read(y)[0] == value && read(z)[0] == 40);
  }
}

void graphs_keep_what_they_hold() {
  const size_t live = memory_statistics(emu).live;
  {
    Graph graph(emu);
    {
      const Tensor t = floats({9});
      graph.begin(true);
      Graph::hold_touched(t);
      device().fill(t.data(), 1, t.bytes());
    }
    graph.end();
    CHECK(memory_statistics(emu).live > live);
    graph.launch();
  }
  CHECK(memory_statistics(emu).live == live);
}

void captures_that_fail() {
  Accelerator& d = device();
  const Tensor x = floats({1});
  Graph graph(emu);
  graph.begin(true);
  CHECK(throws_error("got a read inside it", [&] { read(x); }));
  CHECK(throws_error("synchronize() inside it", [&] { d.synchronize(); }));
  CHECK(throws_error("a step inside another", [] { Graph(emu).begin(true); }));
  CHECK(throws_error("an allocation", [] { Tensor::empty({1 << 24}, DType::u8, emu); }));
  CHECK(throws_error("a wait for the device", [&] { call_plugin(d.plugin().synchronize, 0); }));
  CHECK(throws_error("spoilt", [&] { graph.end(); }));
  CHECK(!graph.captured() && Graph::recorder() == nullptr);
  {
    Graph dropped(emu);
    dropped.begin(true);
    d.fill(x.data(), 1, 4);
  }
  CHECK(read(x)[0] == 1);  // the device works as before, and the dropped capture did nothing
  graph.begin(true);
  graph.discard();
  CHECK(!graph.captured());
}

void other_threads_wait_for_a_capture() {
  const Tensor x = floats({1});
  Graph graph(emu);
  graph.begin(true);
  std::atomic<bool> done{false};
  std::thread other([&] {
    const float value = 2;
    device().upload(x.data(), &value, 4);
    done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(!done);
  graph.end();
  other.join();
  CHECK(done && read(x)[0] == 2);
}

void faults_are_told_once() {
  *device().fault() = 1;
  const Tensor x = floats({1});
  CHECK(throws_error("layerNorm: expected indices in range; got one out of range on emu", [&] { read(x); }));
  CHECK(read(x)[0] == 1);
  *device().fault() = 2;
  CHECK(throws_error("layerNormBackward", [] { device().synchronize(); }));
  device().synchronize();
}

}  // namespace
}  // namespace videomae::test

int main() {
  using namespace videomae::test;
  setenv("VIDEOMAE_EMU_STREAMS", "late", 1);  // what these tests are about
  run_case("names and indices of devices", names_and_indices);
  run_case("round trips", round_trips);
  run_case("nothing is done before it must", nothing_is_done_before_it_must);
  run_case("pinned blocks in use are left alone", pinned_blocks_in_use_are_left_alone);
  run_case("streams wait for events", streams_wait_for_events);
  run_case("statistics of a device, and reuse", statistics_and_reuse);
  run_case("ten thousand allocations", ten_thousand_allocations);
  run_case("memory of several threads", memory_of_several_threads);
  run_case("exhausted memory of a device", exhausted_memory);
  run_case("rehearsals count devices apart", rehearsals_count_devices_apart);
  run_case("arenas of a device", arenas_of_a_device);
  run_case("graphs replay", replays);
  run_case("graphs keep what they hold", graphs_keep_what_they_hold);
  run_case("captures that fail", captures_that_fail);
  run_case("other threads wait for a capture", other_threads_wait_for_a_capture);
  run_case("faults are told once", faults_are_told_once);
  return exit_status();
}
