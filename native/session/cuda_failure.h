// Tells why ONNX Runtime has failed on a GPU.
#pragma once

#include <string>

#include "base/status.h"
#include "device/gpu.h"
#include "session/ort_runtime.h"

namespace penstock::session {

// The driver is asked first and its code decides: a broken context or a lost device is kGpuFault or kGpuLost with the driver's text. Only
// where it still answers, ONNX Runtime's text tells memory of the device that ran out (kGpuMemory, which is counted) and of the host
// (kMemory) from other failures, which get `code`. `status` stays the caller's; `message` is the text for these.
Status ExplainCudaFailure(const OrtRuntime& runtime, const device::Gpu& gpu, const OrtStatus* status, StatusCode code, std::string message);

}  // namespace penstock::session
