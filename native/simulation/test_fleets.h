// Jobs for tests: one server that takes 5 ms for each request, alone, unless a test says otherwise.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <utility>

#include "simulation/fleet.h"

namespace penstock::simulation {

inline constexpr int64_t kMs = 1'000'000;
inline constexpr double kService = 0.005;

inline FleetJob JobOf(Arrivals arrivals, double rate, double seconds) {
  FleetJob job;
  job.arrivals.arrivals = arrivals;
  job.arrivals.rate = rate;
  job.arrivals.length_ns = static_cast<int64_t>(seconds * 1e9);
  job.arrivals.seed = 5;
  job.run_times = {{1, {5 * kMs}}};
  job.lane_slowdown = {1};
  return job;
}

// Requests at these moments, in milliseconds.
inline FleetJob JobOfMoments(std::initializer_list<int64_t> moments_ms) {
  FleetJob job = JobOf(Arrivals::kTrace, 1, 100);
  for (const int64_t ms : moments_ms) job.arrivals.trace_ns.push_back(ms * kMs);
  return job;
}

// The totals of a job that makes sense; of none, no requests.
inline FleetTotals TotalsOf(const FleetJob& job) {
  Result<FleetTotals> totals = SimulateFleet(job);
  return totals.ok() ? std::move(totals).value() : FleetTotals();
}

inline double SecondsAt(const FleetTotals& totals, double share) {
  return static_cast<double>(totals.latency.Quantile(share, static_cast<uint64_t>(totals.requests))) / 1e9;
}

}  // namespace penstock::simulation
