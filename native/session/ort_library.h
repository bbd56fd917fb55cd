// The shared library of ONNX Runtime: opened at run time, so that nothing links against it.
#pragma once

#include <string>

#include "base/status.h"
#include "session/ort_api.h"

namespace penstock::session {

struct OrtLibrary {
  OrtFunctions functions;
  std::string version;  // "1.29.0"
};

// Opens the library at `path` for the rest of the process: its threads and static objects do not survive being unloaded.
// Errors: kOrtLibrary naming the path and what is wrong with it.
Result<OrtLibrary> OpenOrtLibrary(const std::string& path);

}  // namespace penstock::session
