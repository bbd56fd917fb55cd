// The functions that take the place of the real ones.
#pragma once

#include "session/ort_api.h"

namespace penstock::fake_ort {

// Provider options, sessions and options of runs.
void ReplaceSessions(session::OrtFunctions* functions);
// Bindings, runs with them, and values on a device.
void ReplaceBindings(session::OrtFunctions* functions);

}  // namespace penstock::fake_ort
