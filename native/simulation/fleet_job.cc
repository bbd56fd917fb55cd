#include "simulation/fleet_job.h"

#include <algorithm>
#include <cstddef>
#include <string>

namespace penstock::simulation {
namespace {

constexpr double kMostRate = 1e9;
constexpr int64_t kLongestNs = 1'000'000'000'000'000;  // 11 days
constexpr int64_t kMostThreads = 1024;
constexpr double kMostSlowdown = 1000;
constexpr double kLeastShape = 0.001;
constexpr double kMostShape = 1e6;
// All runs one after the other must end before the nanoseconds do.
constexpr double kMostWorkNs = 4e18;

Status Wrong(const std::string& field, const std::string& expected) {
  return Status(StatusCode::kConfigOption, field + ": expected " + expected);
}

Status CheckRange(const char* field, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return Status::Ok();
  return Wrong(field, std::to_string(least) + " to " + std::to_string(most) + ", not " + std::to_string(value));
}

Status CheckDuration(const char* field, int64_t ns) {
  if (ns >= 0 && ns <= kLongestNs) return Status::Ok();
  return Wrong(field, "a duration of 0 to 11 days");
}

double ExpectedRequests(const FleetJob& job) {
  if (job.arrivals.arrivals == Arrivals::kTrace) return static_cast<double>(job.arrivals.trace_ns.size());
  return job.arrivals.rate * static_cast<double>(job.arrivals.length_ns) / static_cast<double>(kNsPerSecond);
}

Status CheckArrivals(const FleetJob& job) {
  const ScheduleOptions& arrivals = job.arrivals;
  PENSTOCK_RETURN_IF_ERROR(CheckDuration("arrivals.lengthS", arrivals.length_ns));
  if (arrivals.length_ns == 0) return Wrong("arrivals.lengthS", "more than 0");
  if (arrivals.arrivals == Arrivals::kGamma && !(arrivals.shape >= kLeastShape && arrivals.shape <= kMostShape)) {
    return Wrong("arrivals.shape", "0.001 to 1000000");
  }
  const char* source = "arrivals.momentsS";
  if (arrivals.arrivals == Arrivals::kTrace) {
    const std::vector<int64_t>& moments = arrivals.trace_ns;
    if (!std::is_sorted(moments.begin(), moments.end())) return Wrong(source, "moments that never fall");
    if (!moments.empty() && (moments.front() < 0 || moments.back() > kLongestNs)) return Wrong(source, "moments of 0 to 11 days");
  } else {
    source = "arrivals.rate";
    if (!(arrivals.rate > 0 && arrivals.rate <= kMostRate)) return Wrong(source, "more than 0 and at most 1e9");
  }
  if (ExpectedRequests(job) > static_cast<double>(kMostRequests)) {
    return Wrong(source, "at most " + std::to_string(kMostRequests) + " requests in a simulation: make it shorter, or split it");
  }
  return Status::Ok();
}

Status CheckServers(const FleetJob& job) {
  PENSTOCK_RETURN_IF_ERROR(CheckRange("servers", job.servers, 1, kMostServers));
  for (size_t i = 0; i < job.events.size(); ++i) {
    const std::string field = "events[" + std::to_string(i) + "]";
    if (job.events[i].server < 0 || job.events[i].server >= job.servers) return Wrong(field + ".server", "a server, counted from 0");
    PENSTOCK_RETURN_IF_ERROR(CheckDuration((field + ".atS").c_str(), job.events[i].at_ns));
  }
  PENSTOCK_RETURN_IF_ERROR(CheckRange("batching.maxBatchRows", job.max_batch_rows, 1, INT32_MAX));
  PENSTOCK_RETURN_IF_ERROR(CheckRange("rowsPerRequest", job.rows_per_request, 1, job.max_batch_rows == 1 ? INT32_MAX : job.max_batch_rows));
  PENSTOCK_RETURN_IF_ERROR(CheckRange("batching.lanes", job.lanes, 1, std::min<int64_t>(1024, kMostLanes / job.servers)));
  PENSTOCK_RETURN_IF_ERROR(CheckDuration("batching.maxQueueDelayUs", job.max_queue_delay_ns));
  PENSTOCK_RETURN_IF_ERROR(CheckDuration("batching.latencyGoalMs", job.latency_goal_ns));
  PENSTOCK_RETURN_IF_ERROR(CheckRange("frontEnd.threads", job.front_end_threads, 1, kMostThreads));
  PENSTOCK_RETURN_IF_ERROR(CheckDuration("frontEnd.perRequestMs", job.front_end_ns));
  PENSTOCK_RETURN_IF_ERROR(CheckDuration("frontEnd.fixedMs", job.fixed_ns));
  PENSTOCK_RETURN_IF_ERROR(CheckRange("runsAtOnce", job.runs_at_once, 1, kMostLanes));
  PENSTOCK_RETURN_IF_ERROR(CheckDuration("asideMs", job.aside_ns));
  if (job.lane_slowdown.empty()) return Wrong("laneSlowdown", "at least one factor");
  for (size_t i = 0; i < job.lane_slowdown.size(); ++i) {
    if (job.lane_slowdown[i] > 0 && job.lane_slowdown[i] <= kMostSlowdown) continue;
    return Wrong("laneSlowdown[" + std::to_string(i) + "]", "more than 0 and at most 1000");
  }
  return Status::Ok();
}

Status CheckRunTimes(const FleetJob& job) {
  if (job.run_times.empty()) return Wrong("runTimes", "at least one size of batch");
  for (size_t i = 0; i < job.run_times.size(); ++i) {
    const std::string field = "runTimes[" + std::to_string(i) + "]";
    const RunQuantiles& table = job.run_times[i];
    const int64_t before = i == 0 ? 0 : job.run_times[i - 1].rows;
    if (table.rows <= before || table.rows > INT32_MAX) return Wrong(field + ".rows", "rising numbers from 1 to 2147483647");
    const std::vector<int64_t>& quantiles = table.quantiles_ns;
    if (quantiles.empty()) return Wrong(field + ".quantilesMs", "at least one");
    if (!std::is_sorted(quantiles.begin(), quantiles.end())) return Wrong(field + ".quantilesMs", "times that never fall");
    if (quantiles.front() < 0 || quantiles.back() > kLongestNs) return Wrong(field + ".quantilesMs", "times of 0 to 11 days");
  }
  const double longest_run = RunTable(job.run_times).MostNs(std::max(job.max_batch_rows, job.rows_per_request)) *
                             *std::max_element(job.lane_slowdown.begin(), job.lane_slowdown.end());
  if ((longest_run + static_cast<double>(job.front_end_ns)) * std::max(1.0, ExpectedRequests(job)) > kMostWorkNs) {
    return Wrong("runTimes", "less work: all runs together would take a century");
  }
  return Status::Ok();
}

}  // namespace

Status CheckFleetJob(const FleetJob& job) {
  PENSTOCK_RETURN_IF_ERROR(CheckArrivals(job));
  PENSTOCK_RETURN_IF_ERROR(CheckDuration("warmUpS", job.warm_up_ns));
  PENSTOCK_RETURN_IF_ERROR(CheckServers(job));
  PENSTOCK_RETURN_IF_ERROR(CheckDuration("goalMs", job.goal_ns));
  return CheckRunTimes(job);
}

}  // namespace penstock::simulation
