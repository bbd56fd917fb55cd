// Drives a Batcher through a list of requests in virtual time, as a pipeline with its lanes and its timer does, without threads and
// without a clock. The same requests and run times give the same schedule, to the nanosecond.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "batching/batcher.h"

namespace penstock::simulation {

inline constexpr int64_t kNever = INT64_MAX;

struct Request {
  int64_t at_ns = 1;  // > 0
  int64_t rows = 1;
  uint64_t bytes = 0;
  uint64_t priority = 0;
  uint64_t timeout_us = 0;
  int64_t deadline_ns = 0;
  std::string group;
  int64_t cancelled_ns = kNever;  // when the client goes away, at or after at_ns
};

enum class Ending : uint8_t {
  kPending,    // none: the simulation ended without
  kRefused,    // when it was offered
  kDropped,    // by the batcher, before it ran
  kCancelled,  // by its client, queued or running
  kAnswered,
  kTaken,      // when the batcher was closed
};

struct Outcome {
  Ending ending = Ending::kPending;
  int64_t ended_ns = 0;
};

// Request with its place in the list.
struct SimulatedItem final : batching::QueueItem {
  size_t index = 0;
};

// Is told of all that goes on, in order. Every item passed is a SimulatedItem.
class Observer {
 public:
  using Items = std::vector<std::shared_ptr<batching::QueueItem>>;
  virtual ~Observer() = default;
  virtual void Offered(const std::shared_ptr<SimulatedItem>& item, const Status& status, int64_t now_ns) = 0;
  // Of Next on a free lane: what it dropped, started (nothing: empty), and until when it waits.
  virtual void Asked(int lane, const batching::Batcher::Step& step, int64_t now_ns) = 0;
  virtual void Expired(const std::vector<batching::Batcher::Dropped>& dropped, int64_t now_ns) = 0;
  virtual void Finished(int lane, int64_t now_ns) = 0;
  virtual void Removed(const SimulatedItem& item, bool was_queued, int64_t now_ns) = 0;
  virtual void Closed(const Items& taken, int64_t now_ns) = 0;
  // Everything due at this moment has happened, and every free lane that had a reason to ask has asked.
  virtual void Settled(int64_t now_ns) = 0;
};

class Simulator {
 public:
  struct World {
    std::function<int64_t(int64_t rows)> run_ns;  // how long the next run takes, > 0
    bool learn = true;         // the batcher is told of run times
    int64_t close_ns = kNever; // the batcher is closed then, nothing is offered or started after
    bool timer_last = false;   // of what is due at one moment, expiry comes last; else before arrivals and lanes that ask
    Observer* observer = nullptr;
  };

  // Both outlive the simulator. The batcher's lanes are all free. `requests` are in order of at_ns.
  Simulator(batching::Batcher* batcher, const std::vector<Request>& requests, World world);

  // Runs until nothing is left to happen, or until the batcher makes time stand still (which leaves requests pending). One outcome for each
  // request; kPending for one that was never offered because of the closing.
  std::vector<Outcome> Run();

 private:
  struct Lane {
    int64_t ends_ns = kNever;  // kNever: free
    Observer::Items batch;
  };

  int64_t NextEvent() const;
  void FinishLanes(int64_t now_ns);
  void FinishLane(size_t lane, bool learn, int64_t now_ns);
  void ExpireQueued(int64_t now_ns);
  void Cancel(size_t index, int64_t now_ns);
  void Close(int64_t now_ns);
  void Offer(size_t index, int64_t now_ns);
  void AskLanes(int64_t now_ns);
  void End(const batching::QueueItem& item, Ending ending, int64_t now_ns);
  void EndDropped(const std::vector<batching::Batcher::Dropped>& dropped, int64_t now_ns);

  batching::Batcher& batcher_;
  const std::vector<Request>& requests_;
  const World world_;
  std::vector<Lane> lanes_;
  std::vector<std::shared_ptr<SimulatedItem>> cancellable_;  // by request; null: never cancelled, or not accepted
  std::vector<size_t> cancellations_;                        // requests, in order of their cancelled_ns
  std::vector<Outcome> outcomes_;
  size_t next_request_ = 0;
  size_t next_cancellation_ = 0;
  int64_t wake_ns_ = kNever;  // a free lane asks again then
  bool ask_ = false;          // something has happened after which free lanes ask
  bool closed_ = false;
};

}  // namespace penstock::simulation
