#include "pipeline/pipeline.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/clock.h"
#include "pipeline/lane.h"

namespace penstock::pipeline {
namespace {

FailureReason ReasonOf(StatusCode code) {
  switch (code) {
    case StatusCode::kRequestCancelled:
      return FailureReason::kCanceled;
    case StatusCode::kRequestTimeout:
    case StatusCode::kQueueFull:
    case StatusCode::kModelNotReady:
    case StatusCode::kServerExiting:
      return FailureReason::kRejected;
    default:
      return FailureReason::kBackend;
  }
}

}  // namespace

Pipeline::Pipeline(std::shared_ptr<const session::Session> session, PipelineOptions options)
    : session_(std::move(session)), queue_(options.queue) {
  const int count = std::max(options.lanes, 1);
  for (int i = 0; i < count; ++i) {
    lanes_.push_back(std::make_unique<Lane>());
    lanes_.back()->control = session_->NewRunControl();
  }
  try {
    for (const std::unique_ptr<Lane>& lane : lanes_) lane->thread = std::thread(&Pipeline::RunLane, this, lane.get());
  } catch (...) {
    Close();
    throw;
  }
}

Pipeline::~Pipeline() { Close(); }

Status Pipeline::Unloading() { return Status(StatusCode::kModelNotReady, "the model is being unloaded; retry later"); }

Status Pipeline::Submit(std::shared_ptr<Job>* job) {
  const int64_t now_ns = MonotonicNs();
  Status status;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) {
      status = close_reason_;
    } else {
      (*job)->timing.accepted_ns = now_ns;
      std::shared_ptr<batching::QueueItem> item = *job;
      status = queue_.Enqueue(&item, now_ns);
      if (status.ok()) job->reset();
    }
  }
  if (status.ok()) {
    work_.notify_one();
  } else {
    counters_.RecordFailure(FailureReason::kRejected, 0);
  }
  return status;
}

void Pipeline::Cancel(const std::shared_ptr<Job>& job) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!queue_.Remove(job.get())) {
      for (const std::unique_ptr<Lane>& lane : lanes_) {
        if (lane->current != job.get()) continue;
        job->cancelled = true;
        lane->control->Terminate();
      }
      return;
    }
  }
  Finish(job.get(), Status(StatusCode::kRequestCancelled, "the request was cancelled"), {});
}

void Pipeline::Close(Status reason) {
  const std::lock_guard<std::mutex> closing(close_mutex_);
  std::vector<std::shared_ptr<batching::QueueItem>> queued;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!closed_) close_reason_ = std::move(reason);
    closed_ = true;
    queued = queue_.TakeAll();
    for (const std::unique_ptr<Lane>& lane : lanes_) {
      if (lane->current != nullptr) lane->control->Terminate();
    }
  }
  work_.notify_all();
  for (const auto& item : queued) Finish(static_cast<Job*>(item.get()), close_reason_, {});
  for (const std::unique_ptr<Lane>& lane : lanes_) {
    if (lane->thread.joinable()) lane->thread.join();
  }
}

size_t Pipeline::queue_length() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return queue_.size();
}

void Pipeline::Finish(Job* job, Status status, std::vector<session::Tensor> outputs) {
  job->timing.completed_ns = MonotonicNs();
  if (status.ok()) {
    counters_.RecordSuccess(*job);
  } else {
    counters_.RecordFailure(ReasonOf(status.code()), job->timing.completed_ns - job->timing.accepted_ns);
  }
  job->inputs.clear();
  // Before the outcome leaves, so that a client that sees its answer and asks again finds the room it gave back.
  job->admission.reset();
  const std::shared_ptr<CompletionSink> sink = std::move(job->sink);
  sink->Complete(job->token, Outcome{std::move(status), std::move(outputs), job->timing, true});
}

}  // namespace penstock::pipeline
