// A run of a session of which whoever watches its GPU is told.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "pipeline/heartbeat.h"
#include "session/session.h"

namespace penstock::pipeline {

struct WatchedRun {
  Status status;
  int64_t end_ns = 0;
};

// [thread of `heartbeat`, which may be null] Session::Run, with kMemory when there is none for what it keeps of its own. `begin_ns`: now, or
// kUntimed.
WatchedRun RunWatched(const session::Session& session, const std::vector<session::Tensor>& inputs, const std::vector<size_t>& outputs,
                      session::RunControl& control, Heartbeat* heartbeat, int64_t begin_ns, std::vector<session::Tensor>* results);

}  // namespace penstock::pipeline
