// Finds and opens plug-ins, when a device is first asked for. A plug-in lies beside the library that this code is in,
// or where VIDEOMAE_CUDA_PLUGIN or VIDEOMAE_EMU_PLUGIN says. Once open it stays: its kernels may be at work at any
// time.
#pragma once

#include <string>

#include "core/error.h"
#include "core/plugin.h"

namespace videomae {

/// The plug-in of a kind of device. Throws Error saying exactly why there is none: no driver, one too old, no GPU that
/// will do, no plug-in, or one of another version.
const Plugin& plugin_of(DeviceKind kind);

/// The number of devices of a kind, 1 for the CPU. Throws like plugin_of().
int device_count(DeviceKind kind);

/// Calls a function of a plug-in; its PluginError is thrown as an Error.
template <class Function, class... Arguments>
void call_plugin(Function function, Arguments... arguments) {
  PluginError error;
  if (!function(arguments..., &error)) throw Error(error.op, error.expected, error.got, error.hint);
}

}  // namespace videomae
