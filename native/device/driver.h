// The CUDA driver, bound late: `libcuda.so.1` is opened at run time and its functions are resolved whole, or there is no driver.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "device/cuda_api.h"
#include "device/gpu_fault.h"

namespace penstock::device {

// Thread-safe; lives as long as anything that came from it. The library itself is never closed.
class Driver {
 public:
  // [any thread] Opens the library ("libcuda.so.1" is looked up as the loader does; a path with a slash is taken as it is), resolves every
  // function of cuda_api.h and calls cuInit. A machine without a driver is a normal state: the fault says kNoDevice ("libcuda.so.1: cannot
  // open shared object file ..."), kMismatch (a symbol is missing: "the driver is too old: cuXyz is missing"; codes 35, 803, 804), kNotReady
  // (802), or what else cuInit gave.
  static std::shared_ptr<const Driver> Open(const std::string& library, Fault* fault);

  const CudaFunctions& cuda() const { return functions_; }
  // What the driver supports: 13000 for CUDA 13.0.
  int version() const { return version_; }

  // The fault of a call that returned `code`; kNone for 0. `call` is the name of the function.
  Fault FaultOf(const char* call, CudaCode code, bool worked_before = true) const;

 private:
  Driver() = default;
  CudaFunctions functions_;
  int version_ = 0;
};

}  // namespace penstock::device
