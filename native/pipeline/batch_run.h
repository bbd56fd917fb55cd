// One batch on one lane: gather, run, split; and, when a run of several jobs fails, runs of fewer until only the guilty fail.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/status.h"
#include "pipeline/counters.h"
#include "pipeline/heartbeat.h"
#include "pipeline/job.h"
#include "pipeline/pad_rows.h"
#include "session/session.h"

namespace penstock::pipeline {

struct BatchRunOptions {
  // The first dimension of every tensor is the batch. It is then checked in the outputs of each run, also of one job alone: what a
  // request is told must not depend on its company. False: jobs come one by one, and their outputs pass through untouched.
  bool merge = false;
  // Pads each run to as many rows as the session likes best, but never beyond this many, and drops what the padding gives. 0: no padding.
  // Only for a model with the batch as first dimension of every tensor, whose rows do not depend on each other.
  int64_t pad_up_to_rows = 0;
  // Called with the size of each larger output of a run; the result lives as long as any view of that output. May be null.
  std::function<memory::Owner(uint64_t bytes)> charge;
  // Inputs that runs may get as rows that lie apart: InputsTakenApart of the session, or empty for none.
  std::vector<bool> apart;
  // Inputs whose rows are padded to the longest of a run, and outputs that are cut back to what each job sent. Null: jobs of a batch have
  // the same shapes. Needs `merge`.
  std::shared_ptr<const Ragged> ragged;
};

// What a job ends with whose client does not want it any more.
inline Status Cancelled() { return Status(StatusCode::kRequestCancelled, "the request was cancelled"); }

struct BatchEnd {
  bool in_one_go = false;          // one run was enough, and it succeeded
  int64_t rows_out_of_memory = 0;  // of the smallest run that did not fit into its GPU's memory; 0 = all did
};

// [lane thread] Runs `jobs` (one or more, of one group): each is `ended` then, with its `result` and its `timing` up to run_end_ns. A batch
// of n jobs takes one run, and at most 2 n - 1 when some of them fail. A GPU whose memory was not enough is told to release what it can.
// A job's status is that of its own last run: kRequestCancelled after `control` was terminated, kMemory, kModelRun, kGpuMemory; and
// kGpuFault and kGpuLost, which no further run is tried after. `heartbeat` (of this lane; null on a CPU) beats for each run.
BatchEnd RunBatch(const session::Session& session, session::RunControl& control, const BatchRunOptions& options,
                  const std::vector<std::shared_ptr<Job>>& jobs, Counters* counters, Heartbeat* heartbeat) noexcept;

}  // namespace penstock::pipeline
