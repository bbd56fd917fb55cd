// From ONNX Runtime's errors to ours.
#pragma once

#include <string>

#include "base/status.h"
#include "session/ort_api.h"

namespace penstock::session {

// Longest text that is kept of ONNX Runtime's message, in bytes.
constexpr size_t kOrtMessageLimit = 512;

// One line of what helps a reader of ONNX Runtime's message: without positions in its source, stack traces and control characters, with
// bare file names instead of paths, and without the host name and source text that follow a failure of CUDA. Paths are `model_path` (empty
// where there is none) and what lies under the same top folder; other texts with slashes are names that models give their nodes. Cut at
// kOrtMessageLimit, never inside a UTF-8 sequence.
std::string CleanOrtMessage(std::string message, const std::string& model_path);

// Whether a failed run says that memory ran out. ONNX Runtime gives such failures its general codes, so its text has to tell.
bool SaysOutOfMemory(const OrtFunctions& ort, const OrtStatus* status);

// The same of a session on a GPU, where memory of the device may have run out. Texts of ONNX Runtime's arena and of what its provider
// appends for the runtime, cuBLAS and cuDNN (core/providers/cuda/cuda_call.cc: "<library> failure <number>: <name>").
bool SaysGpuOutOfMemory(const OrtFunctions& ort, const OrtStatus* status);

// Takes ownership of `status`. OK for null; otherwise `code` with the cleaned message after `prefix`.
Status TakeOrtStatus(const OrtFunctions& ort, OrtStatus* status, StatusCode code, const std::string& prefix,
                     const std::string& model_path = {});

}  // namespace penstock::session
