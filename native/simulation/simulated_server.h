// One server of a fleet in virtual time: front-end threads, then our own batcher with its lanes, then the answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/histogram.h"
#include "base/random.h"
#include "batching/batcher.h"
#include "simulation/fleet_job.h"
#include "simulation/simulator.h"

namespace penstock::simulation {

// The simulation begins here, because the moments of a batcher are above 0.
inline constexpr int64_t kStartNs = 1;

// Of requests that are counted, those after the warm-up.
struct FleetTotals {
  int64_t requests = 0;
  int64_t answered = 0;
  int64_t late = 0;     // of those answered
  int64_t refused = 0;  // at arrival, or dropped before they ran
  int64_t lost = 0;     // with their server, or because none was up
  Histogram latency;    // of answers, from the arrival
  std::map<int64_t, int64_t> runs;  // by rows, of those that began after the warm-up
  double lane_busy_ns = 0;          // within warm-up and end, of all lanes
  double lane_up_ns = 0;
};

// From when until when it is up. What it has at the end is lost; a new life begins empty.
struct Life {
  int64_t begin_ns = kStartNs;
  int64_t end_ns = kNever;
};

// Not to be moved: its simulator calls back.
class SimulatedServer {
 public:
  // `job`, which has been checked, `runs` and `totals` outlive it; lives follow each other. Servers of one fleet have different seeds.
  SimulatedServer(const FleetJob& job, const RunTable& runs, std::vector<Life> lives, uint64_t seed, FleetTotals* totals);
  SimulatedServer(const SimulatedServer&) = delete;
  SimulatedServer& operator=(const SimulatedServer&) = delete;

  // A request that comes during a life, after all that came before.
  void Arrive(int64_t at_ns) { inbox_.push_back(at_ns); }
  // All that happens before `end_ns`. Whatever arrives before has done so.
  void RunUntil(int64_t end_ns);
  // Has requests that count and have no end.
  bool IsBusy() const { return in_flight_ > 0 || inbox_next_ < inbox_.size(); }

 private:
  bool IsCounted(int64_t sent_ns) const { return sent_ns >= kStartNs + job_.warm_up_ns; }
  void BeginLife();
  void EndLife();
  void WarmUp();
  const Request* NextRequest();
  int64_t RunNs(const RunStart& run);
  int64_t TakeTurn(int64_t at_ns, int64_t run_ns);
  void Ended(const SimulatedItem& item, int64_t now_ns);
  void CountLaneTime(int64_t from_ns, int64_t to_ns, double lanes, double* total) const;

  const FleetJob& job_;
  const RunTable& runs_;
  const std::vector<Life> lives_;
  const bool learns_;
  FleetTotals& totals_;
  Random random_;
  size_t life_ = 0;
  std::unique_ptr<batching::Batcher> batcher_;  // null between two lives
  std::unique_ptr<Simulator> simulator_;
  std::vector<int64_t> inbox_;  // moments
  size_t inbox_next_ = 0;       // before it: in the front end or further
  std::vector<int64_t> thread_free_ns_;
  std::vector<int64_t> turn_free_ns_;  // one for each run that may go on at once
  size_t next_thread_ = 0;
  Request request_;       // that the front end hands over next
  int64_t in_flight_ = 0;  // counted requests past the inbox without an end
};

}  // namespace penstock::simulation
