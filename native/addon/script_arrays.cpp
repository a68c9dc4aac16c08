#include "addon/script_arrays.h"

#include "core/error.h"

namespace videomae::addon {
namespace {

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

}  // namespace

void* array_bytes(const Napi::Value& value, const Tensor& t, const char* op) {
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

}  // namespace videomae::addon
