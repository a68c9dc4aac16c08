// The module that Node loads: one function an op, threads, and what the other files of this folder define. No shape
// logic here, no arithmetic; every C++ exception becomes a script error, so that bad arguments never end the process.
#include <dlfcn.h>

#include "addon/arguments.h"
#include "addon/functions.h"
#include "core/instruction_set.h"
#include "core/thread_pool.h"
#include "ops/execute.h"

namespace videomae::addon {
namespace {

using Napi::CallbackInfo;
using Napi::Value;

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
  define_tensors(exports);
  define_devices(exports);
  define_kernel_choices(exports);
  define_compiled_steps(exports);
  define<threads>(exports, "threads");
  define<single_threaded>(exports, "singleThreaded");
  define<choose_instruction_set>(exports, "instructionSet");
  return exports;
}

}  // namespace
}  // namespace videomae::addon

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  return videomae::addon::initialise(env, exports);
}
NODE_API_MODULE(videomae, initialise)
