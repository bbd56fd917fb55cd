#include "pipeline/lane.h"

#include <pthread.h>

#include <new>
#include <utility>

#include "base/clock.h"
#include "pipeline/gather.h"

namespace penstock::pipeline {

void Pipeline::RunLane(Lane* lane) {
  pthread_setname_np(pthread_self(), "penstock-lane");
  std::vector<std::shared_ptr<batching::QueueItem>> expired;
  for (;;) {
    std::shared_ptr<Job> job;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      work_.wait(lock, [this] { return closed_ || queue_.size() != 0; });
      if (closed_) return;
      job = std::static_pointer_cast<Job>(queue_.Next(MonotonicNs(), &expired));
      if (job != nullptr) {
        // Under the same lock as Terminate: one meant for the last job cannot hit this one.
        lane->control->Reset();
        lane->current = job.get();
      }
    }
    for (const auto& item : expired) {
      Finish(static_cast<Job*>(item.get()), Status(StatusCode::kRequestTimeout, "Request timeout expired"), {});
    }
    expired.clear();
    if (job != nullptr) RunJob(lane, std::move(job));
  }
}

void Pipeline::RunJob(Lane* lane, std::shared_ptr<Job> job) {
  job->timing.dequeued_ns = MonotonicNs();
  std::vector<session::Tensor> outputs;
  Status status;
  try {
    status = Execute(lane, job.get(), &outputs);
  } catch (const std::bad_alloc&) {
    status = Status(StatusCode::kMemory, "the machine has no memory left for this request");
  }
  if (!status.ok()) outputs.clear();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    lane->current = nullptr;
    if (!status.ok() && job->cancelled) {
      status = Status(StatusCode::kRequestCancelled, "the request was cancelled");
    } else if (status.code() == StatusCode::kRequestCancelled && closed_) {
      status = close_reason_;
    }
  }
  Finish(job.get(), std::move(status), std::move(outputs));
  // The job goes here, and with it perhaps the last reference to this pipeline's version: see Job::pipeline.
}

Status Pipeline::Execute(Lane* lane, Job* job, std::vector<session::Tensor>* outputs) {
  Result<Gathered> gathered = Gather(&job->inputs);
  if (!gathered.ok()) return gathered.status();
  counters_.RecordInput(gathered.value().bytes_received, gathered.value().bytes_copied);
  job->timing.input_ready_ns = MonotonicNs();
  Status status = session_->Run(gathered.value().tensors, job->outputs, *lane->control, outputs);
  job->timing.run_end_ns = MonotonicNs();
  return status;
}

}  // namespace penstock::pipeline
