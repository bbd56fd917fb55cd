// From a model file to running lanes: the two steps that block, each as a promise.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "serving/engine.h"
#include "session/converting_session.h"
#include "session/ort_environment.h"

namespace penstock::bridge {

// [JS thread] A promise of a session handle; rejected with the status of OpenOrtSession. `engine` outlives the load.
Napi::Promise LoadSession(Napi::Env env, serving::Engine* engine, session::SessionOptions options);

// [JS thread] A promise of a NativeCreatedVersion; rejected with the status of WithConversions or ModelVersion::Create. `engine` outlives the
// load.
Napi::Promise LoadVersion(Napi::Env env, serving::Engine* engine, std::shared_ptr<session::Session> session,
                          std::vector<session::NamedConversion> conversions, serving::VersionSpec spec);

}  // namespace penstock::bridge
