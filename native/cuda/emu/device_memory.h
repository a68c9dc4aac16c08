// Memory of the emulated device, and what a kernel may touch of it.
//
// Every allocation lies between pages that may not be touched. That finds what runs far; what stays within a block that
// several tensors share is found by operands: while a list of them is in force, the kernels launched may read these
// stretches, to the byte, and write those that are outputs, and nothing else of the device. Blocks of one launch are
// not ordered: a byte that one writes and another reads or writes is an error too, since results would depend on their
// order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace videomae::cuda::emu {

/// Memory of the device, 256-byte aligned and poisoned; null when there is none left.
void* allocate_device(size_t bytes);
/// Takes it back: from now on it may not be touched.
void release_device(void* data);

/// A stretch of device memory that a kernel may touch.
struct Operand {
  std::string name;
  const void* data;
  size_t bytes;
  bool written;  ///< an output, or changed in place
};

using OperandList = std::shared_ptr<const std::vector<Operand>>;

/// While it lives, launches made by this thread carry the list.
class Operands {
 public:
  explicit Operands(std::vector<Operand> list);
  ~Operands();
  Operands(const Operands&) = delete;
  Operands& operator=(const Operands&) = delete;

 private:
  OperandList before_;
};

/// The list in force in this thread; may be null.
OperandList operands();

// ---- for the emulator itself ----

/// The operands of the launch that runs now; null: any memory of the device.
void watch_operands(const std::vector<Operand>* list, uint32_t clusters);
/// An access of the running thread to memory that is neither shared nor its own. Fails where it is not allowed.
void check_device_access(const void* address, size_t bytes, bool write);
/// In words: where an address lies that may not be touched. False when nothing is known of it.
bool describe_address(const void* address, char (&words)[256]);

}  // namespace videomae::cuda::emu
