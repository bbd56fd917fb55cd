// What no policy can beat: the most rows that could be answered on time by somebody who knows all arrivals and run times beforehand.
#pragma once

#include <cstdint>
#include <vector>

#include "simulation/arrivals.h"
#include "simulation/run_model.h"

namespace penstock::simulation {

// Exact, for one lane, requests of one row each, and the same time `allowed_ns` from arrival to the end of the run for all. `max_rows` a
// batch.
//
// Batches may be taken to hold neighbours in order of arrival: a row that a batch passes over can take the place of an older one in it
// (it came before the newest, and is due later than the oldest). So the state after deciding on the first i rows is how many of them were
// served, and what counts of it is when the lane is free at the earliest.
int64_t MostRowsOnTime(const std::vector<Arrival>& arrivals, const RunCurve& curve, int64_t max_rows, int64_t allowed_ns);

// A bound that need not be reachable, for any lanes and sizes: rows are served one by one, can be interrupted, and take a share of
// the batch that serves most rows a second, on one machine as fast as all lanes.
int64_t RowsOnTimeBound(const std::vector<Arrival>& arrivals, const RunCurve& curve, int64_t max_rows, int lanes, int64_t allowed_ns);

}  // namespace penstock::simulation
