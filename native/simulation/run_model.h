// How long runs take in the simulated world: curves by rows, and what disturbs them (reference/batching.md 1).
#pragma once

#include <cstdint>

#include "base/random.h"

namespace penstock::simulation {

// A run of b rows takes fixed_ns + b * row_ns; with `steps`, as long as the next power of two of rows.
struct RunCurve {
  const char* name;
  int64_t fixed_ns;
  int64_t row_ns;
  bool steps;

  int64_t Ns(int64_t rows) const;
};

inline constexpr RunCurve kGpu{"gpu", 2'000'000, 50'000, false};  // fixed cost dominates
inline constexpr RunCurve kSmallGpu{"sgpu", 300'000, 10'000, false};
inline constexpr RunCurve kCpu{"cpu", 200'000, 1'000'000, false};  // rows do
inline constexpr RunCurve kGpuSteps{"gpustep", 2'000'000, 50'000, true};
inline constexpr RunCurve kCpuSteps{"cpustep", 200'000, 1'000'000, true};

struct Disturbance {
  double noise = 0;          // a run takes 1 - noise to 1 + noise of its time, uniformly
  double slow_share = 0;     // of runs that take slow_factor times as long: somebody else uses the device
  double slow_factor = 1;
  int64_t outlier_run = -1;  // this run, counted from 0, takes outlier_factor times as long
  double outlier_factor = 50;
};

// Run times as they happen, one after the other.
class RunModel {
 public:
  RunModel(const RunCurve& curve, const Disturbance& disturbance, uint64_t seed)
      : curve_(curve), disturbance_(disturbance), random_(seed) {}

  int64_t NextRunNs(int64_t rows);  // at least 1

 private:
  const RunCurve curve_;
  const Disturbance disturbance_;
  Random random_;
  int64_t runs_ = 0;
};

}  // namespace penstock::simulation
