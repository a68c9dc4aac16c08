// The shared memory of one emulated block: pages of its own between pages that may not be touched, poisoned before the
// block begins, and with a margin behind the last byte that must not change.
#pragma once

#include <cstddef>

namespace videomae::cuda::emu {

/// Every byte that nobody has written: as f32 and bf16 a NaN, as an index -1.
constexpr unsigned char kPoison = 0xFF;

/// The shared address of the first byte.
constexpr unsigned kSharedBase = 1024;

/// Bytes that a block may have: 227 KiB, as with capability 9.0, or VIDEOMAE_EMU_SHARED_MEMORY.
size_t largest_shared();

class SharedMemory {
 public:
  SharedMemory() = default;
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// Poisoned memory of so many bytes.
  void reset(size_t bytes);
  /// Whether nothing was written behind the last byte.
  bool intact() const;

  unsigned char* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  size_t offset(const void* address) const {
    return static_cast<size_t>(static_cast<const unsigned char*>(address) - data_);
  }
  bool holds(const void* address, size_t bytes) const;
  /// Whether it lies in the memory or the guard pages around it.
  bool near(const void* address) const;

 private:
  unsigned char* mapping_ = nullptr;
  unsigned char* data_ = nullptr;
  size_t bytes_ = 0, open_bytes_ = 0;
};

}  // namespace videomae::cuda::emu
