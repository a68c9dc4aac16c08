// How a C++ function becomes one of a script: its exceptions become the script's errors.
#pragma once

#include <utility>

#include "addon/handle.h"
#include "core/error.h"

namespace videomae::addon {

/// A script error with the parts of ours.
inline Napi::Error to_script_error(Napi::Env env, const Error& error) {
  Napi::Error thrown = Napi::Error::New(env, error.what());
  Napi::Object object = thrown.Value();
  object.Set("op", error.op);
  object.Set("expected", error.expected);
  object.Set("got", error.got);
  if (!error.hint.empty()) object.Set("hint", error.hint);
  return thrown;
}

/// Runs a body so that our errors and any other C++ exception reach the script as errors.
template <class Body>
Napi::Value guarded(Napi::Env env, const Body& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw to_script_error(env, error);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
}

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return function(info); });
}

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
void define(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<guarded<function>>(exports.Env(), name));
}

/// Gives an object a function that holds what `body` has captured.
template <class Body>
void define_method(Napi::Object object, const char* name, Body body) {
  object.Set(name, Napi::Function::New(
                       object.Env(),
                       [body](const Napi::CallbackInfo& call) -> Napi::Value {
                         return guarded(call.Env(), [&] { return body(call); });
                       },
                       name));
}

// What each file of functions adds to the module.
void define_tensors(Napi::Object exports);
void define_devices(Napi::Object exports);
void define_kernel_choices(Napi::Object exports);
void define_compiled_steps(Napi::Object exports);

}  // namespace videomae::addon
