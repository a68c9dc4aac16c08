// Stands in for a plug-in that needs a driver, of a version that is set when it is compiled. All it does is fail.
#include <cstring>

#include "core/plugin.h"

using namespace videomae;

namespace {

bool count(int32_t* devices, PluginError* error) {
  if (DEVICES > 0) return *devices = DEVICES, true;
  std::strcpy(error->op, "cudaGetDeviceCount"), std::strcpy(error->expected, "a GPU that works");
  std::strcpy(error->got, "error 3"), std::strcpy(error->hint, "restart it");
  return false;
}

bool matrix_library(PluginMatrixLibrary* library, PluginError*) {
  std::strcpy(library->name, "cuBLASLt 13.1.1"), std::strcpy(library->file, "/usr/lib/libcublasLt.so.13");
  library->reason[0] = 0;
  return true;
}

const Plugin plugin = [] {
  Plugin p{};
  p.version = plugin_version + NEWER, p.needs_driver = 1, p.count = count, p.matrix_library = matrix_library;
  return p;
}();

}  // namespace

extern "C" const Plugin* videomae_plugin() { return &plugin; }
