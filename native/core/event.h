// A place in a device's stream: for the host to wait for, or another stream.
#pragma once

#include "core/plugin_loader.h"

namespace videomae {

class Event {
 public:
  explicit Event(Device device) : plugin_(plugin_of(device.kind)), device_(device.index) {
    call_plugin(plugin_.create_event, device_, &event_);
  }
  ~Event() {
    PluginError ignored;  // a device that has failed has said so where it was used
    plugin_.destroy_event(device_, event_, &ignored);
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(Stream stream) { call_plugin(plugin_.record, device_, event_, stream); }
  /// Makes a stream wait, not the host. An event never recorded holds nobody up.
  void hold_up(Stream stream) { call_plugin(plugin_.wait, device_, event_, stream); }
  bool finished() const {
    uint8_t yes = 0;
    call_plugin(plugin_.finished, device_, event_, &yes);
    return yes != 0;
  }
  /// Makes the host wait.
  void synchronize() { call_plugin(plugin_.synchronize_event, device_, event_); }

 private:
  const Plugin& plugin_;
  const int32_t device_;
  void* event_ = nullptr;
};

}  // namespace videomae
