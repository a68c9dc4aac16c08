// What compiled steps are made of, each an object that holds one native thing: the arena of a step's memory, the graph
// that it is captured in, the staging of its inputs.
#include "addon/arguments.h"
#include "addon/functions.h"
#include "core/arena.h"
#include "core/graph.h"
#include "core/staging.h"

namespace videomae::addon {
namespace {

using Napi::CallbackInfo;
using Napi::Value;

Value number(Napi::Env env, size_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

/// { open, close, plan, clear, complete, planned, bytes } of one arena on a device.
Value create_arena(const CallbackInfo& info) {
  const auto arena = std::make_shared<Arena>(to_device(info[0], "compileStep"));
  const Napi::Object o = Napi::Object::New(info.Env());
  const auto method = [&](const char* name, auto body) {
    define_method(o, name, [arena, body](const CallbackInfo& call) -> Value { return body(*arena, call.Env()); });
  };
  method("open", [](Arena& a, Napi::Env e) { return a.open(), e.Undefined(); });
  method("close", [](Arena& a, Napi::Env e) { return number(e, static_cast<size_t>(a.close())); });
  method("plan", [](Arena& a, Napi::Env e) { return a.plan(), e.Undefined(); });
  method("clear", [](Arena& a, Napi::Env e) { return a.clear(), e.Undefined(); });
  method("complete", [](Arena& a, Napi::Env e) { return Napi::Boolean::New(e, a.complete()); });
  method("planned", [](Arena& a, Napi::Env e) { return Napi::Boolean::New(e, a.planned()); });
  method("bytes", [](Arena& a, Napi::Env e) { return number(e, a.bytes()); });
  return o;
}

/// { begin, end, discard, captured, launch, clear } of the graph of one step on a device. In a rehearsal nothing is
/// captured.
Value create_graph(const CallbackInfo& info) {
  const Device device = to_device(info[0], "compileStep");
  const auto graph = std::make_shared<std::unique_ptr<Graph>>();
  const auto made = [graph, device]() -> Graph& {
    if (!*graph) *graph = std::make_unique<Graph>(device);
    return **graph;
  };
  const Napi::Object o = Napi::Object::New(info.Env());
  define_method(o, "begin", [made](const CallbackInfo& call) -> Value {
    if (!rehearsing()) made().begin(call[0].ToBoolean());
    return call.Env().Undefined();
  });
  define_method(o, "end", [made](const CallbackInfo& call) -> Value {
    if (!rehearsing()) made().end();
    return call.Env().Undefined();
  });
  define_method(o, "discard", [made](const CallbackInfo& call) -> Value {
    if (!rehearsing()) made().discard();
    return call.Env().Undefined();
  });
  define_method(o, "captured", [graph](const CallbackInfo& call) -> Value {
    return Napi::Boolean::New(call.Env(), *graph && (*graph)->captured());
  });
  define_method(o, "launch", [made](const CallbackInfo& call) -> Value {
    made().launch();
    return call.Env().Undefined();
  });
  define_method(o, "clear", [graph](const CallbackInfo& call) -> Value {
    graph->reset();
    return call.Env().Undefined();
  });
  return o;
}

/// { tensors, put, send, clear } for inputs that are described by example: [{ shape, dtype }].
Value create_staging(const CallbackInfo& info) {
  const Device device = to_device(info[0], "compileStep");
  check(info[1].IsArray(), "compileStep", "an array of inputs", kind_of(info[1]));
  const Napi::Array list = info[1].As<Napi::Array>();
  std::vector<Staging::Input> inputs;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Value entry = list.Get(i);
    check(entry.IsObject(), "compileStep", "{ shape, dtype }", kind_of(entry));
    const Napi::Object input = entry.As<Napi::Object>();
    inputs.push_back(
        {to_shape(input.Get("shape"), "compileStep", "shape"), to_dtype(input.Get("dtype"), "compileStep")});
  }
  const auto staging = std::make_shared<std::unique_ptr<Staging>>(std::make_unique<Staging>(device, inputs));
  const Napi::Object o = Napi::Object::New(info.Env());
  const Napi::Array tensors = Napi::Array::New(info.Env(), inputs.size());
  for (uint32_t i = 0; i < inputs.size(); ++i) tensors.Set(i, handle::wrap(info.Env(), (*staging)->tensors()[i]));
  o.Set("tensors", tensors);
  const size_t count = inputs.size();
  define_method(o, "put", [staging, count](const CallbackInfo& call) -> Value {
    const int64_t input = to_integer(call[0], "compileStep", "input");
    check(*staging && input >= 0 && input < static_cast<int64_t>(count), "compileStep", "the number of an input",
          std::to_string(input));
    const Tensor source = handle::unwrap(call[1], "compileStep", "an input");
    check(source.defined(), "compileStep", "a live tensor as an input", "a freed one");
    (*staging)->put(static_cast<size_t>(input), source);
    return call.Env().Undefined();
  });
  define_method(o, "send", [staging](const CallbackInfo& call) -> Value {
    check(*staging != nullptr, "compileStep", "a step that is not disposed of", "one that is");
    (*staging)->send();
    return call.Env().Undefined();
  });
  define_method(o, "clear", [staging](const CallbackInfo& call) -> Value {
    staging->reset();
    return call.Env().Undefined();
  });
  return o;
}

}  // namespace

void define_compiled_steps(Napi::Object exports) {
  define<create_arena>(exports, "createArena");
  define<create_graph>(exports, "createGraph");
  define<create_staging>(exports, "createStaging");
}

}  // namespace videomae::addon
