#include "simulation/policy_run.h"

#include <algorithm>

#include "batching/batcher.h"
#include "simulation/simulator.h"

namespace penstock::simulation {
namespace {

void WarmUp(batching::Batcher* batcher, const Cell& cell, RunModel* runs, double factor) {
  for (int busy = 1; busy <= cell.lanes; ++busy) {
    for (int64_t rows = 1; rows <= kMostRows; rows *= 2) {
      for (int i = 0; i < 3; ++i) batcher->Learn(busy, rows, static_cast<int64_t>(factor * static_cast<double>(runs->NextRunNs(rows))));
    }
  }
}

// Nearest rank, of values that are put in order here; 0 of none.
int64_t Percentile(std::vector<int64_t>* values, double share) {
  if (values->empty()) return 0;
  const auto rank = static_cast<std::ptrdiff_t>(share * static_cast<double>(values->size() - 1));
  std::nth_element(values->begin(), values->begin() + rank, values->end());
  return (*values)[static_cast<size_t>(rank)];
}

Served Judge(const Cell& cell, const std::vector<Arrival>& arrivals, const std::vector<Outcome>& outcomes) {
  Served served;
  std::vector<int64_t> latencies;
  latencies.reserve(arrivals.size());
  for (size_t i = 0; i < arrivals.size(); ++i) {
    served.offered_rows += arrivals[i].rows;
    if (outcomes[i].ending == Ending::kRefused) ++served.refused;
    if (outcomes[i].ending == Ending::kDropped) ++served.dropped;
    if (outcomes[i].ending != Ending::kAnswered) continue;
    latencies.push_back(outcomes[i].ended_ns - arrivals[i].at_ns);
    if (latencies.back() > cell.allowed_ns()) {
      served.late_rows += arrivals[i].rows;
      continue;
    }
    served.on_time_rows += arrivals[i].rows;
    if (i >= arrivals.size() / 2) served.second_half_rows += arrivals[i].rows;
  }
  served.p50_ns = Percentile(&latencies, 0.5);
  served.p99_ns = Percentile(&latencies, 0.99);
  return served;
}

}  // namespace

std::vector<Arrival> ArrivalsOf(const Cell& cell) {
  const int64_t period_ns = cell.curve.Ns(kMostRows);
  const double rows_per_ns = cell.load * static_cast<double>(cell.lanes * kMostRows) / static_cast<double>(period_ns);
  return MakeArrivals(cell.pattern, rows_per_ns, period_ns, cell.rows, cell.seed);
}

Served Serve(const Cell& cell, const std::vector<Arrival>& arrivals, Policy policy, const Disturbance& disturbance,
             const Estimates& estimates) {
  batching::BatchingOptions options;
  options.lanes = cell.lanes;
  options.merge = true;
  options.max_batch_rows = kMostRows;
  batching::Batcher batcher(options);

  const bool rule = policy == Policy::kRule;
  if (rule && estimates.warmed_up) {
    RunModel warm_up(cell.curve, Disturbance{disturbance.noise, 0, 1, -1, 1}, cell.seed + 1);
    WarmUp(&batcher, cell, &warm_up, estimates.factor);
  }
  std::vector<Request> requests(arrivals.size());
  for (size_t i = 0; i < arrivals.size(); ++i) {
    requests[i].at_ns = arrivals[i].at_ns;
    requests[i].rows = arrivals[i].rows;
    if (rule) requests[i].deadline_ns = arrivals[i].at_ns + cell.allowed_ns();
  }
  RunModel runs(cell.curve, disturbance, cell.seed + 2);
  Simulator::World world;
  world.run_ns = [&runs](const RunStart& run) { return runs.NextRunNs(run.rows); };
  world.learn = rule;
  return Judge(cell, arrivals, Simulate(&batcher, requests, world));
}

int64_t BestOnTime(const Cell& cell, const std::vector<Arrival>& arrivals) {
  if (cell.lanes == 1 && !cell.pattern.mixed) return MostRowsOnTime(arrivals, cell.curve, kMostRows, cell.allowed_ns());
  return RowsOnTimeBound(arrivals, cell.curve, kMostRows, cell.lanes, cell.allowed_ns());
}

}  // namespace penstock::simulation
