// The C interface of a plug-in: what computes on a device, as the addon sees it. Plain data and functions, so that no
// exception, no allocation and no library's version crosses; a function that fails fills a PluginError and returns
// false. The plug-in exports one symbol, `videomae_plugin`. It is opened when a device is first asked for, and stays.
//
// A device has two streams, each in order: kernels and most copies on one; batches that go up while it works on the
// other. Functions that take a stream return before the work is done, unless they say otherwise. All may be called from
// any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/device.h"

namespace videomae {

/// Changes with every change of this file. What an op looks like in memory has a number of its own, `layout`.
constexpr uint32_t plugin_version = 3;

/// The parts of an Error (core/error.h), cut to what fits.
struct PluginError {
  char op[64], expected[256], got[1024], hint[256];
};

enum class Stream : int32_t { compute, copy };

struct PluginDevice {
  char name[128];         // "NVIDIA H100 80GB HBM3"
  DeviceLimits limits;    // for kernels
  uint64_t memory_bytes;  // in all
  char software[64];      // that kernels run by: "CUDA 13.0, driver for CUDA 13.1"
};

/// The library that makes plain matrix products; the plug-in's own kernels make those that it does not.
struct PluginMatrixLibrary {
  char name[64];      // "cuBLASLt 13.1.1"; empty where there is none
  char file[512];     // where it was found
  char reason[1024];  // why there is none
};

/// Work of kernels that can stand in for one another (cuda/variants.h), as a device has met it.
struct PluginWork {
  const char* work;      // "gemm nt 5120 3072 768"
  const char* variants;  // that could do it, the default first: "mma wgmma"
  const char* chosen;    // one of them
};

/// The variant that a choice names for some work; empty where none does.
struct PluginChoice {
  char variant[64];
};

/// What measuring has found of one variant of a piece of work.
struct PluginMeasurement {
  const char *work, *op;           // "gemm nt 5120 3072 768" was met in "linear"
  const char *standard, *variant;  // the default, and what stood in for it
  double standard_ms, variant_ms;  // that the op takes with either: medians; 0 where results do not agree
  double difference, largest;      // of the results: root mean square, and of one number (cuda/agreement.h)
  const char* failure;             // why results do not agree; empty where they do
  uint8_t faster;                  // 1: they agree, and every time it was faster than the default by the margin
};

struct Plugin {
  uint32_t version;       // plugin_version; read before anything else
  uint32_t needs_driver;  // 1: of no use without NVIDIA's driver
  uint64_t layout;        // what its ops look like in memory: ops_layout() of ops/all.h

  /// How many devices there are.
  bool (*count)(int32_t* devices, PluginError*);
  bool (*describe)(int32_t device, PluginDevice*, PluginError*);
  /// Once, before all that follows: its compute stream, for kernels.
  bool (*open)(int32_t device, void** stream, PluginError*);

  /// Memory of the device, 256-byte aligned; null when there is not as much. Releasing waits for work that may use it.
  bool (*allocate)(int32_t device, size_t bytes, void** data, PluginError*);
  bool (*release)(int32_t device, void* data, PluginError*);
  /// Memory of the host that the device reads and writes at the same address, at any time.
  bool (*allocate_pinned)(int32_t device, size_t bytes, void** data, PluginError*);
  bool (*release_pinned)(int32_t device, void* data, PluginError*);

  /// Copies, in either direction and within the device; memory of the host is pinned.
  bool (*copy)(int32_t device, void* to, const void* from, size_t bytes, Stream, PluginError*);
  /// Sets every byte.
  bool (*fill)(int32_t device, void* to, uint8_t value, size_t bytes, Stream, PluginError*);

  /// An event is a place in a stream: the last at which it was recorded.
  bool (*create_event)(int32_t device, void** event, PluginError*);
  bool (*destroy_event)(int32_t device, void* event, PluginError*);
  bool (*record)(int32_t device, void* event, Stream, PluginError*);
  /// What is given to `stream` from now on begins after the event. The host does not wait.
  bool (*wait)(int32_t device, void* event, Stream, PluginError*);
  bool (*finished)(int32_t device, void* event, uint8_t* yes, PluginError*);
  /// The host waits for the event, or for all work of the device.
  bool (*synchronize_event)(int32_t device, void* event, PluginError*);
  bool (*synchronize)(int32_t device, PluginError*);

  /// Until end_capture, what this thread gives to the compute stream is recorded and not done. The graph is null when
  /// the capture was discarded. Waiting for the device inside a capture is an error, and spoils it.
  bool (*begin_capture)(int32_t device, PluginError*);
  bool (*end_capture)(int32_t device, uint8_t keep, void** graph, PluginError*);
  /// Does what was recorded, on the compute stream.
  bool (*launch)(int32_t device, void* graph, PluginError*);
  bool (*destroy_graph)(int32_t device, void* graph, PluginError*);

  /// Kernels, by the number of the op in ops.def: the op is its struct, the context a Context (ops/execute.h).
  bool (*workspace)(int32_t id, const void* op, size_t* bytes, PluginError*);
  bool (*run)(int32_t device, int32_t id, void* op, const void* context, PluginError*);
  const char* (*op_name)(int32_t id);
  /// Looks for the library at the first call. Fails where the user asks for one that is not there.
  bool (*matrix_library)(PluginMatrixLibrary*, PluginError*);

  // ---- kernels that can stand in for one another ----

  /// Takes the place of all choices of the device so far: "work = variant", one a line. Fails for a line that is none.
  bool (*set_variants)(int32_t device, const char* lines, PluginError*);
  bool (*choice)(int32_t device, const char* work, PluginChoice*, PluginError*);
  /// Calls `take`, which must not fail, for all work with variants that the device has met since its choices were set.
  bool (*works)(int32_t device, void* to, void (*take)(void* to, const PluginWork*), PluginError*);
  /// From 1 until 0: each op measures the variants of the work that it meets for the first time, and leaves the results
  /// of the defaults. 1 forgets what was measured before.
  bool (*measure)(int32_t device, uint8_t on, PluginError*);
  /// Calls `take`, which must not fail, for all that was measured, in that order.
  bool (*measurements)(int32_t device, void* to, void (*take)(void* to, const PluginMeasurement*), PluginError*);
};

/// The one exported symbol: a table that lives as long as the plug-in.
extern "C" typedef const Plugin* (*PluginEntry)();
constexpr const char* plugin_entry = "videomae_plugin";

}  // namespace videomae
