// What to simulate of a group of servers of one model, and the check that it makes sense. src/bridge/simulation.ts has the same fields.
#pragma once

#include <cstdint>
#include <vector>

#include "base/schedule.h"
#include "base/status.h"
#include "simulation/run_table.h"

namespace penstock::simulation {

inline constexpr int64_t kMostServers = 20'000;
inline constexpr int64_t kMostLanes = 1'000'000;      // of all servers
inline constexpr int64_t kMostRequests = 50'000'000;  // of one job: up to a minute of work, and 8 GB where all wait in an unbounded queue

// Moments are nanoseconds from the start, as durations are; at least 0.
struct ServerEvent {
  int64_t at_ns = 0;
  int64_t server = 0;
  bool is_up = false;
};

struct FleetJob {
  ScheduleOptions arrivals;  // of all servers together; its seed is that of everything
  int64_t rows_per_request = 1;
  int64_t warm_up_ns = 0;    // requests of that time are not counted
  int64_t servers = 1;  // each request goes to one of those that are up, by chance
  std::vector<ServerEvent> events;  // all servers are up before; in any order, of one moment in theirs
  int64_t max_batch_rows = 1;       // 1: every request runs alone, whatever its rows
  int64_t lanes = 1;                // of each server
  int64_t max_queue_delay_ns = 0;   // 0: the batcher decides itself
  int64_t latency_goal_ns = 0;      // 0 = none
  int64_t front_end_threads = 1;    // of each server
  int64_t front_end_ns = 0;         // that a thread has to do for a request
  int64_t fixed_ns = 0;             // that an answer takes besides
  std::vector<RunQuantiles> run_times;
  std::vector<double> lane_slowdown;  // by lanes of a server that run; more than it knows: as its last
  int64_t runs_at_once = kMostLanes;  // of each server: on a GPU further ones wait, in the order in which they ask (session/run_permits.h)
  int64_t aside_ns = 0;               // of a run's time, that it takes before and after its turn, one half each: copies to and from a GPU
  int64_t goal_ns = 0;                // answers that take longer are late; 0: none is
};

// kConfigOption with the field's name as in simulation.ts.
Status CheckFleetJob(const FleetJob& job);

}  // namespace penstock::simulation
