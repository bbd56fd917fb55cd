// What the control plane asks about GPUs, and the records of memory that other answers hold.
#pragma once

#include <napi.h>

#include <vector>

#include "bridge/js_values.h"
#include "bridge/process_gpus.h"
#include "session/session.h"

namespace penstock::bridge {

// The field `gpu` of the options of the engine.
GpuSettings ReadGpuSettings(ObjectReader& options);

// A promise of what Gpus gives, after a second look on a loader thread.
Napi::Value FindGpus(const Napi::CallbackInfo& info);
Napi::Value Gpus(const Napi::CallbackInfo& info);
Napi::Value GpuStates(const Napi::CallbackInfo& info);

Napi::Array MemoryList(Napi::Env env, const std::vector<session::MemoryUse>& uses);

}  // namespace penstock::bridge
