// A step's memory, planned: the first pass records every allocation and release on one device, plan() packs them into
// one block by lifetime, and later passes are served from that block without allocating.
#pragma once

#include "core/allocator.h"

namespace videomae {

class Arena {
 public:
  explicit Arena(Device device = {});
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Opens the arena for allocations of this thread on its device. Recording until plan() has been called, replaying
  /// afterwards.
  void open();
  /// Closes it. Returns how many of its blocks are still alive.
  int64_t close();
  /// Packs what the last recorded pass did. Throws Error when blocks of that pass are still alive.
  void plan();
  /// Forgets the plan and gives its memory back, once the last block in it has gone.
  void clear();
  /// Whether the last pass made all the allocations of the plan, where there is one.
  bool complete() const;
  bool planned() const;
  size_t bytes() const;

  /// A block of this arena, which is open.
  std::shared_ptr<Block> allocate(size_t bytes, Purpose purpose = Purpose::tensor);

  /// This thread's open arena, when it is of that device.
  static Arena* opened(Device device);
  /// Whether this thread has one open.
  static bool is_open();

 private:
  struct State;
  const Device device_;
  std::shared_ptr<State> state_;  // shared with its blocks, which may outlive the arena
};

}  // namespace videomae
