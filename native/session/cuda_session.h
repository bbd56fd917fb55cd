// A model on one GPU, run by ONNX Runtime's CUDA provider.
#pragma once

#include <memory>

#include "base/status.h"
#include "device/gpu.h"
#include "session/ort_environment.h"
#include "session/ort_runtime.h"
#include "session/session.h"

namespace penstock::session {

// [any thread, blocks for as long as loading takes] One of the GPUs of `options`, or another. Errors: those of OpenOrtSession.
Result<std::shared_ptr<Session>> OpenCudaSession(const OrtRuntime& runtime, const SessionOptions& options,
                                                 std::shared_ptr<device::Gpu> gpu);

}  // namespace penstock::session
