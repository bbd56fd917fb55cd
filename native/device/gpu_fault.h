// What can go wrong with a GPU, told apart by the numbers that the driver gives, never by texts.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace penstock::device {

// CUresult of the driver API; 0 = success. An int here, so that no header of CUDA is needed.
using CudaCode = int;

// The rows of the failure table that a code of the driver can tell (reliability.md 3). The order is that of the table.
enum class FaultKind : uint8_t {
  kNone = 0,
  kSticky,           // 700, 702, 709, 710, 714 to 719, 721, 810, 911: the context is lost for good, the process must be started again
  kContainedMemory,  // 226: as sticky, but memory is to blame and not a model
  kEcc,              // 214, 220: uncorrectable error of memory or of NVLink; the device must be reset
  kLost,             // 101, 100 or 999 from a device that worked before: it has left the bus or has been taken away
  kOutOfMemory,      // 2: passes
  kMismatch,         // 803, 804, 35: driver and library, or driver and hardware, do not fit each other
  kNotReady,         // 802: a fabric manager that has not come up yet
  kNoDevice,         // 100 at start; 34: the library is the stub of a build image
  kRevoked,          // 999 or 304 at start or in a fresh look, with the device nodes gone: the container lost its devices (see AtStart)
  kOther,
};

// `worked_before`: this device has answered already; tells a lost one from a machine without any.
FaultKind KindOf(CudaCode code, bool worked_before);

// Nothing can be done in this process after such a fault: its context answers every call with the same code.
bool IsFatal(FaultKind kind);

// The word for it in logs, metrics and /ready: "sticky-error", "contained-memory-error", "gpu-hw", "device-lost", "oom", "driver-mismatch",
// "fabric-not-ready", "no-device", "device-revoked", "cuda-error"; "" for kNone.
const char* CauseOf(FaultKind kind);

// kGpuFault, kGpuLost, kGpuMemory or kGpuUnavailable, as the kind asks for.
StatusCode StatusCodeOf(FaultKind kind);

// One failed call.
struct Fault {
  FaultKind kind = FaultKind::kNone;
  CudaCode code = 0;
  // "cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY (2)": call, name and number as CUDA has them.
  std::string text;
};

// [may block for a moment] What a fault of the first calls means once the device node (/dev/nvidiactl) has been looked at: 100, 304 and 999
// are kRevoked where it may not be opened (a container whose device rules were dropped keeps the node), 304 and 999 also where it is gone,
// and kOther where it opens, because the driver itself is in trouble then. The text names what was found. Other faults stay as they are.
Fault AtStart(Fault fault, const std::string& device_node);

// OK for kNone.
Status StatusOf(const Fault& fault);

}  // namespace penstock::device
