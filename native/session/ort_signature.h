// Reads what a loaded model declares about itself.
#pragma once

#include "base/status.h"
#include "session/ort_runtime.h"
#include "session/session.h"

namespace penstock::session {

// Errors: kModelLoad naming the tensor and its type, where the V2 protocol cannot carry it.
Result<Signature> ReadSignature(const OrtRuntime& runtime, const OrtSession* session);

}  // namespace penstock::session
