// Conversion between a script's argument object and an op: visitors over the op's named fields.
#pragma once

#include "addon/handle.h"
#include "ops/op.h"

namespace videomae::addon {

/// An integer of a script: a number without fraction within 2^53. Throws Error otherwise.
int64_t to_integer(const Napi::Value& value, const char* op, const char* field);

/// An array of such integers.
Integers to_integers(const Napi::Value& value, const char* op, const char* field);

/// At most eight of them.
Shape to_shape(const Napi::Value& value, const char* op, const char* field);

DType to_dtype(const Napi::Value& value, const char* op);

/// "cpu", "emu", "cuda" or "cuda:1"; undefined is the CPU.
Device to_device(const Napi::Value& value, const char* op);

/// Fills an op's inputs and attributes from `{ x: handle, eps: 1e-6, skip: ["gradX"] }`. Absent attributes keep their
/// defaults; a name the op does not have is an error. A handle under the name of an output is what it is added to.
class ArgumentReader {
 public:
  ArgumentReader(const char* op, const Napi::Object& arguments);

  void operator()(const char* field, In& x);
  void operator()(const char* field, InOut& x);
  void operator()(const char* field, OptionalIn& x);
  void operator()(const char* field, InList& x);
  void operator()(const char*, Out&) {}
  void operator()(const char* field, OptionalOut& y);
  void operator()(const char* field, AddedOut& y);
  void operator()(const char* field, double& x);
  void operator()(const char* field, int64_t& x);
  void operator()(const char* field, bool& x);
  void operator()(const char* field, Choice& x);
  void operator()(const char* field, Integers& x);

  /// Throws Error when the script gave a name that was not asked for.
  void finish() const;

 private:
  Napi::Value take(const char* field);  // undefined when absent

  const char* op_;
  Napi::Object arguments_;
  std::vector<std::string> fields_, skipped_, skippable_;
  size_t taken_ = 0;
};

/// Collects the outputs that an op has made into `{ y: handle, mean: handle }`.
class ResultWriter {
 public:
  explicit ResultWriter(Napi::Env env) : result_(Napi::Object::New(env)) {}

  void operator()(const char* field, Out& y) { result_.Set(field, handle::wrap(result_.Env(), y.tensor)); }
  void operator()(const char* field, OptionalOut& y) {
    if (y.wanted) (*this)(field, static_cast<Out&>(y));
  }
  void operator()(const char* field, AddedOut& y) {
    if (!y.adds) (*this)(field, static_cast<OptionalOut&>(y));
  }
  template <class Other>
  void operator()(const char*, Other&) {}

  Napi::Object result() const { return result_; }

 private:
  Napi::Object result_;
};

}  // namespace videomae::addon
