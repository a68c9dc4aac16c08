// The streams of an emulated device. Nothing given to a stream is done before somebody has to see it: the host waits
// for an event or for the device, or the other stream is held up. So whatever relies on work being done earlier than
// the rules say reads what was there before. VIDEOMAE_EMU_STREAMS=early does everything at once, which is as legal.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/plugin.h"

namespace videomae::cuda::emu {

using Work = std::function<void()>;

/// A place in a stream: behind the first `position` pieces of work.
struct Place {
  Stream stream = Stream::compute;
  uint64_t position = 0;
};

/// What a captured step gave to the compute stream.
struct RecordedGraph {
  std::vector<Work> work;
};

class StreamQueue {
 public:
  StreamQueue();

  /// Work at the end of a stream, or of the graph that this thread captures.
  void give(Stream stream, Work work);
  /// The end of a stream.
  Place end_of(Stream stream);
  /// What is given to `stream` from now on is done behind `place`.
  void hold_up(Stream stream, Place place);

  bool passed(Place place);
  /// Does all work before a place, on this thread. What a piece of work throws is thrown here.
  void reach(Place place);
  void reach_all();

  void begin_capture();
  /// The graph; null when it is not to be kept. Throws Error when the capture was spoilt.
  RecordedGraph* end_capture(bool keep);
  void launch(const RecordedGraph& graph);
  /// Throws Error, and spoils the capture, when this thread captures: for what CUDA refuses then.
  void refuse_in_capture(const char* what);

 private:
  struct Piece {
    Work work;  // none: waits for `before`
    Place before;
  };
  struct Line {
    std::deque<Piece> pieces;
    uint64_t done = 0, given = 0;
  };

  Line& line(Stream stream) { return lines_[static_cast<int>(stream)]; }
  void put(Stream stream, Piece piece);
  void run_until(Place place);
  bool capturing_here() const { return capture_ != nullptr && captor_ == std::this_thread::get_id(); }

  const bool early_;
  std::mutex running_;  // held by the thread that does work
  std::mutex mutex_;    // guards all below
  Line lines_[2];
  RecordedGraph* capture_ = nullptr;
  std::thread::id captor_;
  bool spoilt_ = false;
};

}  // namespace videomae::cuda::emu
