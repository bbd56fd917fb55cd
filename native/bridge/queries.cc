#include "bridge/queries.h"

#include <cstdint>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/data_type.h"
#include "bridge/gpu_queries.h"
#include "bridge/js_values.h"
#include "bridge/process_state.h"
#include "frontend/error_reply.h"
#include "memory/block.h"
#include "pipeline/counters.h"

namespace penstock::bridge {
namespace {

using pipeline::CounterSnapshot;

Napi::Object DurationObject(Napi::Env env, const pipeline::Duration& duration) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("count", JsNumber(env, duration.count));
  object.Set("ns", JsNumber(env, duration.ns));
  return object;
}

Napi::Object HistogramObject(Napi::Env env, const pipeline::Histogram& histogram) {
  Napi::Array buckets = Napi::Array::New(env, histogram.buckets.size());
  for (uint32_t i = 0; i < histogram.buckets.size(); ++i) buckets.Set(i, JsNumber(env, histogram.buckets[i]));
  Napi::Object object = Napi::Object::New(env);
  object.Set("buckets", buckets);
  object.Set("count", JsNumber(env, histogram.count));
  object.Set("sumSeconds", Napi::Number::New(env, histogram.sum_seconds));
  return object;
}

Napi::Object LatenciesObject(Napi::Env env, const CounterSnapshot::Latencies& latencies) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("requestSeconds", HistogramObject(env, latencies.request_seconds));
  object.Set("queueSeconds", HistogramObject(env, latencies.queue_seconds));
  object.Set("computeSeconds", HistogramObject(env, latencies.compute_seconds));
  return object;
}

Napi::Array BatchList(Napi::Env env, const CounterSnapshot& counters) {
  Napi::Array list = Napi::Array::New(env);
  for (const auto& [size, row] : counters.batches) {
    Napi::Object item = Napi::Object::New(env);
    item.Set("batchSize", JsNumber(env, static_cast<uint64_t>(size)));
    item.Set("computeInput", DurationObject(env, row.compute_input));
    item.Set("computeInfer", DurationObject(env, row.compute_infer));
    item.Set("computeOutput", DurationObject(env, row.compute_output));
    list.Set(list.Length(), item);
  }
  return list;
}

Napi::Object StatisticsObject(Napi::Env env, const serving::ModelVersion& version) {
  const CounterSnapshot counters = version.pipeline().counters().Snapshot();
  Napi::Array failures = Napi::Array::New(env, counters.failures.size());
  for (uint32_t i = 0; i < counters.failures.size(); ++i) failures.Set(i, JsNumber(env, counters.failures[i]));
  Napi::Object latencies = Napi::Object::New(env);
  latencies.Set("http", LatenciesObject(env, counters.latencies[static_cast<size_t>(pipeline::Protocol::kHttp)]));
  latencies.Set("grpc", LatenciesObject(env, counters.latencies[static_cast<size_t>(pipeline::Protocol::kGrpc)]));
  Napi::Object object = Napi::Object::New(env);
  object.Set("model", version.spec().model_name);
  object.Set("version", JsNumber(env, static_cast<uint64_t>(version.spec().version)));
  object.Set("lastInferenceMs", JsNumber(env, counters.last_inference_ms));
  object.Set("inferenceCount", JsNumber(env, counters.inference_count));
  object.Set("executionCount", JsNumber(env, counters.execution_count));
  object.Set("success", DurationObject(env, counters.success));
  object.Set("fail", DurationObject(env, counters.fail));
  object.Set("queue", DurationObject(env, counters.queue));
  object.Set("computeInput", DurationObject(env, counters.compute_input));
  object.Set("computeInfer", DurationObject(env, counters.compute_infer));
  object.Set("computeOutput", DurationObject(env, counters.compute_output));
  object.Set("failures", failures);
  object.Set("batches", BatchList(env, counters));
  object.Set("latencies", latencies);
  object.Set("bytesReceived", JsNumber(env, counters.bytes_received));
  object.Set("inputBytesCopied", JsNumber(env, counters.bytes_copied));
  object.Set("bytesHandedOut", JsNumber(env, counters.output_bytes_handed_out));
  object.Set("outputBytesCopied", JsNumber(env, counters.output_bytes_copied));
  object.Set("droppedAtDispatch", JsNumber(env, counters.dropped_at_dispatch));
  object.Set("lanes", JsNumber(env, static_cast<uint64_t>(version.spec().pipeline.batching.lanes)));
  object.Set("laneBusyNs", JsNumber(env, counters.lane_busy_ns));
  object.Set("queueLength", JsNumber(env, version.pipeline().queue_length()));
  object.Set("gpus", TextList(env, version.pipeline().session().gpus()));
  object.Set("memory", MemoryList(env, version.pipeline().session().memory_use()));
  object.Set("batchLimit", JsNumber(env, static_cast<uint64_t>(version.pipeline().batch_limit())));
  return object;
}

