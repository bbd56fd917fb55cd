// NVML, bound late: `libnvidia-ml.so.1` is opened at run time. Everything here may block for seconds when a GPU is sick.
#pragma once

#include <memory>
#include <string>

#include "device/nvml_api.h"

namespace penstock::device {

// Thread-safe, as NVML is. The library itself is never closed.
class Nvml {
 public:
  // [any thread] Opens the library and resolves it; nothing of NVML is called. Null when it is absent or too old, and `why` says which.
  static std::shared_ptr<const Nvml> Open(const std::string& library, std::string* why);

  const NvmlFunctions& functions() const { return functions_; }

  // "nvmlInit_v2: Unknown Error (999)".
  std::string TextOf(const char* call, int code) const;

  // Calls a function of the table; an optional one that this driver lacks answers "function not found".
  template <typename Function, typename... Arguments>
  static int Call(Function function, Arguments... arguments) {
    constexpr int kFunctionNotFound = 13;
    return function == nullptr ? kFunctionNotFound : function(arguments...);
  }

 private:
  Nvml() = default;
  NvmlFunctions functions_;
};

}  // namespace penstock::device
