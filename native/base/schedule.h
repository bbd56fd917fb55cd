// When requests are meant to leave: the arrival processes, seeded. The same options give the same moments everywhere.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"

namespace penstock {

enum class Arrivals : uint8_t {
  kConstant,
  kPoisson,
  kGamma,  // gaps of coefficient of variation 1 / sqrt(shape): bursts where the shape is below 1
  kTrace,
};

struct ScheduleOptions {
  Arrivals arrivals = Arrivals::kPoisson;
  double rate = 1;                // per second, > 0; a trace has its own
  double shape = 1;               // of kGamma, > 0
  std::vector<int64_t> trace_ns;  // of kTrace: from the start, never falling
  int64_t length_ns = 0;          // nothing is due at or after it
  uint64_t seed = 1;
};

class Schedule {
 public:
  // `options` outlives the schedule. Of `shares` threads that split it, number `share` gets each `shares`-th moment.
  Schedule(const ScheduleOptions& options, uint64_t share, uint64_t shares)
      : options_(options), random_(options.seed), share_(share), shares_(shares) {}

  // Nanoseconds from the start, never falling; kNever after the last.
  int64_t Next();

 private:
  int64_t NextOfAll();

  const ScheduleOptions& options_;
  Random random_;
  const uint64_t share_;
  const uint64_t shares_;
  uint64_t made_ = 0;
  double now_ns_ = 0;
};

// Of a trace file: a line for each request with its moment, decimal seconds from the start, never falling, up to kLongestTraceSeconds.
// Empty lines and those that begin with # are left out. kConfigOption names the line that is wrong.
Result<std::vector<int64_t>> ParseTrace(std::string_view text);
inline constexpr double kLongestTraceSeconds = 1e6;

}  // namespace penstock
