// What StartOrt made, for the other files of this folder. It lives until the process ends.
#pragma once

#include <string>

#include "session/ort_api.h"

namespace penstock::session {

// Of the library's own threads, which help lanes with runs: so that their CPU time can be told from that of the front ends.
inline constexpr char kOrtThreadName[] = "penstock-ort";

struct OrtRuntime {
  OrtFunctions functions;
  std::string version;
  std::string canonical_path;         // of the library
  std::string folder;                 // of the path that the library was opened by: where it looks for its provider libraries
  OrtEnv* env = nullptr;
  OrtMemoryInfo* cpu_memory = nullptr;  // describes bytes of ours that are lent to the library
  OrtAllocator* allocator = nullptr;    // for names, metadata and string tensors; belongs to the library, thread-safe
};

// [any thread] Null before StartOrt has succeeded.
const OrtRuntime* CurrentOrt();

}  // namespace penstock::session
