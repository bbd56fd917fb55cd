// One thread of a pipeline and the batch it runs.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "pipeline/heartbeat.h"
#include "pipeline/pipeline.h"
#include "pipeline/spinner.h"

namespace penstock::pipeline {

struct Pipeline::Lane {
  Lane(int own_index, std::unique_ptr<session::RunControl> own_control, std::unique_ptr<Heartbeat> own_heartbeat, const SpinOptions& spin)
      : index(own_index), control(std::move(own_control)), heartbeat(std::move(own_heartbeat)), spinner(spin) {}

  const int index;
  const std::unique_ptr<session::RunControl> control;
  const std::unique_ptr<Heartbeat> heartbeat;  // null on a CPU, or where nobody watches
  Spinner spinner;  // of the lane's thread
  // The batch from dispatch to the end of its last run, else empty. Only the lane's thread changes it, under the pipeline's mutex_, so that
  // this thread may read it without. Whoever looks for a job in it holds a reference to that job: no other can have the same address.
  std::vector<std::shared_ptr<Job>> current;
  uint64_t batch_number = 0;  // of `current`, counted in the order of starts
  std::thread thread;
};

}  // namespace penstock::pipeline
