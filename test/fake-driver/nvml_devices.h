// What every exported function of the fake NVML begins with.
#pragma once

#include "calls.h"
#include "functions.h"

namespace penstock::fake_driver {

// A handle is a place in a table that stays as it is; what it stands for is looked up in the script that holds now.
struct NvmlHandle {
  int gpu = 0;
  int mig = -1;  // -1 = the whole GPU
};

// Null when it is no handle of ours, or nothing stands behind it any more.
const NvmlHandle* Known(NvmlDevice device);
NvmlDevice HandleOf(int gpu, int mig);
const GpuScript& ScriptOf(const NvmlHandle& handle);

class NvmlCall {
 public:
  // Of the library as a whole.
  explicit NvmlCall(size_t function);
  // About a device. With `physical` a MIG device is refused as not supported: NVML reads such things of the whole GPU only.
  NvmlCall(size_t function, NvmlDevice device, bool physical = false);

  int code() const { return code_; }  // return it unless it is 0
  const NvmlHandle& handle() const { return *handle_; }
  const GpuScript& gpu() const { return ScriptOf(*handle_); }

 private:
  const NvmlHandle* handle_ = nullptr;
  int code_ = 0;
};

}  // namespace penstock::fake_driver
