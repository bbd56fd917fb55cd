// ONNX Runtime's CUDA provider: libraries of its own beside the main one, and options by name.
#pragma once

#include <map>
#include <string>

#include "base/status.h"
#include "device/gpu.h"
#include "session/ort_runtime.h"

namespace penstock::session {

// Makes sessions of `session_options` run on `gpu`. The provider takes its stream itself (a stream of ours would be one for all lanes) and
// picks convolutions by cuDNN's heuristic unless `provider_options` say otherwise: its own choice tries every one out for each new shape.
// `graphs`: runs of the sessions can be recorded as CUDA graphs.
// Errors: kCudaProvider where the provider cannot be used, with what to do; kModelConfig naming an option that it refuses; kGpuFault,
// kGpuLost.
Status AppendCudaProvider(const OrtRuntime& runtime, const device::Gpu& gpu, const std::map<std::string, std::string>& provider_options,
                          bool graphs, OrtSessionOptions* session_options);

}  // namespace penstock::session
