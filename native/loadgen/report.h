// The result of a run as one JSON document.
#pragma once

#include <string>

#include "loadgen/load_options.h"
#include "loadgen/load_run.h"

namespace penstock::loadgen {

inline constexpr double kConfidence = 0.95;

// Ends with a line break. Durations are milliseconds. A quantile counts misses as answers that never came: it is null where it lies among
// them, and an end of its interval is null where the values say nothing about it. `goal_blocks`: requests, and those that missed the goal,
// of each part of the time (totals.h); null without a goal.
std::string ReportJson(const LoadOptions& options, const LoadResult& result);

}  // namespace penstock::loadgen
