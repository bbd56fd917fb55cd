// Random options, requests and run times, by a seed. For tests.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "batching/batching_options.h"
#include "simulation/run_model.h"
#include "simulation/simulator.h"

namespace penstock::simulation {

struct RandomSchedule {
  batching::BatchingOptions options;
  std::vector<Request> requests;
  RunCurve curve{"random", 1, 1, false};
  Disturbance disturbance;
  double warmed_up_with = 0;  // estimates as a factor of the truth; 0 = none
  int64_t close_ns = kNever;
  bool timer_last = false;
};

RandomSchedule MakeSchedule(uint64_t seed);

}  // namespace penstock::simulation
