// Our own batcher in virtual time, for worker threads of the planner. Needs no engine and nothing of the process's state.
#pragma once

#include <napi.h>

namespace penstock::bridge {

Napi::Value Simulate(const Napi::CallbackInfo& info);

}  // namespace penstock::bridge
