#include "bridge/gpu_queries.h"

#include <memory>
#include <string>

#include "base/clock.h"
#include "bridge/loader_thread.h"
#include "bridge/process_state.h"

namespace penstock::bridge {
namespace {

constexpr int64_t kMaxMs = 2147483647;
constexpr double kMaxComputeCapability = 100;

// The age in milliseconds of something that happened at `ns`; -1 when it never has.
double AgeMs(int64_t ns, int64_t now_ns) { return ns <= 0 ? -1 : static_cast<double>(now_ns - ns) / 1e6; }

void SetReadings(Napi::Object object, const device::GpuReadings& readings, int64_t now_ns) {
  const auto number = [&object](const char* name, double value) { object.Set(name, Napi::Number::New(object.Env(), value)); };
  const auto whole = [&number](const char* name, int64_t value) { number(name, static_cast<double>(value)); };
  const auto flag = [&object](const char* name, bool value) { object.Set(name, Napi::Boolean::New(object.Env(), value)); };
  number("nvmlAgeMs", AgeMs(readings.read_ns, now_ns));
  number("utilization", readings.utilization);
  whole("memoryUsedBytes", readings.memory_used_bytes);
  whole("memoryTotalBytes", readings.memory_total_bytes);
  number("powerWatts", readings.power_watts);
  number("powerLimitWatts", readings.power_limit_watts);
  number("energyJoules", readings.energy_joules);
  number("temperatureCelsius", readings.temperature_celsius);
  whole("throttleReasons", readings.throttle_reasons);
  flag("throttled", readings.throttled);
  whole("eccUncorrected", readings.ecc_uncorrected);
  whole("eccCorrected", readings.ecc_corrected);
  flag("remapPending", readings.remap_pending);
  flag("remapFailed", readings.remap_failed);
  number("pcieRxBytesPerSecond", readings.pcie_rx_bytes_per_second);
  number("pcieTxBytesPerSecond", readings.pcie_tx_bytes_per_second);
  whole("lastXid", readings.last_xid);
  Napi::Array xids = Napi::Array::New(object.Env(), readings.recent_xids.size());
  for (uint32_t i = 0; i < readings.recent_xids.size(); ++i) xids.Set(i, static_cast<double>(readings.recent_xids[i]));
  object.Set("recentXids", xids);
  whole("xidCount", static_cast<int64_t>(readings.xid_count));
  whole("recoveryAction", readings.recovery_action);
  flag("lost", readings.lost);
  flag("revoked", readings.revoked);
  flag("gone", readings.gone);
}

// Of a device::ProbeState or a serving::CanaryState.
template <typename State>
Napi::Object ProbeObject(Napi::Env env, const State& probe, double age_ms) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("runs", JsNumber(env, probe.runs));
  object.Set("mismatches", JsNumber(env, probe.mismatches));
  object.Set("consecutiveMismatches", JsNumber(env, probe.consecutive_mismatches));
  object.Set("consecutiveFailures", JsNumber(env, probe.consecutive_failures));
  object.Set("text", probe.text);
  object.Set("ageMs", Napi::Number::New(env, age_ms));
  return object;
}

Napi::Object GpuObject(Napi::Env env, const device::GpuInfo& info, uint32_t index) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("uuid", info.uuid);
  object.Set("name", info.name);
  object.Set("index", Napi::Number::New(env, index));
  object.Set("totalBytes", JsNumber(env, info.total_bytes));
  object.Set("computeCapability", std::to_string(info.compute_major) + "." + std::to_string(info.compute_minor));
  object.Set("mig", Napi::Boolean::New(env, info.is_mig));
  return object;
}

Napi::Value GpuReport(Napi::Env env) {
  const ProcessGpus* gpus = ProcessState::Get().gpus();
  const device::Gpus none;
  const device::Gpus& found = gpus == nullptr ? none : gpus->found();
  Napi::Array list = Napi::Array::New(env, found.list.size());
  for (uint32_t i = 0; i < found.list.size(); ++i) list.Set(i, GpuObject(env, found.list[i]->info(), i));
  Napi::Object report = Napi::Object::New(env);
  report.Set("driverVersion", found.driver_version);
  report.Set("gpus", list);
  report.Set("cause", device::CauseOf(found.why_none.kind));
  report.Set("reason", found.why_none.text);
  report.Set("notes", TextList(env, found.notes));
  return report;
}

