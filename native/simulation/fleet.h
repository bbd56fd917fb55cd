// Discrete-event simulation of a group of servers: the load generator's arrivals, routing, and on each server our own batcher, in virtual
// time with run times that were measured. Deterministic: the same job gives the same totals on the same machine
// with the same build; elsewhere the last digits of logarithms may differ.
#pragma once

#include <functional>

#include "base/status.h"
#include "simulation/fleet_job.h"
#include "simulation/simulated_server.h"

namespace penstock::simulation {

// Takes a second for a million or two of requests. Memory is that of the servers and of what waits in them, however many requests come.
// `stopped` is asked several times a second. kConfigOption names the field that is wrong (CheckFleetJob); kRequestCancelled: stopped.
Result<FleetTotals> SimulateFleet(const FleetJob& job, const std::function<bool()>& stopped = [] { return false; });

}  // namespace penstock::simulation
