// One cell of the study of reference/batching.md: arrivals, a load, a curve, a deadline; served by the rule or eagerly; judged.
#pragma once

#include <cstdint>
#include <vector>

#include "simulation/arrivals.h"
#include "simulation/oracle.h"
#include "simulation/run_model.h"

namespace penstock::simulation {

inline constexpr int64_t kMostRows = 32;  // of a batch

struct Cell {
  RunCurve curve = kGpu;
  ArrivalPattern pattern = kOneRowPatterns[0];
  double load = 1;      // of lanes * 32 rows in the time of a full run
  double allowed = 3;   // from arrival to the end of the run, in times of a full run
  int lanes = 1;
  uint64_t seed = 1;
  int64_t rows = 20'000;

  int64_t allowed_ns() const { return static_cast<int64_t>(allowed * static_cast<double>(curve.Ns(kMostRows))); }
};

enum class Policy : uint8_t {
  kRule,
  kEager,  // the same batcher, told neither deadlines nor run times: refuses nothing and starts at once
};

struct Estimates {
  bool warmed_up = true;  // sizes 1, 2, 4 .. 32, three times each
  double factor = 1;      // of the truth
};

struct Served {
  int64_t offered_rows = 0;
  int64_t on_time_rows = 0;
  int64_t second_half_rows = 0;  // on time, of requests of the second half of the trace
  int64_t late_rows = 0;
  int64_t refused = 0;           // requests
  int64_t dropped = 0;
  int64_t p50_ns = 0;            // from arrival to the answer, of those answered
  int64_t p99_ns = 0;
};

std::vector<Arrival> ArrivalsOf(const Cell& cell);

Served Serve(const Cell& cell, const std::vector<Arrival>& arrivals, Policy policy, const Disturbance& disturbance = {},
             const Estimates& estimates = {});

// Most rows that could be on time, with undisturbed run times: exact for one lane and rows that come alone, else a bound.
int64_t BestOnTime(const Cell& cell, const std::vector<Arrival>& arrivals);

}  // namespace penstock::simulation
