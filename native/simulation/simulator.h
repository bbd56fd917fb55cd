// Drives a Batcher through a list of requests in virtual time, as a pipeline with its lanes and its timer does, without threads and
// without a clock. The same requests and run times give the same schedule, to the nanosecond.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "batching/batcher.h"

namespace penstock::simulation {

struct Request {
  int64_t at_ns = 1;    // > 0
  int64_t sent_ns = 0;  // for whoever measures: nothing here looks at it
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

// A request that has come.
struct SimulatedItem final : batching::QueueItem {
  size_t index = 0;  // it was so many-th
  int64_t sent_ns = 0;
  Ending ending = Ending::kPending;
};

// A run as it starts.
struct RunStart {
  int64_t rows = 0;
  int busy_lanes = 0;  // it included
  int64_t at_ns = 0;
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
    // The next request, in order of at_ns; null: there is none, for now. Asked again with the next RunUntil after null, else when the one
    // before has been offered; until then the request lives.
    std::function<const Request*()> next_request;
    std::function<int64_t(const RunStart&)> run_ns;  // how long it takes, > 0
    // Once for each request that was offered, except for those that are still pending when nobody calls RunUntil any more.
    std::function<void(const SimulatedItem&, int64_t now_ns)> ended;
    bool learn = true;         // the batcher is told of run times
    int64_t close_ns = kNever; // the batcher is closed then, nothing is offered or started after
    bool timer_last = false;   // of what is due at one moment, expiry comes last; else before arrivals and lanes that ask
    Observer* observer = nullptr;
  };

  // The batcher outlives the simulator. Its lanes are all free.
  Simulator(batching::Batcher* batcher, World world);

  // All that happens before `end_ns`, which never falls from call to call; kNever: until nothing is left to happen. Ends early when the
  // batcher makes time stand still.
  void RunUntil(int64_t end_ns);

 private:
  struct Lane {
    int64_t ends_ns = kNever;  // kNever: free
    Observer::Items batch;
  };

  int64_t NextEvent() const;
  void FinishLanes(int64_t now_ns);
  void FinishLane(size_t lane, bool learn, int64_t now_ns);
  void ExpireQueued(int64_t now_ns);
  void Cancel(SimulatedItem* item, int64_t now_ns);
  void Close(int64_t now_ns);
  void Offer(const Request& request, int64_t now_ns);
  void AskLanes(int64_t now_ns);
  void End(batching::QueueItem* item, Ending ending, int64_t now_ns);
  void EndDropped(const std::vector<batching::Batcher::Dropped>& dropped, int64_t now_ns);

  batching::Batcher& batcher_;
  const World world_;
  std::vector<Lane> lanes_;
  int busy_lanes_ = 0;
  std::multimap<int64_t, std::shared_ptr<SimulatedItem>> cancellations_;  // of accepted items, by when
  const Request* next_request_ = nullptr;
  size_t offered_ = 0;
  int64_t last_ns_ = -1;
  int64_t wake_ns_ = kNever;  // a free lane asks again then
  bool ask_ = false;          // something has happened after which free lanes ask
  bool closed_ = false;
};

// Runs until nothing is left to happen, or until the batcher makes time stand still (which leaves requests pending). One outcome for each
// of `requests`, which are in order of at_ns; kPending for one that was never offered because of the closing. `world` says nothing of them.
std::vector<Outcome> Simulate(batching::Batcher* batcher, const std::vector<Request>& requests, Simulator::World world);

}  // namespace penstock::simulation
