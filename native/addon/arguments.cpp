#include "addon/arguments.h"

#include <cmath>

namespace videomae::addon {

int64_t to_integer(const Napi::Value& value, const char* op, const char* field) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(std::abs(number) <= 9007199254740992.0) || number != std::floor(number))
    throw Error(op, std::string("an integer as ") + field, kind_of(value));
  return static_cast<int64_t>(number);
}

Integers to_integers(const Napi::Value& value, const char* op, const char* field) {
  if (!value.IsArray()) throw Error(op, std::string("an array of integers as ") + field, kind_of(value));
  const Napi::Array array = value.As<Napi::Array>();
  Integers list;  // grown as it is read: a sparse array may claim billions of elements
  for (uint32_t i = 0, n = array.Length(); i < n; ++i) list.push_back(to_integer(array.Get(i), op, field));
  return list;
}

Shape to_shape(const Napi::Value& value, const char* op, const char* field) {
  Shape shape;
  for (int64_t size : to_integers(value, op, field)) shape.push_back(size);
  return shape;
}

DType to_dtype(const Napi::Value& value, const char* op) {
  const std::string word = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  for (DType t : {DType::f64, DType::f32, DType::bf16, DType::u8, DType::i32, DType::boolean})
    if (word == name_of(t)) return t;
  throw Error(op, "a dtype out of f64, f32, bf16, u8, i32, bool", kind_of(value));
}

Device to_device(const Napi::Value& value, const char* op) {
  if (value.IsUndefined()) return {};
  const std::string word = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  for (DeviceKind kind : {DeviceKind::cpu, DeviceKind::cuda, DeviceKind::emu})
    if (word == name_of(kind)) return {kind, 0};
  for (DeviceKind kind : {DeviceKind::cuda, DeviceKind::emu}) {
    const std::string prefix = std::string(name_of(kind)) + ":";
    const std::string digits =
        word.size() > prefix.size() && word.size() <= prefix.size() + 4 && word.compare(0, prefix.size(), prefix) == 0
            ? word.substr(prefix.size())
            : "";
    if (!digits.empty() && digits.find_first_not_of("0123456789") == std::string::npos)
      return {kind, std::stoi(digits)};
  }
  throw Error(op, "a device out of cpu, cuda, cuda:1 and so on, emu", kind_of(value));
}

ArgumentReader::ArgumentReader(const char* op, const Napi::Object& arguments) : op_(op), arguments_(arguments) {
  const Napi::Value skip = take("skip");
  if (skip.IsUndefined()) return;
  if (!skip.IsArray()) throw Error(op, "an array of output names as skip", kind_of(skip));
  const Napi::Array names = skip.As<Napi::Array>();
  for (uint32_t i = 0, n = names.Length(); i < n; ++i) {
    const Napi::Value name = names.Get(i);
    if (!name.IsString()) throw Error(op_, "an array of output names as skip", kind_of(name));
    skipped_.push_back(name.As<Napi::String>().Utf8Value());
  }
}

Napi::Value ArgumentReader::take(const char* field) {
  fields_.push_back(field);
  const Napi::Value value = arguments_.Get(field);
  if (!value.IsUndefined() || arguments_.Has(field)) ++taken_;
  return value;
}

void ArgumentReader::operator()(const char* field, In& x) { x.tensor = handle::unwrap(take(field), op_, field); }
void ArgumentReader::operator()(const char* field, InOut& x) { x.tensor = handle::unwrap(take(field), op_, field); }

void ArgumentReader::operator()(const char* field, OptionalIn& x) {
  const Napi::Value value = take(field);
  if (value.IsUndefined()) return;
  x.tensor = handle::unwrap(value, op_, field);
  check(x.given(), op_, std::string("a live tensor as ") + field, "a freed one");
}

void ArgumentReader::operator()(const char* field, InList& x) {
  const Napi::Value value = take(field);
  if (!value.IsArray()) throw Error(op_, std::string("an array of tensors as ") + field, kind_of(value));
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) x.tensors.push_back(handle::unwrap(array.Get(i), op_, field));
}

void ArgumentReader::operator()(const char* field, OptionalOut& y) {
  skippable_.push_back(field);
  for (const std::string& name : skipped_)
    if (name == field) y.wanted = false;
}

void ArgumentReader::operator()(const char* field, AddedOut& y) {
  (*this)(field, static_cast<OptionalOut&>(y));
  const Napi::Value value = take(field);
  if (value.IsUndefined()) return;
  check(y.wanted, op_, std::string(field) + " either skipped or given a tensor", "both");
  y.add_to(handle::unwrap(value, op_, field));
}

void ArgumentReader::operator()(const char* field, double& x) {
  const Napi::Value value = take(field);
  if (value.IsUndefined()) return;
  if (!value.IsNumber()) throw Error(op_, std::string("a number as ") + field, kind_of(value));
  x = value.As<Napi::Number>().DoubleValue();
}

void ArgumentReader::operator()(const char* field, int64_t& x) {
  const Napi::Value value = take(field);
  if (!value.IsUndefined()) x = to_integer(value, op_, field);
}

void ArgumentReader::operator()(const char* field, bool& x) {
  const Napi::Value value = take(field);
  if (value.IsUndefined()) return;
  if (!value.IsBoolean()) throw Error(op_, std::string("true or false as ") + field, kind_of(value));
  x = value.As<Napi::Boolean>().Value();
}

void ArgumentReader::operator()(const char* field, Choice& x) {
  const Napi::Value value = take(field);
  if (value.IsUndefined()) return;
  const std::string word = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  std::string known;
  for (size_t i = 0; i < x.words.size(); ++i) {
    if (word == x.words[i]) {
      x.value = static_cast<int>(i);
      return;
    }
    known += (i ? ", " : "") + std::string(x.words[i]);
  }
  throw Error(op_, std::string(field) + " out of " + known, kind_of(value));
}

void ArgumentReader::operator()(const char* field, Integers& x) {
  const Napi::Value value = take(field);
  if (!value.IsUndefined()) x = to_integers(value, op_, field);
}

void ArgumentReader::finish() const {
  for (const std::string& name : skipped_)
    check(std::find(skippable_.begin(), skippable_.end(), name) != skippable_.end(), op_,
          "skip to name outputs that may be left out", "\"" + name + "\"");
  const Napi::Array names = arguments_.GetPropertyNames();
  if (names.Length() == taken_) return;
  std::string known;
  for (const std::string& field : fields_) known += (known.empty() ? "" : ", ") + field;
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string given = names.Get(i).ToString().Utf8Value();
    if (std::find(fields_.begin(), fields_.end(), given) == fields_.end())
      throw Error(op_, "arguments out of " + known, "\"" + given + "\"");
  }
}

}  // namespace videomae::addon
