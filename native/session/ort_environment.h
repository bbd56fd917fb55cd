// ONNX Runtime of this process: one library, one environment, one thread pool.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "session/session.h"

namespace penstock::session {

struct OrtOptions {
  // Path of libonnxruntime.so.1.
  std::string library_path;
  // Threads of the one intra-op pool shared by every session; >= 1. Spinning is off.
  int intra_op_threads = 1;
};

struct SessionOptions {
  // The .onnx file. ONNX Runtime opens it itself, so external data files beside it work and are memory-mapped where it can.
  std::string model_path;
  // 0: use the process-wide pool; >= 1: a pool of this size for this session alone.
  int intra_op_threads = 0;
};

// Loads the library and creates the environment, once a process. Later calls with the same library succeed and change nothing; another
// library is refused. Never undone: ONNX Runtime cannot be unloaded safely. Errors: kOrtLibrary naming the path and the reason.
Status StartOrt(const OrtOptions& options);

// "1.29.0"; empty before StartOrt.
std::string OrtVersion();

// [any thread, blocks for as long as loading takes] Errors: kModelLoad with ONNX Runtime's reason (without paths), kClosed before StartOrt.
Result<std::shared_ptr<Session>> OpenOrtSession(const SessionOptions& options);

}  // namespace penstock::session
