// The JavaScript object that owns a native tensor. It is opaque to scripts: the TypeScript class Tensor wraps it.
#pragma once

// A worker that is being terminated cannot take an exception; without this, trying to give it one ends the process.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>

#include "core/tensor.h"

namespace videomae::addon {

namespace handle {

/// A new handle that owns `tensor`.
Napi::Object wrap(Napi::Env env, const Tensor& tensor);

/// The tensor behind a script value, undefined when it has been freed. Throws Error naming op and operand when the
/// value is not a handle of ours.
Tensor unwrap(const Napi::Value& value, const char* op, const char* operand);

/// Lets go of the tensor and of everything else native about the handle, at once: the garbage collector's finalizers
/// run only when the event loop turns, and a training loop may not let it turn for long. A second call does nothing.
void release(const Napi::Value& value, const char* op, const char* operand);

}  // namespace handle

/// "a string", "null", "an object": what a script value is, for error messages.
std::string kind_of(const Napi::Value& value);

}  // namespace videomae::addon
