// The module that Node loads: tensors in and out, one function an op, memory and threads. No shape logic here, no
// arithmetic; every C++ exception becomes a script error, so that bad arguments never end the process.
#include <dlfcn.h>

#include <cstring>

#include "addon/arguments.h"
#include "addon/handle.h"
#include "core/arena.h"
#include "core/instruction_set.h"
#include "core/thread_pool.h"
#include "ops/execute.h"

namespace videomae::addon {
namespace {

using Napi::CallbackInfo;
using Napi::Value;

/// Runs a body so that our errors and any other C++ exception reach the script as errors.
template <class Body>
Value guarded(Napi::Env env, const Body& body) {
  try {
    return body();
  } catch (const Error& error) {
    Napi::Error thrown = Napi::Error::New(env, error.what());
    Napi::Object object = thrown.Value();
    object.Set("op", error.op);
    object.Set("expected", error.expected);
    object.Set("got", error.got);
    if (!error.hint.empty()) object.Set("hint", error.hint);
    throw thrown;
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
}

template <Value (*function)(const CallbackInfo&)>
Value guarded(const CallbackInfo& info) {
  return guarded(info.Env(), [&] { return function(info); });
}

template <Value (*function)(const CallbackInfo&)>
void define(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<guarded<function>>(exports.Env(), name));
}

template <class Op>
Value call(const CallbackInfo& info) {
  check(info[0].IsObject(), Op::name, "an object of arguments", kind_of(info[0]));
  Op op;
  ArgumentReader reader(Op::name, info[0].As<Napi::Object>());
  op.visit(reader);
  reader.finish();
  execute(op);
  ResultWriter writer(info.Env());
  op.visit(writer);
  return writer.result();
}

// ---- tensors ----

DType to_dtype(const Value& value, const char* op) {
  const std::string word = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  for (DType t : {DType::f64, DType::f32, DType::bf16, DType::u8, DType::i32, DType::boolean})
    if (word == name_of(t)) return t;
  throw Error(op, "a dtype out of f64, f32, bf16, u8, i32, bool", kind_of(value));
}

/// The script array type that holds a dtype's elements; bf16 travels as its bits.
napi_typedarray_type array_type(DType t) {
  switch (t) {
    case DType::f64:
      return napi_float64_array;
    case DType::f32:
      return napi_float32_array;
    case DType::bf16:
      return napi_uint16_array;
    case DType::i32:
      return napi_int32_array;
    default:
      return napi_uint8_array;
  }
}

const char* array_name(DType t) {
  switch (t) {
    case DType::f64:
      return "Float64Array";
    case DType::f32:
      return "Float32Array";
    case DType::bf16:
      return "Uint16Array";
    case DType::i32:
      return "Int32Array";
    default:
      return "Uint8Array";
  }
}

/// The bytes of a script array that must hold exactly the elements of `t`. ArrayBuffer and SharedArrayBuffer both.
void* array_bytes(const Value& value, const Tensor& t, const char* op) {
  const std::string expected = std::string(array_name(t.dtype())) + " of " + std::to_string(t.elements()) + " elements";
  if (!value.IsTypedArray()) throw Error(op, expected, kind_of(value));
  napi_typedarray_type type;
  size_t length;
  void* data;
  if (napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) != napi_ok)
    throw Error(op, expected, "an array that cannot be read");
  if (type != array_type(t.dtype()) || static_cast<int64_t>(length) != t.elements())
    throw Error(op, expected + " for " + t.text(),
                (type == array_type(t.dtype()) ? array_name(t.dtype()) : std::string("another array type")) + " of " +
                    std::to_string(length));
  return data;
}

/// A copy: reading further arguments may run a script that disposes of the handle's own.
Tensor live(const Value& value, const char* op) {
  Tensor t = handle::unwrap(value, op, "x");
  check(t.defined(), op, "a live tensor", "a freed one",
        "it was disposed of, or its scope() has ended: use keep() to carry a tensor out of a scope");
  return t;
}

/// Hands a tensor's elements to `body`, unless there are none. In a rehearsal nothing is read or written.
template <class Body>
void touch(const Tensor& t, const Body& body) {
  if (!rehearsing() && t.bytes() > 0) body(t.data());
}

Value from_array(const CallbackInfo& info) {
  const Tensor t = Tensor::empty(to_shape(info[1], "fromArray", "shape"), to_dtype(info[2], "fromArray"));
  const void* data = array_bytes(info[0], t, "fromArray");
  touch(t, [&](void* elements) { std::memcpy(elements, data, t.bytes()); });
  return handle::wrap(info.Env(), t);
}

Value zeros(const CallbackInfo& info) {
  const Tensor t = Tensor::empty(to_shape(info[0], "zeros", "shape"), to_dtype(info[1], "zeros"));
  touch(t, [&](void* elements) { std::memset(elements, 0, t.bytes()); });
  return handle::wrap(info.Env(), t);
}

Value read_into(const CallbackInfo& info) {
  const Tensor t = live(info[0], "read");
  void* data = array_bytes(info[1], t, "read");
  touch(t, [&](void* elements) { std::memcpy(data, elements, t.bytes()); });
  return info[1];
}

Value write(const CallbackInfo& info) {
  const Tensor t = live(info[0], "write");
  const void* data = array_bytes(info[1], t, "write");
  t.mark_written();
  touch(t, [&](void* elements) { std::memcpy(elements, data, t.bytes()); });
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

// ---- memory and threads ----

Value memory(const CallbackInfo& info) {
  const MemoryStatistics m = memory_statistics();
  Napi::Object o = Napi::Object::New(info.Env());
  o.Set("live", static_cast<double>(m.live));
  o.Set("peak", static_cast<double>(m.peak));
  o.Set("cached", static_cast<double>(m.cached));
  o.Set("arena", static_cast<double>(m.arena));
  o.Set("reserved", static_cast<double>(m.reserved));
  o.Set("systemAllocations", static_cast<double>(m.system));
  return o;
}

Value reset_peak_memory(const CallbackInfo& info) { return reset_peak(), info.Env().Undefined(); }
Value empty_memory_cache(const CallbackInfo& info) { return empty_cache(), info.Env().Undefined(); }

/// Calls info[0] in a rehearsal and returns what it returns.
Value rehearse(const CallbackInfo& info) {
  check(info[0].IsFunction(), "rehearse", "a function", kind_of(info[0]));
  const Rehearsal rehearsal;
  return info[0].As<Napi::Function>().Call({});
}

Value threads(const CallbackInfo& info) {
  if (info.Length() > 0 && !info[0].IsUndefined()) {
    const int64_t count = to_integer(info[0], "threads", "count");
    check(count >= 1 && count <= 256, "threads", "a number from 1 to 256", std::to_string(count));
    set_thread_count(static_cast<int>(count));
  }
  return Napi::Number::New(info.Env(), thread_count());
}

Value single_threaded(const CallbackInfo& info) {
  run_single_threaded(info[0].ToBoolean());
  return info.Env().Undefined();
}

Value choose_instruction_set(const CallbackInfo& info) {
  if (info.Length() > 0 && !info[0].IsUndefined()) {
    check(info[0].IsString(), "instructionSet", "a name", kind_of(info[0]));
    set_instruction_set(info[0].As<Napi::String>().Utf8Value().c_str());
  }
  return Napi::String::New(info.Env(), instruction_set());
}

/// Makes { open, close, plan, bytes }: one arena, freed with the object that holds it.
Value create_arena(const CallbackInfo& info) {
  const auto arena = std::make_shared<Arena>();
  Napi::Env env = info.Env();
  Napi::Object o = Napi::Object::New(env);
  const auto method = [&](const char* name, auto body) {
    o.Set(name, Napi::Function::New(
                    env,
                    [arena, body](const CallbackInfo& call) -> Value {
                      return guarded(call.Env(), [&] { return body(*arena, call.Env()); });
                    },
                    name));
  };
  method("open", [](Arena& a, Napi::Env e) { return a.open(), e.Undefined(); });
  method("close", [](Arena& a, Napi::Env e) -> Value { return Napi::Number::New(e, static_cast<double>(a.close())); });
  method("plan", [](Arena& a, Napi::Env e) { return a.plan(), e.Undefined(); });
  method("clear", [](Arena& a, Napi::Env e) { return a.clear(), e.Undefined(); });
  method("complete", [](Arena& a, Napi::Env e) -> Value { return Napi::Boolean::New(e, a.complete()); });
  method("bytes", [](Arena& a, Napi::Env e) -> Value { return Napi::Number::New(e, static_cast<double>(a.bytes())); });
  return o;
}

/// Keeps the library in memory for good: pool threads outlive the worker that may have loaded it.
void pin_library() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&pin_library), &self) != 0) dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  pin_library();
  Napi::Object ops = Napi::Object::New(env);
#define OP(Type, stem) define<call<Type>>(ops, Type::name);
#include "ops/ops.def"
#undef OP
  exports.Set("ops", ops);
  define<from_array>(exports, "fromArray");
  define<zeros>(exports, "zeros");
  define<read_into>(exports, "readInto");
  define<write>(exports, "write");
  define<version>(exports, "version");
  define<view>(exports, "view");
  define<dispose>(exports, "dispose");
  define<describe>(exports, "describe");
  define<memory>(exports, "memory");
  define<reset_peak_memory>(exports, "resetPeak");
  define<empty_memory_cache>(exports, "emptyCache");
  define<rehearse>(exports, "rehearse");
  define<threads>(exports, "threads");
  define<single_threaded>(exports, "singleThreaded");
  define<choose_instruction_set>(exports, "instructionSet");
  define<create_arena>(exports, "createArena");
  return exports;
}

}  // namespace
}  // namespace videomae::addon

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  return videomae::addon::initialise(env, exports);
}
NODE_API_MODULE(videomae, initialise)
