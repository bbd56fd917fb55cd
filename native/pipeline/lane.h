// One thread of a pipeline and the job it runs.
#pragma once

#include <memory>
#include <thread>

#include "pipeline/pipeline.h"

namespace penstock::pipeline {

struct Pipeline::Lane {
  std::unique_ptr<session::RunControl> control;
  // The job from dequeue to the end of its run, else null; guarded by the pipeline's mutex_. Whoever compares it holds a reference to his
  // own job, so that no other job can have the same address.
  Job* current = nullptr;
  std::thread thread;
};

}  // namespace penstock::pipeline
