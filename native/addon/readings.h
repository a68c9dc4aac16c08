// Reads of a script that wait for a device: promises that are kept when the copy has arrived. A thread of the device
// waits for all of them (core/download_thread.h), none of the few that Node has for files and names.
#pragma once

#include <condition_variable>
#include <mutex>

#include "addon/handle.h"
#include "core/accelerator.h"

namespace videomae::addon {

/// Those of one environment, a script's thread. All but what is said to be the device's thread's is that thread's.
class Readings {
 public:
  /// The environment's own; made at the first call, it ends with the environment.
  static Readings& of(Napi::Env env);

  explicit Readings(Napi::Env env);
  Readings(const Readings&) = delete;
  Readings& operator=(const Readings&) = delete;

  /// Begins to copy a tensor of a device into a script array of its dtype and size; a promise of the array.
  Napi::Value begin(const Tensor& t, const Napi::Object& array);

 private:
  struct Reading;

  /// Of the device's thread: the copy has arrived, or has failed.
  void arrived(Reading* reading);
  static void settle(Napi::Env env, Napi::Function, Readings* readings, Reading* reading);
  void end();

  using Script = Napi::TypedThreadSafeFunction<Readings, Reading, settle>;

  const Napi::Env env_;
  Script script_;
  int unsettled_ = 0;
  std::mutex mutex_;
  std::condition_variable all_arrived_;
  int awaited_ = 0;  // by threads of devices, which may still call the script
};

}  // namespace videomae::addon
