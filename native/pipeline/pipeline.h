// The engine room of one model version: a bounded queue and the lanes (threads) that run it over one shared session.
//
// Thread-safe. Every accepted job gets exactly one final outcome, also when the pipeline is closed with work in it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/status.h"
#include "batching/batch_queue.h"
#include "pipeline/counters.h"
#include "pipeline/job.h"
#include "session/session.h"

namespace penstock::pipeline {

struct PipelineOptions {
  int lanes = 1;  // threads; >= 1
  batching::QueueLimits queue;
};

class Pipeline {
 public:
  // Starts the lanes. Throws std::system_error when the machine has no more threads; none is left behind then.
  Pipeline(std::shared_ptr<const session::Session> session, PipelineOptions options);
  // Calls Close().
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // [any thread] Takes `*job` (leaving null) only when it returns OK; nothing is called back otherwise.
  // Errors: kQueueFull; after Close its reason.
  Status Submit(std::shared_ptr<Job>* job);

  // [any thread] A queued job leaves the queue and ends with kRequestCancelled before this returns; a running one is told to stop and
  // ends soon. Nothing happens to a job that has ended.
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

 private:
  struct Lane;
  void RunLane(Lane* lane);
  void RunJob(Lane* lane, std::shared_ptr<Job> job);
  Status Execute(Lane* lane, Job* job, std::vector<session::Tensor>* outputs);
  // Hands over the one outcome of a job that is neither queued nor running any more. Call without mutex_.
  void Finish(Job* job, Status status, std::vector<session::Tensor> outputs);

  const std::shared_ptr<const session::Session> session_;
  Counters counters_;
  mutable std::mutex mutex_;  // guards queue_, closed_, close_reason_, every lane's `current` and the reset of its control
  std::condition_variable work_;
  batching::BatchQueue queue_;
  bool closed_ = false;
  Status close_reason_;
  std::mutex close_mutex_;    // one closer at a time
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace penstock::pipeline
