#include "bridge/control.h"

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "bridge/gpu_queries.h"
#include "bridge/handles.h"
#include "bridge/js_values.h"
#include "bridge/model_load.h"
#include "bridge/process_state.h"
#include "bridge/version_spec.h"
#include "session/ort_environment.h"

namespace penstock::bridge {
namespace {

constexpr int64_t kMaxThreads = 1024;
constexpr int64_t kMaxCpus = 65536;
constexpr int64_t kMaxSpinUs = 10'000;
// A load or a run that has not ended by then is left behind, and the process leaves by ExitNow.
constexpr int64_t kStopWaitMs = 3000;

// The running engine, or null with a JavaScript error thrown.
serving::Engine* EngineOrThrow(Napi::Env env) {
  serving::Engine* engine = ProcessState::Get().engine();
  if (engine == nullptr) ThrowStatus(env, Status(StatusCode::kInternal, "the engine has not been started"));
  return engine;
}

// The last net under a process that ends without having destroyed its front end and called StopEngine (src/frontend/native-loops.ts and
// src/lifecycle do, on the JavaScript exit event): it comes before the static destructors of libraries that were loaded earlier, but after
// those that ONNX Runtime registers while models load. A cleanup hook would be no better: Node runs none for the main environment on
// process.exit().
void StopAtExit(int code, void*) {
  // Before the lanes, whose outputs they may be sending.
  ProcessState::Get().DestroyFrontEnds();
  if (!ProcessState::Get().Stop(kStopWaitMs)) _exit(code);
}

serving::CatalogModel ReadModel(Napi::Env env, ObjectReader& item) {
  serving::CatalogModel model;
  model.default_version = item.Whole("defaultVersion", 0, kMaxWhole);
  model.metadata_json = item.Text("metadataJson");
  for (ObjectReader& row : item.List("versions")) {
    serving::CatalogVersion version;
    const int64_t number = row.Whole("version", 1, kMaxWhole);
    version.reason = row.Text("reason");
    version.metadata_json = row.Text("metadataJson");
    version.config_json = row.Text("configJson");
    const Napi::Value handle = row.Raw("handle");
    if (row.status().ok() && !handle.IsNull()) version.version = VersionHandle::Held(env, handle);
    item.Adopt(row);
    model.versions.emplace(number, std::move(version));
  }
  return model;
}

}  // namespace

Napi::Value StartEngine(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  ObjectReader options(info[0], "startEngine");
  EngineOptions engine;
  engine.ort_library = options.Text("ortLibrary");
  engine.intra_op_threads = static_cast<int>(options.Whole("intraOpThreads", 1, kMaxThreads));
  engine.max_request_bytes = static_cast<uint64_t>(options.Whole("maxRequestBytes", 1, kMaxWhole));
  engine.max_in_flight_requests = static_cast<uint64_t>(options.Whole("maxInFlightRequests", 0, kMaxWhole));
  engine.max_in_flight_bytes = static_cast<uint64_t>(options.Whole("maxInFlightBytes", 0, kMaxWhole));
  engine.lane_spin.max_ns = options.Whole("laneSpinUs", 0, kMaxSpinUs) * 1000;
  engine.lane_spin.cpus = static_cast<int>(options.Whole("cpus", 1, kMaxCpus));
  engine.gpu = ReadGpuSettings(options);
  Status status = options.status();
  if (status.ok()) status = ProcessState::Get().Start(engine);
  if (!status.ok()) {
    ThrowStatus(env, status);
    return env.Undefined();
  }
  on_exit(StopAtExit, nullptr);
  return env.Undefined();
}

Napi::Value OrtVersionText(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), session::OrtVersion()); }

Napi::Value StopEngine(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), ProcessState::Get().Stop(kStopWaitMs));
}

Napi::Value ExitNow(const Napi::CallbackInfo& info) {
  int64_t code = 0;
  if (ArgumentWhole(info, 0, "exitNow.code", 0, 255, &code)) _exit(static_cast<int>(code));
  return info.Env().Undefined();
}

Napi::Value OpenSession(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  serving::Engine* engine = EngineOrThrow(env);
  if (engine == nullptr) return env.Undefined();
  ObjectReader reader(info[0], "openSession");
  session::SessionOptions options;
  options.model_path = reader.Text("modelPath");
  options.intra_op_threads = static_cast<int>(reader.Whole("intraOpThreads", 0, kMaxThreads));
  const std::vector<std::string> uuids = reader.TextList("gpus");
  options.cuda.provider_options = reader.TextMap("providerOptions");
  options.cuda.graphs = reader.Flag("graphs");
  options.cuda.buckets = reader.Flag("buckets");
  options.cuda.runs_at_once = static_cast<int>(reader.Whole("runsAtOnce", 1, kMaxThreads));
  Status status = reader.status();
  if (status.ok() && !uuids.empty()) {
    const ProcessGpus* gpus = ProcessState::Get().gpus();
    Result<std::vector<std::shared_ptr<device::Gpu>>> picked = gpus->Pick(uuids);
    status = picked.status();
    if (picked.ok()) options.gpus = std::move(picked).value();
    options.cuda.pinned = gpus->pinned();
  }
  if (!status.ok()) {
    ThrowStatus(env, status);
    return env.Undefined();
  }
  return LoadSession(env, engine, std::move(options));
}

Napi::Value CreateVersion(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  serving::Engine* engine = EngineOrThrow(env);
  if (engine == nullptr) return env.Undefined();
  const std::shared_ptr<session::Session> session = SessionHandle::Held(env, info[0]);
  if (session == nullptr) return env.Undefined();
  ObjectReader options(info[1], "createVersion");
  serving::VersionSpec spec = ReadVersionSpec(options);
  std::vector<session::NamedConversion> conversions = ReadConversions(options);
  if (!options.status().ok()) {
    ThrowStatus(env, options.status());
    return env.Undefined();
  }
  spec.pipeline.spin = ProcessState::Get().lane_spin();
  spec.warm_up = true;
  if (const ProcessGpus* gpus = ProcessState::Get().gpus()) {
    spec.pipeline.watchdog = gpus->watchdog();
    spec.canary = gpus->wants_canaries();
  }
  return LoadVersion(env, engine, session, std::move(conversions), std::move(spec));
}

Napi::Value PublishCatalog(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  serving::Engine* engine = EngineOrThrow(env);
  if (engine == nullptr) return env.Undefined();
  if (!info[0].IsArray()) {
    ThrowStatus(env, Status(StatusCode::kInternal, "publishCatalog: expected an array"));
    return env.Undefined();
  }
  auto catalog = std::make_shared<serving::Catalog>();
  const auto models = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < models.Length(); ++i) {
    ObjectReader item(models.Get(i), "publishCatalog[" + std::to_string(i) + "]");
    std::string name = item.Text("name");
    serving::CatalogModel model = ReadModel(env, item);
    if (env.IsExceptionPending()) return env.Undefined();
    if (!item.status().ok()) {
      ThrowStatus(env, item.status());
      return env.Undefined();
    }
    catalog->models.insert_or_assign(std::move(name), std::move(model));
  }
  engine->catalog().Publish(std::move(catalog));
  return env.Undefined();
}

Napi::Value PublishHealth(const Napi::CallbackInfo& info) {
  std::string json;
  if (ArgumentText(info, 0, "publishHealth.json", &json)) ProcessState::Get().PublishHealth(std::move(json), MonotonicNs());
  return info.Env().Undefined();
}

}  // namespace penstock::bridge
