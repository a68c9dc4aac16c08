// The plug-in's one exported symbol: the table of core/plugin.h over the runtime and the kernels. No exception leaves.
#include "core/plugin.h"

#include <algorithm>
#include <cstring>
#include <exception>

#include "cuda/cublaslt.h"
#include "cuda/kernels.h"
#include "cuda/measuring.h"
#include "cuda/runtime.h"
#include "cuda/variants.h"
#include "ops/execute.h"

namespace videomae::cuda {
namespace {

template <size_t size>
void put(char (&field)[size], const std::string& text) {
  const size_t length = std::min(text.size(), size - 1);
  std::memcpy(field, text.data(), length);
  field[length] = 0;
}

bool failed(PluginError* error, const Error& what) {
  put(error->op, what.op), put(error->expected, what.expected), put(error->got, what.got), put(error->hint, what.hint);
  return false;
}

template <class Body>
bool guarded(PluginError* error, const Body& body) {
  try {
    body();
    return true;
  } catch (const Error& what) {
    return failed(error, what);
  } catch (const std::exception& what) {
    return failed(error, Error("device", "work that succeeds", what.what()));
  } catch (...) {
    return failed(error, Error("device", "work that succeeds", "an exception of unknown type"));
  }
}

void give_works(int device, void* to, void (*take)(void*, const PluginWork*)) {
  for (const MetWork& met : met_works(device)) {
    std::string variants;
    for (const std::string& variant : met.variants) variants += (variants.empty() ? "" : " ") + variant;
    const PluginWork work{met.work.c_str(), variants.c_str(), met.chosen.c_str()};
    take(to, &work);
  }
}

void give_measurements(int device, void* to, void (*take)(void*, const PluginMeasurement*)) {
  for (const Measurement& m : measurements(device)) {
    const PluginMeasurement measured{m.work.c_str(),
                                     m.op,
                                     m.standard.c_str(),
                                     m.variant.c_str(),
                                     m.standard_ms,
                                     m.variant_ms,
                                     m.agreement.difference,
                                     m.agreement.largest,
                                     m.agreement.failure.c_str(),
                                     m.faster};
    take(to, &measured);
  }
}

const Plugin table = {
    plugin_version,
    runtime::needs_driver,
    ops_layout(),
    [](int32_t* devices, PluginError* e) { return guarded(e, [&] { *devices = runtime::count(); }); },
    [](int32_t d, PluginDevice* device, PluginError* e) { return guarded(e, [&] { *device = runtime::describe(d); }); },
    [](int32_t d, void** stream, PluginError* e) { return guarded(e, [&] { *stream = runtime::open(d); }); },
    [](int32_t d, size_t bytes, void** data, PluginError* e) {
      return guarded(e, [&] { *data = runtime::allocate(d, bytes); });
    },
    [](int32_t d, void* data, PluginError* e) { return guarded(e, [&] { runtime::release(d, data); }); },
    [](int32_t d, size_t bytes, void** data, PluginError* e) {
      return guarded(e, [&] { *data = runtime::allocate_pinned(d, bytes); });
    },
    [](int32_t d, void* data, PluginError* e) { return guarded(e, [&] { runtime::release_pinned(d, data); }); },
    [](int32_t d, void* to, const void* from, size_t bytes, Stream s, PluginError* e) {
      return guarded(e, [&] { runtime::copy(d, to, from, bytes, s); });
    },
    [](int32_t d, void* to, uint8_t value, size_t bytes, Stream s, PluginError* e) {
      return guarded(e, [&] { runtime::fill(d, to, value, bytes, s); });
    },
    [](int32_t d, void** event, PluginError* e) { return guarded(e, [&] { *event = runtime::create_event(d); }); },
    [](int32_t d, void* event, PluginError* e) { return guarded(e, [&] { runtime::destroy_event(d, event); }); },
    [](int32_t d, void* event, Stream s, PluginError* e) { return guarded(e, [&] { runtime::record(d, event, s); }); },
    [](int32_t d, void* event, Stream s, PluginError* e) { return guarded(e, [&] { runtime::wait(d, event, s); }); },
    [](int32_t d, void* event, uint8_t* yes, PluginError* e) {
      return guarded(e, [&] { *yes = runtime::finished(d, event); });
    },
    [](int32_t d, void* event, PluginError* e) { return guarded(e, [&] { runtime::synchronize_event(d, event); }); },
    [](int32_t d, PluginError* e) { return guarded(e, [&] { runtime::synchronize(d); }); },
    [](int32_t d, PluginError* e) { return guarded(e, [&] { runtime::begin_capture(d); }); },
    [](int32_t d, uint8_t keep, void** graph, PluginError* e) {
      return guarded(e, [&] { *graph = runtime::end_capture(d, keep != 0); });
    },
    [](int32_t d, void* graph, PluginError* e) { return guarded(e, [&] { runtime::launch(d, graph); }); },
    [](int32_t d, void* graph, PluginError* e) { return guarded(e, [&] { runtime::destroy_graph(d, graph); }); },
    [](int32_t id, const void* op, size_t* bytes, PluginError* e) {
      return guarded(e, [&] { *bytes = workspace_of_op(id, op); });
    },
    [](int32_t d, int32_t id, void* op, const void* context, PluginError* e) {
      return guarded(e, [&] { run_op(d, id, op, *static_cast<const Context*>(context)); });
    },
    name_of_op,
    [](PluginMatrixLibrary* library, PluginError* e) {
      return guarded(e, [&] {
        const CublasLtLibrary& found = cublaslt_library();
        put(library->name, found.name), put(library->file, found.file), put(library->reason, found.reason);
      });
    },
    [](int32_t d, const char* lines, PluginError* e) { return guarded(e, [&] { set_variants(lines, d); }); },
    [](int32_t d, const char* work, PluginChoice* choice, PluginError* e) {
      return guarded(e, [&] { put(choice->variant, choice_for(work, d)); });
    },
    [](int32_t d, void* to, void (*take)(void*, const PluginWork*), PluginError* e) {
      return guarded(e, [&] { give_works(d, to, take); });
    },
    [](int32_t d, uint8_t on, PluginError* e) {
      return guarded(e, [&] { on ? begin_measuring(d) : end_measuring(); });
    },
    [](int32_t d, void* to, void (*take)(void*, const PluginMeasurement*), PluginError* e) {
      return guarded(e, [&] { give_measurements(d, to, take); });
    },
};

}  // namespace
}  // namespace videomae::cuda

extern "C" __attribute__((visibility("default"))) const videomae::Plugin* videomae_plugin() {
  return &videomae::cuda::table;
}
