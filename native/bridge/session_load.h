// Loads a model file on a thread of its own, for a promise of the environment that asked.
#pragma once

#include <napi.h>

#include "serving/engine.h"
#include "session/ort_environment.h"

namespace penstock::bridge {

// [JS thread] A promise of a session handle; rejected with the status of OpenOrtSession. The environment may end first: the session is
// dropped then. `engine` outlives the load.
Napi::Promise LoadSession(Napi::Env env, serving::Engine* engine, session::SessionOptions options);

}  // namespace penstock::bridge
