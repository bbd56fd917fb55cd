#include "device/gpu_fault.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace penstock::device {

// The numbers and what they leave behind: "Data types used by CUDA driver" (CUresult) in the CUDA driver API reference. Sticky are those
// of which it says that the process must be terminated and relaunched, and 709: we hold our context and never destroy it, so nothing of
// ours is left where it is gone. 35 is of the runtime API, whose codes ONNX Runtime reports.
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
    case 34:
      return FaultKind::kNoDevice;
    case 100:
      return worked_before ? FaultKind::kLost : FaultKind::kNoDevice;
    case 101:
      return worked_before ? FaultKind::kLost : FaultKind::kOther;
    case 999:
      return worked_before ? FaultKind::kLost : FaultKind::kRevoked;
    case 304:
      // Later on any failed system call gives it, for example one that locks pages: no proof against the device.
      return worked_before ? FaultKind::kOther : FaultKind::kRevoked;
    case 214:
    case 220:
      return FaultKind::kEcc;
    case 226:
      return FaultKind::kContainedMemory;
    case 802:
      return FaultKind::kNotReady;
    case 700:
    case 702:
    case 709:
    case 710:
    case 714:
    case 715:
    case 716:
    case 717:
    case 718:
    case 719:
    case 721:
    case 810:
    case 911:
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

Fault AtStart(Fault fault, const std::string& device_node) {
  if (fault.code != 100 && fault.code != 304 && fault.code != 999) return fault;
  const int node = open(device_node.c_str(), O_RDWR | O_CLOEXEC);
  const int error = node < 0 ? errno : 0;
  if (node >= 0) close(node);
  if (error == EPERM || error == EACCES) {
    fault.kind = FaultKind::kRevoked;
  } else if (fault.code != 100) {
    const bool gone = error == ENOENT || error == ENOTDIR || error == ENXIO || error == ENODEV;
    fault.kind = gone ? FaultKind::kRevoked : FaultKind::kOther;
  }
  if (error != 0) fault.text += "; " + device_node + ": " + std::strerror(error);
  return fault;
}

Status StatusOf(const Fault& fault) {
  if (fault.kind == FaultKind::kNone) return Status::Ok();
  return Status(StatusCodeOf(fault.kind), fault.text);
}

}  // namespace penstock::device
