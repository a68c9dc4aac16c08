// Kernels that can stand in for one another (core/plugin.h), as a script sees them: what a device is told to take, what
// it took, and what was measured.
#include <mutex>
#include <set>
#include <vector>

#include "addon/arguments.h"
#include "addon/functions.h"
#include "core/accelerator.h"

namespace videomae::addon {
namespace {

using Napi::CallbackInfo;
using Napi::Value;

/// The devices that were told, by any thread of the process.
class Told {
 public:
  bool is(Device device) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return devices_.count({device.kind, device.index}) > 0;
  }
  void add(Device device) {
    const std::lock_guard<std::mutex> lock(mutex_);
    devices_.insert({device.kind, device.index});
  }

 private:
  std::mutex mutex_;
  std::set<std::pair<DeviceKind, int>> devices_;
};

Told& told() {
  static auto* devices = new Told();
  return *devices;
}

Device gpu_of(const Value& value, const char* op) {
  const Device device = to_device(value, op);
  check(!device.is_cpu(), op, "a device other than the CPU", "cpu");
  return device;
}

std::string text_of(const Value& value, const char* op, const char* what) {
  check(value.IsString(), op, what, kind_of(value));
  return value.As<Napi::String>().Utf8Value();
}

/// The name of a GPU that nobody has told yet, "" of any other device; undefined in a rehearsal, where none need be
/// there.
Value awaits_kernels(const CallbackInfo& info) {
  const std::string op = text_of(info[1], "awaitsKernels", "who asks");
  const Device device = to_device(info[0], op.c_str());
  if (rehearsing()) return info.Env().Undefined();
  const bool waits = !device.is_cpu() && !told().is(device);
  return Napi::String::New(info.Env(), waits ? describe_device(device).name : "");
}

/// Tells a device what to take: lines "work = variant".
Value choose_kernels(const CallbackInfo& info) {
  const Device device = gpu_of(info[0], "chooseKernels");
  const std::string lines = text_of(info[1], "chooseKernels", "lines");
  call_plugin(plugin_of(device.kind).set_variants, device.index, lines.c_str());
  told().add(device);
  return info.Env().Undefined();
}

/// The variant that a choice names for some work; "" where none does.
Value kernel_choice(const CallbackInfo& info) {
  const Device device = gpu_of(info[0], "kernelChoice");
  const std::string work = text_of(info[1], "kernelChoice", "the name of work");
  PluginChoice choice;
  call_plugin(plugin_of(device.kind).choice, device.index, work.c_str(), &choice);
  return Napi::String::New(info.Env(), choice.variant);
}

struct Taken {
  Napi::Env env;
  Napi::Array list;
  Napi::Object add() {
    Napi::Object o = Napi::Object::New(env);
    list.Set(list.Length(), o);
    return o;
  }
};

/// What a device has met that has variants: [{ work, variants, chosen }].
Value kernel_works(const CallbackInfo& info) {
  const Device device = gpu_of(info[0], "kernelWorks");
  Taken taken{info.Env(), Napi::Array::New(info.Env())};
  const auto take = [](void* to, const PluginWork* work) {
    Napi::Object o = static_cast<Taken*>(to)->add();
    o.Set("work", work->work), o.Set("variants", work->variants), o.Set("chosen", work->chosen);
  };
  call_plugin(plugin_of(device.kind).works, device.index, static_cast<void*>(&taken), +take);
  return taken.list;
}

/// Begins (true) or ends (false) to measure what ops of a device meet.
Value measure_kernels(const CallbackInfo& info) {
  const Device device = gpu_of(info[0], "measureKernels");
  call_plugin(plugin_of(device.kind).measure, device.index, static_cast<uint8_t>(info[1].ToBoolean().Value()));
  return info.Env().Undefined();
}

/// What was measured since: [{ work, op, standard, variant, standardMs, variantMs, difference, largest, failure,
/// faster }].
Value kernel_measurements(const CallbackInfo& info) {
  const Device device = gpu_of(info[0], "kernelMeasurements");
  Taken taken{info.Env(), Napi::Array::New(info.Env())};
  const auto take = [](void* to, const PluginMeasurement* m) {
    Napi::Object o = static_cast<Taken*>(to)->add();
    o.Set("work", m->work), o.Set("op", m->op), o.Set("standard", m->standard), o.Set("variant", m->variant);
    o.Set("standardMs", m->standard_ms), o.Set("variantMs", m->variant_ms);
    o.Set("difference", m->difference), o.Set("largest", m->largest), o.Set("failure", m->failure);
    o.Set("faster", m->faster != 0);
  };
  call_plugin(plugin_of(device.kind).measurements, device.index, static_cast<void*>(&taken), +take);
  return taken.list;
}

}  // namespace

void define_kernel_choices(Napi::Object exports) {
  define<awaits_kernels>(exports, "awaitsKernels");
  define<choose_kernels>(exports, "chooseKernels");
  define<kernel_choice>(exports, "kernelChoice");
  define<kernel_works>(exports, "kernelWorks");
  define<measure_kernels>(exports, "measureKernels");
  define<kernel_measurements>(exports, "kernelMeasurements");
}

}  // namespace videomae::addon
