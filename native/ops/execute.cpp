#include "ops/execute.h"

#include <atomic>

namespace videomae {
namespace {

std::atomic<const KernelTable*> tables[3];  // by DeviceKind

}  // namespace

void register_kernels(DeviceKind device, const KernelTable* table) { tables[static_cast<int>(device)].store(table); }

Kernel find_kernel(DeviceKind device, OpId id, const char* op) {
  const KernelTable* table = tables[static_cast<int>(device)].load();
  check(table != nullptr, op, std::string("kernels for ") + name_of(device), "none registered");
  return table->kernels[static_cast<int>(id)];
}

}  // namespace videomae
