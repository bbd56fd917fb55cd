#include "pipeline/pipeline.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/clock.h"
#include "pipeline/lane.h"
#include "pipeline/rows_apart.h"

namespace penstock::pipeline {
namespace {

FailureReason ReasonOf(StatusCode code) {
  switch (code) {
    case StatusCode::kRequestCancelled:
      return FailureReason::kCanceled;
    case StatusCode::kRequestTimeout:
    case StatusCode::kQueueFull:
    case StatusCode::kDeadlineUnreachable:
    case StatusCode::kModelNotReady:
    case StatusCode::kServerExiting:
      return FailureReason::kRejected;
    default:
      return FailureReason::kBackend;
  }
}

// Rows that may have to be padded are joined by the lane, which pads them on the way: in mapped memory they would be copied once for nothing.
std::vector<bool> TakenApart(const session::Session& session, const Ragged* ragged) {
  std::vector<bool> apart = InputsTakenApart(session);
  if (ragged == nullptr || apart.empty()) return apart;
  for (const RaggedInput& input : ragged->inputs) apart[input.input] = false;
  return apart;
}

}  // namespace

Pipeline::Pipeline(std::shared_ptr<const session::Session> session, PipelineOptions options)
    : session_(std::move(session)),
      batching_(options.batching),
      run_options_{options.batching.merge, options.pad ? options.batching.max_batch_rows : 0, std::move(options.charge),
                   options.batching.merge ? TakenApart(*session_, options.ragged.get()) : std::vector<bool>(), std::move(options.ragged)},
      batcher_(std::move(options.batching)),
      alarm_([this] { Expire(); }) {
  for (const RunSample& sample : options.run_samples) {
    // What two lanes do to each other says nothing where there is one.
    if (sample.busy <= batching_.lanes) batcher_.Learn(sample.busy, sample.rows, sample.ns);
  }
  if (batching_.preserve_ordering && batching_.lanes > 1) {
    order_ = std::make_unique<BatchOrder>([this](EndedBatch batch) { HandOver(std::move(batch)); });
  }
  const bool watched = options.watchdog != nullptr && !session_->gpus().empty();
  const std::shared_ptr<RunHistory> history = options.run_history != nullptr ? options.run_history : std::make_shared<RunHistory>();
  // What took long before anybody watched may take long again.
  for (const RunSample& sample : options.run_samples) history->Record(sample.ns);
  for (int i = 0; i < batching_.lanes; ++i) {
    std::unique_ptr<session::RunControl> control = session_->NewLaneControl();
    std::unique_ptr<Heartbeat> heartbeat;
    if (watched) heartbeat = options.watchdog->Watch(options.model, GpuOf(*session_, *control), history);
    lanes_.push_back(std::make_unique<Lane>(i, std::move(control), std::move(heartbeat), options.spin));
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
  // Also for what is refused below: its front end has read as many bytes from a socket before.
  if (!run_options_.apart.empty()) {
    MoveToMappedMemory(run_options_.apart, batching_.max_batch_rows, &session_->input_memory(), job->get());
  }
  Status status;
  bool wake = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) {
      status = close_reason_;
    } else {
      const int64_t now_ns = MonotonicNs();  // under the lock, so that the batcher's time never goes back
      (*job)->timing.accepted_ns = now_ns;
      std::shared_ptr<batching::QueueItem> item = *job;
      status = batcher_.Offer(&item, now_ns);
      if (status.ok()) {
        job->reset();
        SetAlarm();
        wake = Announce();
      }
    }
  }
  if (wake) work_.notify_one();
  if (!status.ok()) counters_.RecordFailure(FailureReason::kRejected, 0);
  return status;
}

bool Pipeline::Announce() {
  news_.fetch_add(1, std::memory_order_relaxed);
  return spinning_ == 0 && sleeping_ != 0;
}

bool Pipeline::AnnounceRest() { return batcher_.size() != 0 && Announce(); }

void Pipeline::Cancel(const std::shared_ptr<Job>& job) {
  bool wake = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!batcher_.Remove(job.get())) {
      for (const std::unique_ptr<Lane>& lane : lanes_) {
        if (std::find(lane->current.begin(), lane->current.end(), job) == lane->current.end()) continue;
        job->cancelled = true;
        // Those that have ended wait for the others of their batch, which runs in parts after a failure. A lane marks the one before it
        // looks for `cancelled` in the next part, and this looks for the mark after it has cancelled: one of the two sees the other.
        const auto wants_nothing = [](const std::shared_ptr<Job>& other) { return other->cancelled || other->ended; };
        if (std::all_of(lane->current.begin(), lane->current.end(), wants_nothing)) lane->control->Terminate();
      }
      return;
    }
    wake = AnnounceRest();
  }
  if (wake) work_.notify_one();
  Finish(job.get(), Cancelled(), {});
}

void Pipeline::Close(Status reason) {
  const std::lock_guard<std::mutex> closing(close_mutex_);
  std::vector<std::shared_ptr<batching::QueueItem>> queued;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!closed_) close_reason_ = std::move(reason);
    closed_ = true;
    queued = batcher_.TakeAll();
    Announce();
    for (const std::unique_ptr<Lane>& lane : lanes_) {
      if (!lane->current.empty()) lane->control->Terminate();
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
  return batcher_.size();
}

int64_t Pipeline::batch_limit() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return batcher_.batch_limit();
}

void Pipeline::SetAlarm() noexcept {
  const int64_t next_ns = batcher_.next_expiry_ns();
  if (next_ns >= alarm_ns_) return;
  alarm_ns_ = next_ns;
  alarm_.Set(next_ns);
}

void Pipeline::Expire() {
  std::vector<batching::Batcher::Dropped> dropped;
  int64_t now_ns = 0;
  bool wake = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    now_ns = MonotonicNs();
    alarm_ns_ = INT64_MAX;
    batcher_.Expire(now_ns, &dropped);
    SetAlarm();
    wake = AnnounceRest();
  }
  if (wake) work_.notify_one();
  EndDropped(std::move(dropped), now_ns);
}

void Pipeline::EndDropped(std::vector<batching::Batcher::Dropped> dropped, int64_t now_ns) {
  uint64_t early = 0;
  for (batching::Batcher::Dropped& drop : dropped) {
    const bool expired = drop.item->expires_ns != 0 && drop.item->expires_ns <= now_ns;
    if (!expired) ++early;
    Finish(static_cast<Job*>(drop.item.get()), std::move(drop.status), {});
  }
  if (early != 0) counters_.RecordDroppedAtDispatch(early);
}

void Pipeline::HandOver(EndedBatch batch) {
  for (std::shared_ptr<Job>& job : batch) {
    Finish(job.get(), std::move(job->result.status), std::move(job->result.outputs));
    // The job goes here, and with it perhaps the last reference to this pipeline's version: see Job::pipeline.
    job.reset();
  }
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
