// The engine room of one model version: the batcher that says what runs next, and the lanes (threads) that run it over one shared session.
//
// Thread-safe. Every accepted job gets exactly one final outcome, also when the pipeline is closed with work in it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "batching/batcher.h"
#include "pipeline/batch_order.h"
#include "pipeline/batch_run.h"
#include "pipeline/counters.h"
#include "pipeline/deadline_thread.h"
#include "pipeline/job.h"
#include "pipeline/spinner.h"
#include "pipeline/warm_up.h"
#include "pipeline/watchdog.h"
#include "session/session.h"

namespace penstock::pipeline {

struct PipelineOptions {
  std::string model;  // name and version, for messages
  batching::BatchingOptions batching;  // its `lanes` are threads
  std::vector<RunSample> run_samples;  // of a warm-up; empty: run times are learned from requests alone
  // Batches are padded to the rows that the session likes best, never beyond batching.max_batch_rows; see BatchRunOptions.
  bool pad = false;
  std::shared_ptr<const Ragged> ragged;  // null: only equal shapes share a batch; see BatchRunOptions
  SpinOptions spin;
  std::shared_ptr<Watchdog> watchdog;  // of runs on GPUs; null: nobody watches
  std::shared_ptr<RunHistory> run_history;  // of whatever else the watchdog sees of this version; null: of its lanes alone
  std::function<memory::Owner(uint64_t bytes)> charge;  // counts outputs against the server's limits; see BatchRunOptions
};

class Pipeline {
 public:
  // Starts the lanes. Throws std::system_error when the machine has no more threads; none is left behind then.
  Pipeline(std::shared_ptr<const session::Session> session, PipelineOptions options);
  // Calls Close().
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // [any thread] Takes `*job` (leaving null) only when it returns OK; nothing is called back otherwise. Its inputs may have been moved to
  // other memory all the same.
  // Errors: those of Batcher::Offer; after Close its reason.
  Status Submit(std::shared_ptr<Job>* job);

  // [any thread] A queued job leaves the queue and ends with kRequestCancelled before this returns. A running one is marked and ends so
  // with its batch, which is told to stop when nobody in it wants an answer any more. Nothing happens to a job that has ended.
  void Cancel(const std::shared_ptr<Job>& job);

  // [any thread but a lane] Refuses new jobs, ends queued ones with `reason`, terminates running ones (they end with `reason` too), joins
  // the lanes. May be repeated; the first reason stays. A graceful end needs no call: a version is destroyed when its last job has gone.
  void Close(Status reason = Unloading());
  // kModelNotReady: what clients of a model that is going away are told; they may retry.
  static Status Unloading();

  Counters& counters() { return counters_; }
  const Counters& counters() const { return counters_; }
  const session::Session& session() const { return *session_; }
  // Jobs waiting, not yet taken by a lane.
  size_t queue_length() const;
  // Rows that batches may have now, fewer than configured after a GPU ran out of memory; 0 = no limit. See Batcher::OutOfMemory.
  int64_t batch_limit() const;

 private:
  struct Lane;
  void RunLane(Lane* lane);
  // Returns when something may have changed for this lane, at the latest at until_ns; releases *lock meanwhile.
  void AwaitNews(Lane* lane, std::unique_lock<std::mutex>* lock, int64_t until_ns);
  void RunCurrent(Lane* lane, int64_t started_ns);

  // With mutex_ held: tells spinning lanes that there may be something to start. True: none was spinning, so notify one that sleeps.
  bool Announce();
  // Likewise, when work has left the queue: what is still in it may be another lane's now, have another head or a size that is preferred.
  bool AnnounceRest();
  // With mutex_ held: sees to it that the alarm rings when the next queued job expires. It may ring too early, never too late.
  // Cannot fail, because the job that it is called for has been taken already.
  void SetAlarm() noexcept;
  // [deadline thread] Ends what has waited too long.
  void Expire();

  // The following are called without mutex_; they hand over the one outcome of jobs that are neither queued nor running any more.
  void Finish(Job* job, Status status, std::vector<session::Tensor> outputs);
  void HandOver(EndedBatch batch);
  void EndDropped(std::vector<batching::Batcher::Dropped> dropped, int64_t now_ns);

  const std::shared_ptr<const session::Session> session_;
  const batching::BatchingOptions batching_;
  const BatchRunOptions run_options_;
  Counters counters_;
  // Guards batcher_, closed_, close_reason_, the plain counts below, every lane's `current` and the reset of its control.
  mutable std::mutex mutex_;
  std::condition_variable work_;
  batching::Batcher batcher_;
  bool closed_ = false;
  Status close_reason_;
  std::atomic<uint64_t> news_{0};  // changed with mutex_ held; spinning lanes read it without
  int spinning_ = 0;               // lanes that will look for work once more before they sleep
  int sleeping_ = 0;
  uint64_t batches_started_ = 0;
  int64_t alarm_ns_ = INT64_MAX;
  std::unique_ptr<BatchOrder> order_;  // null: outcomes leave as they come
  std::mutex close_mutex_;             // one closer at a time
  std::vector<std::unique_ptr<Lane>> lanes_;
  Alarm alarm_;  // last: gone before what it rings for
};

}  // namespace penstock::pipeline
