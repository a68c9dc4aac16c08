// The JavaScript object that owns a native tensor. It is opaque to scripts: the TypeScript class Tensor wraps it.
#pragma once

// A worker that is being terminated cannot take an exception; without this, trying to give it one ends the process.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>

#include "core/tensor.h"

namespace videomae::addon {

class TensorHandle : public Napi::ObjectWrap<TensorHandle> {
 public:
  /// Registers the class for this environment (main thread or worker).
  static Napi::FunctionReference define(Napi::Env env);

  /// A new handle that owns `tensor`.
  static Napi::Object wrap(Napi::Env env, const Tensor& tensor);

  /// The tensor behind a script value. Throws Error naming op and operand when the value is not a handle of ours; a
  /// freed handle gives an undefined Tensor.
  static Tensor& unwrap(const Napi::Value& value, const char* op, const char* operand);

  explicit TensorHandle(const Napi::CallbackInfo& info);

 private:
  Tensor tensor_;
};

/// What belongs to one environment; workers each have their own.
struct Environment {
  Napi::FunctionReference tensor_class;
  const Tensor* made = nullptr;  // what the handle under construction takes; null when a script calls the constructor
};

/// "a string", "null", "an object": what a script value is, for error messages.
std::string kind_of(const Napi::Value& value);

}  // namespace videomae::addon