class GpuSearch : public LoaderJob {
 public:
  Status Run() override {
    ProcessState::Get().FindGpusAgain();
    return Status::Ok();
  }
  Napi::Value Give(Napi::Env env) override { return GpuReport(env); }
};

}  // namespace

GpuSettings ReadGpuSettings(ObjectReader& options) {
  ObjectReader reader = options.Nested("gpu");
  GpuSettings settings;
  settings.find.allowed = reader.Flag("allowed");
  settings.find.visible_devices = reader.Text("visibleDevices");
  settings.find.min_compute_capability = reader.Decimal("minComputeCapability", 0, kMaxComputeCapability);
  settings.pinned_pool_bytes = static_cast<uint64_t>(reader.Whole("pinnedPoolBytes", 0, kMaxWhole));
  settings.monitor_interval_ms = reader.Whole("monitorIntervalMs", 1, kMaxMs);
  settings.probe_interval_ms = reader.Whole("probeIntervalMs", 0, kMaxMs);
  settings.probe_bytes = static_cast<uint64_t>(reader.Whole("probeBytes", 1, kMaxWhole));
  settings.watchdog_ms = reader.Whole("watchdogMs", 0, kMaxMs);
  options.Adopt(reader);
  return settings;
}

Napi::Value FindGpus(const Napi::CallbackInfo& info) { return RunOnLoaderThread(info.Env(), std::make_unique<GpuSearch>()); }

Napi::Value Gpus(const Napi::CallbackInfo& info) { return GpuReport(info.Env()); }

Napi::Value GpuStates(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Array states = Napi::Array::New(env);
  const ProcessGpus* gpus = ProcessState::Get().gpus();
  if (gpus == nullptr) return states;
  serving::Engine* engine = ProcessState::Get().engine();
  const int64_t now_ns = MonotonicNs();
  const device::MonitorSnapshot snapshot = gpus->readings();
  const std::vector<device::ProbeState> probes = gpus->probes();
  const auto& list = gpus->found().list;
  for (uint32_t i = 0; i < list.size(); ++i) {
    const std::string& uuid = list[i]->info().uuid;
    const device::Fault fatal = list[i]->fatal();
    const pipeline::GpuActivity activity = gpus->watchdog()->activity(uuid);
    const device::ProbeState probe = i < probes.size() ? probes[i] : device::ProbeState{};
    const serving::CanaryState canary = engine == nullptr ? serving::CanaryState{} : engine->canaries().state(uuid);
    Napi::Object state = Napi::Object::New(env);
    state.Set("uuid", uuid);
    state.Set("fatalCause", device::CauseOf(fatal.kind));
    state.Set("fatalText", fatal.text);
    state.Set("outOfMemoryCount", JsNumber(env, list[i]->out_of_memory_count()));
    state.Set("lastBatchAgeMs", Napi::Number::New(env, static_cast<double>(activity.last_batch_age_ms)));
    state.Set("hungMs", Napi::Number::New(env, static_cast<double>(activity.hung_ms)));
    state.Set("suspectModel", activity.suspect);
    state.Set("probe", ProbeObject(env, probe, AgeMs(probe.last_ns, now_ns)));
    state.Set("canary", ProbeObject(env, canary, static_cast<double>(canary.age_ms)));
    state.Set("nvmlUnavailable", snapshot.unavailable);
    SetReadings(state, i < snapshot.gpus.size() ? snapshot.gpus[i] : device::GpuReadings{}, now_ns);
    states.Set(i, state);
  }
  return states;
}

Napi::Array MemoryList(Napi::Env env, const std::vector<session::MemoryUse>& uses) {
  const ProcessGpus* gpus = ProcessState::Get().gpus();
  Napi::Array list = Napi::Array::New(env, uses.size());
  for (uint32_t i = 0; i < uses.size(); ++i) {
    Napi::Object use = Napi::Object::New(env);
    use.Set("kind", uses[i].kind);
    use.Set("gpuUuid", uses[i].gpu_uuid);
    use.Set("id", Napi::Number::New(env, gpus == nullptr || uses[i].gpu_uuid.empty() ? 0 : gpus->IndexOf(uses[i].gpu_uuid)));
    use.Set("bytes", JsNumber(env, uses[i].bytes));
    list.Set(i, use);
  }
  return list;
}

}  // namespace penstock::bridge
