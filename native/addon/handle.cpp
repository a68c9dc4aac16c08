#include "addon/handle.h"

#include <memory>

namespace videomae::addon {
namespace {

// Marks our handles, so that an object of another addon is refused instead of being misread.
constexpr napi_type_tag tensor_tag = {0x9d3fb1c8a64e4d27, 0xb52e7c61f08a913d};

void check_ours(const Napi::Value& value, const char* op, const char* operand) {
  bool ours = false;
  if (value.IsObject()) napi_check_object_type_tag(value.Env(), value, &tensor_tag, &ours);
  if (!ours) throw Error(op, std::string("a tensor as ") + operand, kind_of(value));
}

}  // namespace

std::string kind_of(const Napi::Value& value) {
  switch (value.Type()) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean:
      return "a boolean";
    case napi_number:
      return "the number " + value.ToString().Utf8Value();
    case napi_string:
      return "the string \"" + value.As<Napi::String>().Utf8Value().substr(0, 40) + "\"";
    case napi_function:
      return "a function";
    case napi_symbol:
      return "a symbol";
    case napi_bigint:
      return "a bigint";
    default:
      return value.IsArray() ? "an array" : value.IsTypedArray() ? "a typed array" : "a foreign object";
  }
}

namespace handle {

Napi::Object wrap(Napi::Env env, const Tensor& tensor) {
  const Napi::Object object = Napi::Object::New(env);
  auto owned = std::make_unique<Tensor>(tensor);
  const auto finalize = [](napi_env, void* data, void*) { delete static_cast<Tensor*>(data); };
  // The wrap comes last, so that taking it off again leaves the object with the hidden class it had before.
  if (napi_type_tag_object(env, object, &tensor_tag) != napi_ok ||
      napi_wrap(env, object, owned.get(), finalize, nullptr, nullptr) != napi_ok)
    throw Napi::Error::New(env, "a tensor could not be handed to the script");
  owned.release();
  return object;
}

Tensor unwrap(const Napi::Value& value, const char* op, const char* operand) {
  check_ours(value, op, operand);
  void* tensor = nullptr;
  return napi_unwrap(value.Env(), value, &tensor) == napi_ok ? *static_cast<Tensor*>(tensor) : Tensor();
}

void release(const Napi::Value& value, const char* op, const char* operand) {
  check_ours(value, op, operand);
  void* tensor = nullptr;
  if (napi_remove_wrap(value.Env(), value, &tensor) == napi_ok) delete static_cast<Tensor*>(tensor);
}

}  // namespace handle
}  // namespace videomae::addon