// The published catalog; an empty one before the engine starts.
std::shared_ptr<const serving::Catalog> CurrentCatalog() {
  serving::Engine* engine = ProcessState::Get().engine();
  return engine == nullptr ? std::make_shared<const serving::Catalog>() : engine->catalog().Current();
}

}  // namespace

Napi::Value StatusCodes(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Array rows = Napi::Array::New(env);
#define PENSTOCK_STATUS_ROW(number, name, text)     \
  {                                                 \
    Napi::Array row = Napi::Array::New(env, 2);     \
    row.Set(0u, Napi::Number::New(env, number));    \
    row.Set(1u, Napi::String::New(env, text));      \
    rows.Set(rows.Length(), row);                   \
  }
  PENSTOCK_STATUS_TABLE(PENSTOCK_STATUS_ROW)
#undef PENSTOCK_STATUS_ROW
  return rows;
}

Napi::Value DataTypes(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Array rows = Napi::Array::New(env);
  for (uint8_t i = 0; i < kDataTypeCount; ++i) {
    const auto type = static_cast<DataType>(i);
    Napi::Array row = Napi::Array::New(env, 3);
    row.Set(0u, Napi::Number::New(env, i));
    row.Set(1u, Napi::String::New(env, std::string(DataTypeName(type))));
    row.Set(2u, JsNumber(env, DataTypeSize(type)));
    rows.Set(rows.Length(), row);
  }
  return rows;
}

Napi::Value LatencyBoundsSeconds(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Array bounds = Napi::Array::New(env, pipeline::kLatencyBoundsSeconds.size());
  for (uint32_t i = 0; i < pipeline::kLatencyBoundsSeconds.size(); ++i) {
    bounds.Set(i, Napi::Number::New(env, pipeline::kLatencyBoundsSeconds[i]));
  }
  return bounds;
}

Napi::Value ErrorReplyOf(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int64_t code = 0;
  std::string message;
  int64_t retry_after_ms = 0;
  if (!ArgumentWhole(info, 0, "errorReply.code", 1, INT32_MAX, &code) || !ArgumentText(info, 1, "errorReply.message", &message) ||
      !ArgumentWhole(info, 2, "errorReply.retryAfterMs", 0, kMaxWhole, &retry_after_ms)) {
    return env.Undefined();
  }
  const frontend::ErrorReply reply =
      frontend::ReplyFor(Status(static_cast<StatusCode>(code), std::move(message)).WithRetryAfter(retry_after_ms));
  Napi::Object object = Napi::Object::New(env);
  object.Set("httpStatus", reply.http_status);
  object.Set("grpcStatus", reply.grpc_status);
  object.Set("message", reply.message);
  object.Set("retryAfterMs", JsNumber(env, static_cast<uint64_t>(reply.retry_after_ms)));
  object.Set("isOurFault", reply.is_our_fault);
  return object;
}

Napi::Value RetryDelays(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int64_t advice_ms = 0;
  if (!ArgumentWhole(info, 0, "retryDelays.adviceMs", 0, kMaxWhole, &advice_ms)) return env.Undefined();
  double unit = 0;
  double blur = 0;
  if (!ArgumentFraction(info, 1, "retryDelays.unit", &unit) || !ArgumentFraction(info, 2, "retryDelays.blur", &blur)) {
    return env.Undefined();
  }
  Napi::Array delays = Napi::Array::New(env, 2);
  delays.Set(0u, Napi::Number::New(env, frontend::RetryDelayMs(advice_ms, unit)));
  delays.Set(1u, JsNumber(env, static_cast<uint64_t>(frontend::RetryAfterSeconds(advice_ms, unit, blur))));
  return delays;
}

