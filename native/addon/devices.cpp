// Devices as a script sees them: what there is, what memory each uses, and waiting for one.
#include "addon/arguments.h"
#include "addon/functions.h"
#include "core/accelerator.h"

namespace videomae::addon {
namespace {

using Napi::CallbackInfo;
using Napi::Value;

/// Describes the devices of a kind without opening them: [{ device, name, capability, memory, software }].
Value devices(const CallbackInfo& info) {
  const Device first = to_device(info[0], "devices");
  Napi::Array list = Napi::Array::New(info.Env());
  for (int i = 0; i < device_count(first.kind); ++i) {
    const Device device{first.kind, i};
    Napi::Object o = Napi::Object::New(info.Env());
    o.Set("device", name_of(device));
    if (!device.is_cpu()) {
      const PluginDevice described = describe_device(device);
      o.Set("name", described.name);
      o.Set("capability", described.limits.capability);
      o.Set("memory", static_cast<double>(described.memory_bytes));
      o.Set("software", described.software);
    }
    list.Set(static_cast<uint32_t>(i), o);
  }
  return list;
}

/// The library that makes plain matrix products on a kind of device: { name, file, reason }.
Value matrix_library(const CallbackInfo& info) {
  const Device device = to_device(info[0], "matrixLibrary");
  check(!device.is_cpu(), "matrixLibrary", "a device other than the CPU", "cpu");
  PluginMatrixLibrary library;
  call_plugin(plugin_of(device.kind).matrix_library, &library);
  Napi::Object o = Napi::Object::New(info.Env());
  o.Set("name", library.name);
  o.Set("file", library.file);
  o.Set("reason", library.reason);
  return o;
}

Value synchronize(const CallbackInfo& info) {
  const Device device = to_device(info[0], "synchronize");
  if (!device.is_cpu() && !rehearsing()) Accelerator::of(device).synchronize();
  return info.Env().Undefined();
}

Value memory(const CallbackInfo& info) {
  const MemoryStatistics m = memory_statistics(to_device(info[0], "memory"));
  Napi::Object o = Napi::Object::New(info.Env());
  o.Set("live", static_cast<double>(m.live));
  o.Set("peak", static_cast<double>(m.peak));
  o.Set("cached", static_cast<double>(m.cached));
  o.Set("arena", static_cast<double>(m.arena));
  o.Set("reserved", static_cast<double>(m.reserved));
  o.Set("systemAllocations", static_cast<double>(m.system));
  return o;
}

Value reset_peak_memory(const CallbackInfo& info) {
  reset_peak(to_device(info[0], "resetPeakMemory"));
  return info.Env().Undefined();
}

Value empty_memory_cache(const CallbackInfo& info) {
  empty_cache(to_device(info[0], "emptyCache"));
  return info.Env().Undefined();
}

/// Calls info[0] in a rehearsal and returns what it returns.
Value rehearse(const CallbackInfo& info) {
  check(info[0].IsFunction(), "rehearse", "a function", kind_of(info[0]));
  const Rehearsal rehearsal;
  return info[0].As<Napi::Function>().Call({});
}

}  // namespace

void define_devices(Napi::Object exports) {
  define<devices>(exports, "devices");
  define<matrix_library>(exports, "matrixLibrary");
  define<synchronize>(exports, "synchronize");
  define<memory>(exports, "memory");
  define<reset_peak_memory>(exports, "resetPeak");
  define<empty_memory_cache>(exports, "emptyCache");
  define<rehearse>(exports, "rehearse");
}

}  // namespace videomae::addon
