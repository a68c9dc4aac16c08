// What the emulator knows about every byte of a block's shared memory: whether anybody has written it, whether an
// asynchronous copy is still to write it, and who wrote and read it last. An access that the program does not order is
// an error, whatever the values turn out to be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda/emu/happens_before.h"

namespace videomae::cuda::emu {

struct Fiber;

class SharedShadow {
 public:
  /// All bytes unwritten, for the block that begins.
  void reset(size_t bytes);
  /// Behind a barrier of all threads.
  void begin_epoch();
  uint32_t epoch() const { return epoch_; }

  // Accesses of the running thread at an offset. Each fails where it is not allowed.
  void read(size_t offset, size_t bytes);
  void write(size_t offset, size_t bytes);
  /// Between these two nobody may touch the bytes.
  void begin_async_write(size_t offset, size_t bytes, const char* what);
  void end_async_write(size_t offset, size_t bytes, Stamp writer);
  /// A read by the asynchronous proxy on behalf of the running thread: ordinary writers must have fenced, and between
  /// these two nobody may write the bytes.
  void begin_async_read(size_t offset, size_t bytes, const char* what);
  void end_async_read(size_t offset, size_t bytes);
  /// That the asynchronous proxy may touch bytes: ordinary writers have fenced.
  void check_fenced(size_t offset, size_t bytes, const char* what) const;

  /// The eight bytes become an mbarrier, and an ordinary unwritten place again.
  void make_barrier(size_t offset);
  void end_barrier(size_t offset);
  /// That its initialisation has happened before what the running thread does now.
  void check_barrier(size_t offset) const;

 private:
  enum State : uint8_t { unwritten = 0, written = 1, pending = 2, barrier = 3 };

  // Two bytes each. Single bytes are watched for their state only: neighbours belong to different threads.
  static constexpr size_t kGranule = 2;

  uint32_t epoch_ = 0;
  std::vector<uint8_t> states_;
  std::vector<Stamp> writes_, reads_;
  std::vector<uint8_t> generic_;   // a granule: 1 when an ordinary store wrote it last
  std::vector<uint16_t> readers_;  // likewise: asynchronous reads under way

  void check_state(size_t offset, size_t bytes, const char* verb) const;
  void check_race(size_t granule, Stamp other, const char* mine, const char* others) const;
  void note_write(size_t offset, size_t bytes, bool generic);
  void note_read(size_t offset, size_t bytes);
};

}  // namespace videomae::cuda::emu
