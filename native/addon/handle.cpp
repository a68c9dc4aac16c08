#include "addon/handle.h"

#include <utility>

namespace videomae::addon {
namespace {

// Marks our handles, so that an object of another addon is refused instead of being misread.
constexpr napi_type_tag tensor_tag = {0x9d3fb1c8a64e4d27, 0xb52e7c61f08a913d};

}  // namespace

std::string kind_of(const Napi::Value& value) {
  switch (value.Type()) {
    case napi_undefined: return "undefined";
    case napi_null: return "null";
    case napi_boolean: return "a boolean";
    case napi_number: return "the number " + value.ToString().Utf8Value();
    case napi_string: return "the string \"" + value.As<Napi::String>().Utf8Value().substr(0, 40) + "\"";
    case napi_function: return "a function";
    case napi_symbol: return "a symbol";
    case napi_bigint: return "a bigint";
    default: return value.IsArray() ? "an array" : value.IsTypedArray() ? "a typed array" : "a foreign object";
  }
}

Napi::FunctionReference TensorHandle::define(Napi::Env env) {
  return Napi::Persistent(DefineClass(env, "TensorHandle", {}));
}

TensorHandle::TensorHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TensorHandle>(info) {
  const Tensor* made = std::exchange(info.Env().GetInstanceData<Environment>()->made, nullptr);
  if (made == nullptr) throw Napi::TypeError::New(info.Env(), "TensorHandle: not to be constructed from a script");
  tensor_ = *made;
  if (napi_type_tag_object(info.Env(), info.This(), &tensor_tag) != napi_ok)
    throw Napi::Error::New(info.Env(), "TensorHandle: could not be tagged");
}

Napi::Object TensorHandle::wrap(Napi::Env env, const Tensor& tensor) {
  Environment* environment = env.GetInstanceData<Environment>();
  environment->made = &tensor;
  return environment->tensor_class.New({});
}

Tensor& TensorHandle::unwrap(const Napi::Value& value, const char* op, const char* operand) {
  bool ours = false;
  if (value.IsObject()) napi_check_object_type_tag(value.Env(), value, &tensor_tag, &ours);
  if (!ours) throw Error(op, std::string("a tensor as ") + operand, kind_of(value));
  return Napi::ObjectWrap<TensorHandle>::Unwrap(value.As<Napi::Object>())->tensor_;
}

}  // namespace videomae::addon
