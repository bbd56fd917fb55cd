// What every session asks of ONNX Runtime, on the CPU and on a GPU alike.
#pragma once

#include "base/status.h"
#include "session/ort_environment.h"
#include "session/ort_handle.h"
#include "session/ort_runtime.h"

namespace penstock::session {

// Errors: kModelConfig, kModelLoad.
Result<OrtHandle<OrtSessionOptions>> NewSessionOptions(const OrtRuntime& runtime, const SessionOptions& options);

// Takes ownership of `status`. OK for null; otherwise "cannot load <file>: <ONNX Runtime's reason>".
Status TakeLoadStatus(const OrtRuntime& runtime, const SessionOptions& options, OrtStatus* status);

}  // namespace penstock::session
