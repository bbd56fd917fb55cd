#include "bridge/simulate.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "bridge/js_values.h"
#include "simulation/fleet.h"

namespace penstock::bridge {
namespace {

using simulation::FleetJob;
using simulation::FleetTotals;

// Any finite number is read; which of them make sense, simulation/fleet_job.cc says.
constexpr double kFinite = 1e300;
// Fits 64 bits, and lies far beyond every duration that makes sense.
constexpr double kMostNs = 9e18;

constexpr double kShares[] = {0.5, 0.9, 0.95, 0.99, 0.999};
constexpr const char* kShareNames[] = {"p50", "p90", "p95", "p99", "p999"};

int64_t RoundedNs(double ns) { return std::llround(std::clamp(ns, -kMostNs, kMostNs)); }
int64_t SecondsToNs(double seconds) { return RoundedNs(seconds * 1e9); }
int64_t MsToNs(double ms) { return RoundedNs(ms * 1e6); }
int64_t UsToNs(double us) { return RoundedNs(us * 1e3); }
double NsToMs(int64_t ns) { return static_cast<double>(ns) / 1e6; }

double Decimal(ObjectReader& reader, const char* name) { return reader.Decimal(name, -kFinite, kFinite); }
std::vector<double> DecimalList(ObjectReader& reader, const char* name) { return reader.DecimalList(name, -kFinite, kFinite); }
int64_t Whole(ObjectReader& reader, const char* name) { return reader.Whole(name, -kMaxWhole, kMaxWhole); }

Arrivals ReadKind(ObjectReader& reader) {
  const std::string kind = reader.Text("kind");
  if (kind == "constant") return Arrivals::kConstant;
  if (kind == "poisson") return Arrivals::kPoisson;
  if (kind == "gamma") return Arrivals::kGamma;
  if (kind != "trace") reader.Complain("kind", "\"constant\", \"poisson\", \"gamma\" or \"trace\"");
  return Arrivals::kTrace;
}

void ReadArrivals(ObjectReader& job, ScheduleOptions* arrivals) {
  ObjectReader reader = job.Nested("arrivals");
  arrivals->arrivals = ReadKind(reader);
  arrivals->rate = Decimal(reader, "rate");
  arrivals->shape = Decimal(reader, "shape");
  for (const double seconds : DecimalList(reader, "momentsS")) arrivals->trace_ns.push_back(SecondsToNs(seconds));
  arrivals->length_ns = SecondsToNs(Decimal(reader, "lengthS"));
  job.Adopt(reader);
}

void ReadServers(ObjectReader& reader, FleetJob* job) {
  job->servers = Whole(reader, "servers");
  for (ObjectReader& item : reader.List("events")) {
    simulation::ServerEvent event;
    event.at_ns = SecondsToNs(Decimal(item, "atS"));
    event.server = Whole(item, "server");
    event.is_up = item.Flag("isUp");
    reader.Adopt(item);
    job->events.push_back(event);
  }
}

void ReadBatching(ObjectReader& job, FleetJob* fleet) {
  ObjectReader reader = job.Nested("batching");
  fleet->max_batch_rows = Whole(reader, "maxBatchRows");
  fleet->lanes = Whole(reader, "lanes");
  fleet->max_queue_delay_ns = UsToNs(Decimal(reader, "maxQueueDelayUs"));
  fleet->latency_goal_ns = MsToNs(Decimal(reader, "latencyGoalMs"));
  job.Adopt(reader);
}

void ReadFrontEnd(ObjectReader& job, FleetJob* fleet) {
  ObjectReader reader = job.Nested("frontEnd");
  fleet->front_end_threads = Whole(reader, "threads");
  fleet->front_end_ns = MsToNs(Decimal(reader, "perRequestMs"));
  fleet->fixed_ns = MsToNs(Decimal(reader, "fixedMs"));
  job.Adopt(reader);
}

FleetJob ReadJob(ObjectReader& reader) {
  FleetJob job;
  job.arrivals.seed = static_cast<uint64_t>(Whole(reader, "seed"));
  ReadArrivals(reader, &job.arrivals);
  job.rows_per_request = Whole(reader, "rowsPerRequest");
  job.warm_up_ns = SecondsToNs(Decimal(reader, "warmUpS"));
  ReadServers(reader, &job);
  ReadBatching(reader, &job);
  ReadFrontEnd(reader, &job);
  for (ObjectReader& item : reader.List("runTimes")) {
    simulation::RunQuantiles table;
    table.rows = Whole(item, "rows");
    for (const double ms : DecimalList(item, "quantilesMs")) table.quantiles_ns.push_back(MsToNs(ms));
    reader.Adopt(item);
    job.run_times.push_back(std::move(table));
  }
  job.lane_slowdown = DecimalList(reader, "laneSlowdown");
  job.runs_at_once = Whole(reader, "runsAtOnce");
  job.aside_ns = MsToNs(Decimal(reader, "asideMs"));
  job.goal_ns = MsToNs(Decimal(reader, "goalMs"));
  return job;
}

Napi::Object ResultObject(Napi::Env env, const FleetTotals& totals) {
  const auto whole = [env](int64_t value) { return Napi::Number::New(env, static_cast<double>(value)); };
  Napi::Object latency = Napi::Object::New(env);
  for (size_t i = 0; i < std::size(kShares); ++i) {
    const auto requests = static_cast<uint64_t>(totals.requests);
    const int64_t ns = requests == 0 ? kNever : totals.latency.Quantile(kShares[i], requests);
    latency.Set(kShareNames[i], ns == kNever ? env.Null() : Napi::Number::New(env, NsToMs(ns)));
  }
  Napi::Array batches = Napi::Array::New(env);
  for (const auto& [rows, runs] : totals.runs) {
    Napi::Object batch = Napi::Object::New(env);
    batch.Set("rows", whole(rows));
    batch.Set("runs", whole(runs));
    batches.Set(batches.Length(), batch);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("requests", whole(totals.requests));
  object.Set("answered", whole(totals.answered));
  object.Set("late", whole(totals.late));
  object.Set("refused", whole(totals.refused));
  object.Set("lost", whole(totals.lost));
  object.Set("latencyMs", latency);
  object.Set("maxAnsweredMs", Napi::Number::New(env, NsToMs(totals.latency.max_ns())));
  object.Set("batches", batches);
  object.Set("laneBusy", Napi::Number::New(env, totals.lane_up_ns > 0 ? totals.lane_busy_ns / totals.lane_up_ns : 0));
  return object;
}

// `stop`: null, or a word that another thread may set to something else than 0.
Result<FleetTotals> Run(const FleetJob& job, const int32_t* stop) {
  try {
    return simulation::SimulateFleet(job, [stop] { return stop != nullptr && __atomic_load_n(stop, __ATOMIC_RELAXED) != 0; });
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kMemory, "the machine has no memory left for this simulation");
  }
}

// The array lives as long as the call whose argument it is.
bool ReadStop(Napi::Value value, const int32_t** stop) {
  if (value.IsNull()) return true;
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) return false;
  const auto array = value.As<Napi::Int32Array>();
  *stop = array.Data();
  return array.ElementLength() > 0;
}

}  // namespace

Napi::Value Simulate(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  ObjectReader reader(info[0], "simulate");
  const FleetJob job = ReadJob(reader);
  if (!reader.status().ok()) {
    ThrowStatus(env, reader.status());
    return env.Undefined();
  }
  const int32_t* stop = nullptr;
  if (!ReadStop(info[1], &stop)) {
    ThrowStatus(env, Status(StatusCode::kInternal, "simulate.stop: expected an Int32Array with an element, or null"));
    return env.Undefined();
  }
  const Result<FleetTotals> totals = Run(job, stop);
  if (!totals.ok()) {
    const bool names_field = totals.status().code() == StatusCode::kConfigOption;
    ThrowStatus(env, Status(totals.status().code(), (names_field ? "simulate." : "") + totals.status().message()));
    return env.Undefined();
  }
  return ResultObject(env, totals.value());
}

}  // namespace penstock::bridge
