#include "addon/readings.h"

#include <cstring>

#include "addon/functions.h"
#include "addon/script_arrays.h"
#include "core/sleep_until.h"

namespace videomae::addon {

struct Readings::Reading {
  const Tensor tensor;  // for its dtype and size
  const std::shared_ptr<PinnedMemory::Block> block;
  const Napi::ObjectReference array;
  const Napi::Promise::Deferred promise;
  std::unique_ptr<Error> failure;
};

Readings& Readings::of(Napi::Env env) {
  Readings* readings = env.GetInstanceData<Readings>();
  if (readings == nullptr) env.SetInstanceData(readings = new Readings(env));
  return *readings;
}

Readings::Readings(Napi::Env env) : env_(env), script_(Script::New(env, "videomae read", 0, 1, this)) {
  script_.Unref(env);  // it keeps the event loop alive while something is read, and no longer
  // Called before the function's own end, which does not wait for other threads.
  env.AddCleanupHook([this] { end(); });
}

Napi::Value Readings::begin(const Tensor& t, const Napi::Object& array) {
  Accelerator& accelerator = Accelerator::of(t.device());
  auto reading = std::unique_ptr<Reading>(new Reading{t,
                                                      accelerator.begin_download(t.data(), t.bytes()),
                                                      Napi::Persistent(array),
                                                      Napi::Promise::Deferred::New(env_),
                                                      {}});
  const Napi::Promise promise = reading->promise.Promise();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++awaited_;
  }
  if (unsettled_++ == 0) script_.Ref(env_);
  accelerator.when_downloaded(reading->block, [this, waiting = reading.get()](const Error* error) {
    if (error != nullptr) waiting->failure = std::make_unique<Error>(*error);
    arrived(waiting);
  });
  reading.release();  // settle() deletes it
  return promise;
}

void Readings::arrived(Reading* reading) {
  script_.NonBlockingCall(reading);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (--awaited_ == 0) all_arrived_.notify_all();
}

/// Without an environment when that has ended meanwhile: nobody waits for the promise.
void Readings::settle(Napi::Env env, Napi::Function, Readings* readings, Reading* arrived) {
  const std::unique_ptr<Reading> reading(arrived);
  if (static_cast<napi_env>(env) == nullptr) return;
  if (--readings->unsettled_ == 0) readings->script_.Unref(env);
  if (reading->failure) {
    reading->promise.Reject(to_script_error(env, *reading->failure).Value());
    return;
  }
  const Napi::Value array = reading->array.Value();
  try {
    std::memcpy(array_bytes(array, reading->tensor, "read"), reading->block->data(), reading->tensor.bytes());
    reading->promise.Resolve(array);
  } catch (const Error& error) {  // the array was transferred elsewhere meanwhile
    reading->promise.Reject(to_script_error(env, error).Value());
  }
}

void Readings::end() {
  std::unique_lock<std::mutex> lock(mutex_);
  sleep_until(all_arrived_, lock, [this] { return awaited_ == 0; });
}

}  // namespace videomae::addon
