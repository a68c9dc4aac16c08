// Tensors in a script's hands: made, read, written, viewed, moved between devices, and let go.
#include <cstring>

#include "addon/arguments.h"
#include "addon/functions.h"
#include "addon/readings.h"
#include "addon/script_arrays.h"
#include "core/accelerator.h"
#include "core/graph.h"
#include "ops/execute.h"

namespace videomae::addon {
namespace {

using Napi::CallbackInfo;
using Napi::Value;

/// A copy: reading further arguments may run a script that disposes of the handle's own.
Tensor live(const Value& value, const char* op, const char* operand = "x") {
  Tensor t = handle::unwrap(value, op, operand);
  check(t.defined(), op, "a live tensor", "a freed one",
        "it was disposed of, or its scope() has ended: use keep() to carry a tensor out of a scope");
  return t;
}

/// Whether there are elements to read or write. In a rehearsal there are none.
bool has_elements(const Tensor& t) { return !rehearsing() && t.bytes() > 0; }

/// Copies a script's bytes into a tensor.
void fill_from(const Tensor& t, const void* data) {
  if (!has_elements(t)) return;
  Graph::hold_touched(t, true);
  if (t.device().is_cpu())
    std::memcpy(t.data(), data, t.bytes());
  else
    Accelerator::of(t.device()).upload(t.data(), data, t.bytes());
}

Value from_array(const CallbackInfo& info) {
  const Tensor t = Tensor::empty(to_shape(info[1], "fromArray", "shape"), to_dtype(info[2], "fromArray"),
                                 to_device(info[3], "fromArray"));
  fill_from(t, array_bytes(info[0], t, "fromArray"));
  return handle::wrap(info.Env(), t);
}

Value zeros(const CallbackInfo& info) {
  const Tensor t =
      Tensor::empty(to_shape(info[0], "zeros", "shape"), to_dtype(info[1], "zeros"), to_device(info[2], "zeros"));
  if (has_elements(t)) {
    if (t.device().is_cpu())
      std::memset(t.data(), 0, t.bytes());
    else
      Accelerator::of(t.device()).fill(t.data(), 0, t.bytes());
  }
  return handle::wrap(info.Env(), t);
}

Value read_into(const CallbackInfo& info) {
  const Tensor t = live(info[0], "read");
  void* data = array_bytes(info[1], t, "read");
  if (has_elements(t)) {
    if (t.device().is_cpu())
      std::memcpy(data, t.data(), t.bytes());
    else
      Accelerator::of(t.device()).download(data, t.data(), t.bytes());
  }
  return info[1];
}

/// A promise of the array, filled.
Value read_later(const CallbackInfo& info) {
  const Tensor t = live(info[0], "read");
  array_bytes(info[1], t, "read");
  if (t.device().is_cpu() || !has_elements(t)) {
    const auto promise = Napi::Promise::Deferred::New(info.Env());
    promise.Resolve(read_into(info));
    return promise.Promise();
  }
  return Readings::of(info.Env()).begin(t, info[1].As<Napi::Object>());
}

Value write(const CallbackInfo& info) {
  const Tensor t = live(info[0], "write");
  const void* data = array_bytes(info[1], t, "write");
  t.mark_written();
  fill_from(t, data);
  return info.Env().Undefined();
}

/// Copies between tensors of one dtype and shape, on any devices.
void copy_elements(const Tensor& to, const Tensor& from) {
  if (!has_elements(to)) return;
  if (to.device() == from.device()) {
    if (to.device().is_cpu())
      std::memcpy(to.data(), from.data(), to.bytes());
    else
      Accelerator::of(to.device()).copy(to.data(), from.data(), to.bytes());
    return;
  }
  if (from.device().is_cpu()) {
    Accelerator::of(to.device()).upload(to.data(), from.data(), to.bytes());
  } else if (to.device().is_cpu()) {
    Accelerator::of(from.device()).download(to.data(), from.data(), to.bytes());
  } else {  // between devices: by way of the host
    const Tensor host = Tensor::empty(from.shape(), from.dtype());
    copy_elements(host, from);
    copy_elements(to, host);
  }
}

Value copy_to(const CallbackInfo& info) {
  const Tensor from = live(info[0], "to");
  const Device device = to_device(info[1], "to");
  check_step(from.device(), "to");
  check_step(device, "to");
  const Tensor to = Tensor::empty(from.shape(), from.dtype(), device);
  copy_elements(to, from);
  return handle::wrap(info.Env(), to);
}

Value assign(const CallbackInfo& info) {
  const Tensor to = live(info[0], "assign", "target"), from = live(info[1], "assign", "source");
  check(to.dtype() == from.dtype() && to.shape() == from.shape(), "assign", "a source like " + to.text(), from.text());
  check(to.device() == from.device(), "assign", "a source on " + name_of(to.device()),
        "one on " + name_of(from.device()));
  to.mark_written();
  Graph::hold_touched(to, true);
  Graph::hold_touched(from);
  copy_elements(to, from);
  return info.Env().Undefined();
}

/// The version of a tensor's contents; it changes with every write to its memory.
Value version(const CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(live(info[0], "version").version()));
}

Value view(const CallbackInfo& info) {
  const Tensor t = live(info[0], "view");
  return handle::wrap(info.Env(), t.view(to_integer(info[1], "view", "offset"), to_shape(info[2], "view", "shape")));
}

Value dispose(const CallbackInfo& info) {
  handle::release(info[0], "dispose", "x");
  return info.Env().Undefined();
}

Value describe(const CallbackInfo& info) {
  const Tensor t = live(info[0], "describe");
  Napi::Array shape = Napi::Array::New(info.Env(), t.shape().rank());
  for (int i = 0; i < t.shape().rank(); ++i) shape.Set(static_cast<uint32_t>(i), static_cast<double>(t.shape()[i]));
  Napi::Object o = Napi::Object::New(info.Env());
  o.Set("shape", shape);
  o.Set("dtype", name_of(t.dtype()));
  o.Set("device", name_of(t.device()));
  return o;
}

}  // namespace

void define_tensors(Napi::Object exports) {
  define<from_array>(exports, "fromArray");
  define<zeros>(exports, "zeros");
  define<read_into>(exports, "readInto");
  define<read_later>(exports, "readLater");
  define<write>(exports, "write");
  define<copy_to>(exports, "copyTo");
  define<assign>(exports, "assign");
  define<version>(exports, "version");
  define<view>(exports, "view");
  define<dispose>(exports, "dispose");
  define<describe>(exports, "describe");
}

}  // namespace videomae::addon
