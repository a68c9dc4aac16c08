#include "cuda/emu/stream_queue.h"

#include <cstdlib>
#include <memory>
#include <string>

#include "core/error.h"

namespace videomae::cuda::emu {
namespace {

/// Work that nobody waits for is done when so much of it has gathered.
constexpr size_t longest_line = 4096;

bool early_by_environment() {
  const char* value = std::getenv("VIDEOMAE_EMU_STREAMS");
  const std::string name = value ? value : "late";
  if (name != "late" && name != "early") throw Error("VIDEOMAE_EMU_STREAMS", "late or early", name);
  return name == "early";
}

}  // namespace

StreamQueue::StreamQueue() : early_(early_by_environment()) {}

void StreamQueue::give(Stream stream, Work work) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (capture_ != nullptr && stream == Stream::compute) {
      if (!capturing_here()) throw Error("emu", "work of the thread that captures", "work of another one");
      capture_->work.push_back(std::move(work));
      return;
    }
  }
  put(stream, {std::move(work), {}});
}

void StreamQueue::put(Stream stream, Piece piece) {
  size_t length;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    line(stream).pieces.push_back(std::move(piece));
    ++line(stream).given;
    length = line(stream).pieces.size();
  }
  if (early_ || length > longest_line) reach(end_of(stream));
}

Place StreamQueue::end_of(Stream stream) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return {stream, line(stream).given};
}

void StreamQueue::hold_up(Stream stream, Place place) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (capturing_here() && stream == Stream::compute) {
      spoilt_ = true;
      throw Error("emu", "events of the captured step only", "one recorded outside of it");
    }
  }
  put(stream, {nullptr, place});
}

bool StreamQueue::passed(Place place) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return line(place.stream).done >= place.position;
}

void StreamQueue::reach(Place place) {
  refuse_in_capture("a wait for an event");
  const std::lock_guard<std::mutex> lock(running_);
  run_until(place);
}

void StreamQueue::reach_all() {
  refuse_in_capture("a wait for the device");
  const std::lock_guard<std::mutex> lock(running_);
  for (Stream stream : {Stream::compute, Stream::copy}) run_until(end_of(stream));
}

void StreamQueue::run_until(Place place) {
  for (;;) {
    Piece piece;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      Line& from = line(place.stream);
      if (from.done >= place.position) return;
      piece = std::move(from.pieces.front());
    }
    // Taken off also when it fails: like a kernel's, its failure is told once, to whoever waits.
    const std::unique_ptr<StreamQueue, std::function<void(StreamQueue*)>> taken(this, [&](StreamQueue* queue) {
      const std::lock_guard<std::mutex> lock(queue->mutex_);
      Line& from = queue->line(place.stream);
      from.pieces.pop_front();
      ++from.done;
    });
    if (piece.work)
      piece.work();
    else
      run_until(piece.before);
  }
}

void StreamQueue::refuse_in_capture(const char* what) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!capturing_here()) return;
  spoilt_ = true;
  throw Error("emu", "nothing that a captured step must not do", what);
}

void StreamQueue::begin_capture() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (capture_ != nullptr) throw Error("emu", "one capture at a time", "another one");
  capture_ = new RecordedGraph();
  captor_ = std::this_thread::get_id();
  spoilt_ = false;
}

RecordedGraph* StreamQueue::end_capture(bool keep) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::unique_ptr<RecordedGraph> graph(capture_);
  capture_ = nullptr;
  if (!keep) return nullptr;
  if (graph == nullptr) throw Error("emu", "a capture to end", "none");
  if (spoilt_) throw Error("emu", "a capture that nothing has spoilt", "one that did what is not recorded");
  return graph.release();
}

void StreamQueue::launch(const RecordedGraph& graph) {
  for (const Work& work : graph.work) put(Stream::compute, {work, {}});
}

}  // namespace videomae::cuda::emu
