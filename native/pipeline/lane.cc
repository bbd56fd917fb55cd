#include "pipeline/lane.h"

#include <pthread.h>

#include <chrono>
#include <utility>

#include "base/clock.h"
#include "pipeline/batch_run.h"

namespace penstock::pipeline {

// RunBatch answers for memory that runs out under requests. What is taken outside of it, here and on the way of outcomes, is some bytes a
// job: a process that cannot have those cannot answer anybody either, so std::bad_alloc ends it (as it does on the thread of the alarms).
void Pipeline::RunLane(Lane* lane) {
  pthread_setname_np(pthread_self(), "penstock-lane");
  for (;;) {
    std::vector<batching::Batcher::Dropped> dropped;
    bool wake = false;
    int64_t now_ns = 0;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      for (;;) {
        if (closed_) return;
        now_ns = MonotonicNs();
        batching::Batcher::Step step = batcher_.Next(lane->index, now_ns);
        dropped = std::move(step.dropped);
        for (auto& item : step.batch) lane->current.push_back(std::static_pointer_cast<Job>(std::move(item)));
        if (!lane->current.empty() || !dropped.empty()) break;
        AwaitNews(lane, &lock, step.wait_until_ns);
      }
      if (!lane->current.empty()) {
        // Under the same lock as Terminate: one meant for the last batch cannot hit this one.
        lane->control->Reset();
        lane->batch_number = batches_started_++;
        // One wake-up may have stood for several jobs; another lane may be able to start what is left.
        wake = AnnounceRest();
      }
    }
    if (wake) work_.notify_one();
    EndDropped(std::move(dropped), now_ns);
    if (!lane->current.empty()) RunCurrent(lane, now_ns);
  }
}

void Pipeline::AwaitNews(Lane* lane, std::unique_lock<std::mutex>* lock, int64_t until_ns) {
  // Only with nothing queued: work that waits for its moment gains nothing by a lane that spins.
  if (until_ns == INT64_MAX && lane->spinner.Claim(MonotonicNs())) {
    const uint64_t seen = news_.load(std::memory_order_relaxed);
    ++spinning_;
    lock->unlock();
    lane->spinner.Spin(news_, seen);
    lock->lock();
    --spinning_;
    if (news_.load(std::memory_order_relaxed) != seen) return;
  }
  ++sleeping_;
  if (until_ns == INT64_MAX) {
    work_.wait(*lock);
  } else {
    work_.wait_until(*lock, std::chrono::steady_clock::time_point(std::chrono::nanoseconds(until_ns)));
  }
  --sleeping_;
}

void Pipeline::RunCurrent(Lane* lane, int64_t started_ns) {
  for (const std::shared_ptr<Job>& job : lane->current) job->timing.dequeued_ns = started_ns;
  const BatchEnd end = RunBatch(*session_, *lane->control, run_options_, lane->current, &counters_, lane->heartbeat.get());
  EndedBatch ended;
  bool wake = false;
  int64_t ended_ns = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ns = MonotonicNs();
    batcher_.Finished(lane->index, ended_ns, end.in_one_go);
    if (end.rows_out_of_memory != 0) batcher_.OutOfMemory(end.rows_out_of_memory);
    ended.swap(lane->current);
    for (const std::shared_ptr<Job>& job : ended) {
      if (job->cancelled) {
        job->result = {Cancelled(), {}};
      } else if (closed_ && job->result.status.code() == StatusCode::kRequestCancelled) {
        job->result.status = close_reason_;
      }
    }
    // This lane is free now, but hands its outcomes over before it asks for more.
    wake = AnnounceRest();
  }
  if (wake) work_.notify_one();
  counters_.RecordLaneBusy(ended_ns - started_ns);
  if (order_ != nullptr) {
    order_->Ended(lane->batch_number, std::move(ended));
  } else {
    HandOver(std::move(ended));
  }
}

}  // namespace penstock::pipeline
