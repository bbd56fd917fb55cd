#include "pipeline/watched_run.h"

#include <new>

#include "base/clock.h"

namespace penstock::pipeline {

WatchedRun RunWatched(const session::Session& session, const std::vector<session::Tensor>& inputs, const std::vector<size_t>& outputs,
                      session::RunControl& control, Heartbeat* heartbeat, int64_t begin_ns, std::vector<session::Tensor>* results) {
  WatchedRun run;
  if (heartbeat != nullptr) heartbeat->Begin(control.IsFirstOfItsKind(inputs) ? kUntimed : begin_ns);
  try {
    run.status = session.Run(inputs, outputs, control, results);
  } catch (const std::bad_alloc&) {
    run.status = NoMemoryForRequest();
  }
  run.end_ns = MonotonicNs();
  if (heartbeat == nullptr) return run;
  if (run.status.code() == StatusCode::kGpuFault) heartbeat->Broke();
  heartbeat->End(run.end_ns, run.status.ok());
  return run;
}

}  // namespace penstock::pipeline
