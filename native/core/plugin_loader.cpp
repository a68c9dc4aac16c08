#include "core/plugin_loader.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <vector>

#include "core/cuda_driver.h"

namespace videomae {
namespace {

/// The folder of the library that this function is in.
std::string own_folder() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&own_folder), &self) == 0) return ".";
  const std::string file = self.dli_fname;
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? "." : file.substr(0, slash);
}

/// Where a plug-in may lie. The emulator is never in the folder that is packaged, but beside that.
std::vector<std::string> places_of(DeviceKind kind) {
  const bool emulated = kind == DeviceKind::emu;
  const char* named = std::getenv(emulated ? "VIDEOMAE_EMU_PLUGIN" : "VIDEOMAE_CUDA_PLUGIN");
  if (named != nullptr && *named != 0) return {named};
  const std::string folder = own_folder(), file = std::string("/libvideomae_") + name_of(kind) + ".so";
  if (emulated) return {folder + file, folder + "/../Emulator" + file};
  return {folder + file};
}

const char* missing_hint(DeviceKind kind) {
  return kind == DeviceKind::emu ? "build it with npm run build:native -- --emulator"
                                 : "install the package's prebuilt binaries, or put nvcc of CUDA 13 on PATH and build "
                                   "with npx videomae build-native";
}

[[noreturn]] void refuse_missing(DeviceKind kind, const std::vector<std::string>& places) {
  std::string got = "no such file";
  for (const std::string& place : places) got += " " + place;
  const std::string expected = std::string("the plug-in libvideomae_") + name_of(kind) + ".so";
  if (kind == DeviceKind::cuda) {
    try {
      check_cuda_driver();
    } catch (const Error& driver) {
      throw Error("cuda", expected + ", and " + driver.expected, got + ", and " + driver.got, missing_hint(kind));
    }
  }
  throw Error(name_of(kind), expected, got, missing_hint(kind));
}

const Plugin* open_plugin(DeviceKind kind) {
  const std::vector<std::string> places = places_of(kind);
  std::string file;
  for (const std::string& place : places)
    if (file.empty() && access(place.c_str(), F_OK) == 0) file = place;
  if (file.empty()) refuse_missing(kind, places);
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  const std::string readable = "a plug-in that can be opened as " + file;
  if (library == nullptr) throw Error(name_of(kind), readable, dlerror(), "install the package again");
  const auto entry = reinterpret_cast<PluginEntry>(dlsym(library, plugin_entry));
  if (entry == nullptr)
    throw Error(name_of(kind), readable, std::string("a library without ") + plugin_entry, "install the package again");
  const Plugin* plugin = entry();
  if (plugin->version != plugin_version)
    throw Error(name_of(kind), "a plug-in of interface version " + std::to_string(plugin_version),
                "version " + std::to_string(plugin->version) + " in " + file,
                "the addon and its plug-in come from different releases: install the package again");
  if (plugin->needs_driver != 0) check_cuda_driver();
  return plugin;
}

}  // namespace

const Plugin& plugin_of(DeviceKind kind) {
  static std::mutex mutex;
  static const Plugin* open[3] = {};  // by DeviceKind
  std::lock_guard<std::mutex> lock(mutex);
  const Plugin*& plugin = open[static_cast<int>(kind)];
  if (plugin == nullptr) plugin = open_plugin(kind);
  return *plugin;
}

int device_count(DeviceKind kind) {
  if (kind == DeviceKind::cpu) return 1;
  int32_t count = 0;
  call_plugin(plugin_of(kind).count, &count);
  return count;
}

}  // namespace videomae