Napi::Value Describe(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string kind;
  std::string model;
  std::string version;
  if (!ArgumentText(info, 0, "describe.kind", &kind) || !ArgumentText(info, 1, "describe.model", &model) ||
      !ArgumentText(info, 2, "describe.version", &version)) {
    return env.Undefined();
  }
  if (kind != "config" && kind != "metadata") {
    ThrowStatus(env, Status(StatusCode::kInternal, "describe.kind: expected \"metadata\" or \"config\""));
    return env.Undefined();
  }
  const auto catalog = CurrentCatalog();
  const Result<const serving::CatalogVersion*> found = catalog->Find(model, version);
  if (!found.ok()) {
    ThrowStatus(env, found.status());
    return env.Undefined();
  }
  if (kind == "config") return Napi::String::New(env, found.value()->config_json);
  // Without a version the document lists every ready version; with one, just that.
  if (version.empty()) return Napi::String::New(env, catalog->models.find(model)->second.metadata_json);
  return Napi::String::New(env, found.value()->metadata_json);
}

Napi::Value Statistics(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string model;
  std::string version;
  if (!ArgumentText(info, 0, "statistics.model", &model) || !ArgumentText(info, 1, "statistics.version", &version)) {
    return env.Undefined();
  }
  const auto catalog = CurrentCatalog();
  Napi::Array rows = Napi::Array::New(env);
  if (!model.empty()) {
    const Result<const serving::CatalogVersion*> found = catalog->Find(model, version);
    if (!found.ok()) {
      ThrowStatus(env, found.status());
      return env.Undefined();
    }
    if (!version.empty()) {
      rows.Set(rows.Length(), StatisticsObject(env, *found.value()->version));
      return rows;
    }
  }
  for (const auto& [name, entry] : catalog->models) {
    if (!model.empty() && name != model) continue;
    for (const auto& [number, row] : entry.versions) {
      if (row.version != nullptr) rows.Set(rows.Length(), StatisticsObject(env, *row.version));
    }
  }
  return rows;
}

Napi::Value Gauges(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const serving::Engine* engine = ProcessState::Get().engine();
  RangeCounters& ranges = ProcessState::Get().ranges();
  const ProcessGpus* gpus = ProcessState::Get().gpus();
  const memory::PinnedUse pinned = gpus == nullptr ? memory::PinnedUse{} : gpus->pinned_use();
  Napi::Object object = Napi::Object::New(env);
  object.Set("inFlightRequests", JsNumber(env, engine == nullptr ? 0 : engine->admission().requests()));
  object.Set("inFlightBytes", JsNumber(env, engine == nullptr ? 0 : engine->admission().bytes()));
  object.Set("blockBytes", JsNumber(env, memory::BlockPool::Process().live_bytes()));
  object.Set("blocks", JsNumber(env, memory::BlockPool::Process().live_blocks()));
  object.Set("ranges", JsNumber(env, ranges.ranges.load()));
  object.Set("rangeBytes", JsNumber(env, ranges.bytes.load()));
  object.Set("pinnedPoolBytes", JsNumber(env, pinned.limit_bytes));
  object.Set("pinnedUsedBytes", JsNumber(env, pinned.live_bytes));
  object.Set("pinnedFallbackBlocks", JsNumber(env, pinned.fallback_blocks));
  object.Set("pinnedFallbackBytes", JsNumber(env, pinned.fallback_bytes));
  return object;
}

Napi::Value Health(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string json;
  int64_t published_ns = 0;
  ProcessState::Get().ReadHealth(&json, &published_ns);
  Napi::Object object = Napi::Object::New(env);
  object.Set("json", json);
  object.Set("ageMs", Napi::Number::New(env, static_cast<double>(MonotonicNs() - published_ns) / 1e6));
  return object;
}

}  // namespace penstock::bridge
