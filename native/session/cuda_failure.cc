#include "session/cuda_failure.h"

#include <utility>

#include "session/ort_status.h"

namespace penstock::session {

Status ExplainCudaFailure(const OrtRuntime& runtime, const device::Gpu& gpu, const OrtStatus* status, StatusCode code,
                          std::string message) {
  const device::Fault fault = gpu.Ask();
  if (fault.kind != device::FaultKind::kNone && fault.kind != device::FaultKind::kOutOfMemory) return device::StatusOf(fault);
  if (fault.kind == device::FaultKind::kOutOfMemory || SaysGpuOutOfMemory(runtime.functions, status)) {
    gpu.CountOutOfMemory();
    return Status(StatusCode::kGpuMemory, std::move(message));
  }
  if (SaysOutOfMemory(runtime.functions, status)) return Status(StatusCode::kMemory, std::move(message));
  return Status(code, std::move(message));
}

}  // namespace penstock::session
