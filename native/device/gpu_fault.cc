#include "device/gpu_fault.h"

namespace penstock::device {

FaultKind KindOf(CudaCode code, bool worked_before) {
  switch (code) {
    case 0:
      return FaultKind::kNone;
    case 2:
      return FaultKind::kOutOfMemory;
    case 35:
    case 803:
    case 804:
      return FaultKind::kMismatch;
    case 100:
      return worked_before ? FaultKind::kLost : FaultKind::kNoDevice;
    case 101:
      return worked_before ? FaultKind::kLost : FaultKind::kOther;
    case 999:
    case 304:
      return worked_before ? FaultKind::kLost : FaultKind::kRevoked;
    case 214:
      return FaultKind::kEcc;
    case 226:
      return FaultKind::kContainedMemory;
    case 802:
      return FaultKind::kNotReady;
    case 700:
    case 702:
    case 710:
    case 714:
    case 715:
    case 716:
    case 717:
    case 718:
    case 719:
      return FaultKind::kSticky;
    default:
      return FaultKind::kOther;
  }
}

bool IsFatal(FaultKind kind) {
  return kind == FaultKind::kSticky || kind == FaultKind::kContainedMemory || kind == FaultKind::kEcc || kind == FaultKind::kLost;
}

const char* CauseOf(FaultKind kind) {
  switch (kind) {
    case FaultKind::kNone:
      return "";
    case FaultKind::kSticky:
      return "sticky-error";
    case FaultKind::kContainedMemory:
      return "contained-memory-error";
    case FaultKind::kEcc:
      return "gpu-hw";
    case FaultKind::kLost:
      return "device-lost";
    case FaultKind::kOutOfMemory:
      return "oom";
    case FaultKind::kMismatch:
      return "driver-mismatch";
    case FaultKind::kNotReady:
      return "fabric-not-ready";
    case FaultKind::kNoDevice:
      return "no-device";
    case FaultKind::kRevoked:
      return "device-revoked";
    case FaultKind::kOther:
      return "cuda-error";
  }
  return "cuda-error";
}

StatusCode StatusCodeOf(FaultKind kind) {
  switch (kind) {
    case FaultKind::kNone:
      return StatusCode::kOk;
    case FaultKind::kOutOfMemory:
      return StatusCode::kGpuMemory;
    case FaultKind::kLost:
      return StatusCode::kGpuLost;
    case FaultKind::kMismatch:
    case FaultKind::kNotReady:
    case FaultKind::kNoDevice:
    case FaultKind::kRevoked:
      return StatusCode::kGpuUnavailable;
    default:
      return StatusCode::kGpuFault;
  }
}

Status StatusOf(const Fault& fault) {
  if (fault.kind == FaultKind::kNone) return Status::Ok();
  return Status(StatusCodeOf(fault.kind), fault.text);
}

}  // namespace penstock::device
