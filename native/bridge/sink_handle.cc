#include "bridge/sink_handle.h"

#include <new>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "bridge/environment.h"
#include "bridge/js_values.h"
#include "bridge/process_state.h"
#include "codec/grpc_message.h"
#include "codec/http_request.h"

namespace penstock::bridge {
namespace {

constexpr int64_t kMaxTimeoutMs = 1000ll * 60 * 60 * 24 * 365;  // a year: longer waits mean "none"

int64_t DeadlineNs(int64_t timeout_ms) { return timeout_ms <= 0 ? 0 : MonotonicNs() + timeout_ms * 1'000'000; }

Status SinkClosed() { return Status(StatusCode::kClosed, "the sink is closed"); }

// Every chunk before any is borrowed: an element may be a getter that closes the sink, and that waits until nothing is borrowed.
// False, with a JavaScript error thrown, when one is no buffer.
bool ReadBuffers(Napi::Env env, const Napi::Array& chunks, std::vector<Napi::Value>* buffers) {
  for (uint32_t i = 0; i < chunks.Length(); ++i) {
    buffers->push_back(chunks.Get(i));
    if (buffers->back().IsBuffer()) continue;
    ThrowStatus(env, Status(StatusCode::kInternal, "submitHttp.chunks[" + std::to_string(i) + "]: expected a Uint8Array"));
    return false;
  }
  return true;
}

}  // namespace

Napi::Function SinkHandle::Define(Napi::Env env) {
  return DefineClass(env, "NativeSink",
                     {InstanceMethod<&SinkHandle::SubmitHttp>("submitHttp"), InstanceMethod<&SinkHandle::SubmitGrpc>("submitGrpc"),
                      InstanceMethod<&SinkHandle::Cancel>("cancel"), InstanceMethod<&SinkHandle::Release>("release"),
                      InstanceMethod<&SinkHandle::Close>("close")});
}

Napi::Value SinkHandle::Open(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsFunction()) {
    ThrowStatus(env, Status(StatusCode::kInternal, "openSink.onCompletions: expected a function"));
    return env.Undefined();
  }
  std::shared_ptr<JsSink> sink = JsSink::Open(env, info[0].As<Napi::Function>());
  if (sink == nullptr) {
    ThrowStatus(env, Status(StatusCode::kInternal, "this environment is closing"));
    return env.Undefined();
  }
  Napi::Object object = env.GetInstanceData<Environment>()->sink_class.New({});
  if (object.IsEmpty()) {
    sink->Close();
    return env.Undefined();
  }
  Unwrap(object)->sink_ = std::move(sink);
  return object;
}

SinkHandle::~SinkHandle() {
  if (sink_ != nullptr) sink_->Close();
}

Napi::Value SinkHandle::SubmitHttp(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int64_t token = 0;
  int64_t json_bytes = 0;
  int64_t timeout_ms = 0;
  std::string model;
  std::string version;
  if (!ArgumentWhole(info, 0, "submitHttp.token", 0, kMaxWhole, &token)) return env.Undefined();
  if (!ArgumentText(info, 1, "submitHttp.model", &model)) return env.Undefined();
  if (!ArgumentText(info, 2, "submitHttp.version", &version)) return env.Undefined();
  if (!ArgumentWhole(info, 4, "submitHttp.jsonBytes", -1, kMaxWhole, &json_bytes)) return env.Undefined();
  if (!ArgumentWhole(info, 5, "submitHttp.timeoutMs", 0, kMaxTimeoutMs, &timeout_ms)) return env.Undefined();
  if (!info[3].IsArray()) {
    ThrowStatus(env, Status(StatusCode::kInternal, "submitHttp.chunks: expected an array"));
    return env.Undefined();
  }
  std::vector<Napi::Value> chunks;
  if (!ReadBuffers(env, info[3].As<Napi::Array>(), &chunks)) return env.Undefined();
  if (closed()) return Answer(env, SinkClosed(), "");
  // Before the body is decoded: nobody parses 64 MiB for a model that is not there.
  const Status served = ProcessState::Get().CheckServed(model, version);
  if (!served.ok()) return Answer(env, served, "");
  memory::SliceChain body;
  for (const Napi::Value& chunk : chunks) body.Append(sink_->Borrow(chunk));
  std::string request_id;
  Result<serving::InferRequest> request = codec::DecodeHttpInfer(body, json_bytes, ProcessState::Get().limits());
  body = memory::SliceChain();  // the request holds what it needs
  if (!request.ok()) return Answer(env, request.status(), request_id);
  request.value().model_name = std::move(model);
  request.value().model_version = std::move(version);
  const Status status =
      sink_->Submit(pipeline::Protocol::kHttp, std::move(request).value(), static_cast<uint64_t>(token), DeadlineNs(timeout_ms), &request_id);
  return Answer(env, status, request_id);
}

Napi::Value SinkHandle::SubmitGrpc(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int64_t token = 0;
  int64_t timeout_ms = 0;
  if (!ArgumentWhole(info, 0, "submitGrpc.token", 0, kMaxWhole, &token)) return env.Undefined();
  if (!ArgumentWhole(info, 2, "submitGrpc.timeoutMs", 0, kMaxTimeoutMs, &timeout_ms)) return env.Undefined();
  if (closed()) return Answer(env, SinkClosed(), "");
  if (info.Length() < 2 || !info[1].IsBuffer()) {
    ThrowStatus(env, Status(StatusCode::kInternal, "submitGrpc.message: expected a Uint8Array"));
    return env.Undefined();
  }
  std::string request_id;
  Result<serving::InferRequest> request = codec::DecodeModelInferRequest(sink_->Borrow(info[1]), ProcessState::Get().limits());
  if (!request.ok()) return Answer(env, request.status(), request_id);
  request.value().was_joined = true;  // grpc-js joins the chunks of a message before anybody sees it
  const Status status =
      sink_->Submit(pipeline::Protocol::kGrpc, std::move(request).value(), static_cast<uint64_t>(token), DeadlineNs(timeout_ms), &request_id);
  return Answer(env, status, request_id);
}

// Plain data: refusals are frequent under attack, and a thrown error costs a stack trace.
Napi::Value SinkHandle::Answer(Napi::Env env, const Status& status, const std::string& request_id) {
  if (status.ok()) return env.Null();
  // A refused body is free at once, not when the next request comes.
  if (sink_ != nullptr) sink_->DeleteReturned();
  Napi::Object refusal = Napi::Object::New(env);
  refusal.Set("status", Napi::Number::New(env, static_cast<int32_t>(status.code())));
  refusal.Set("message", status.message());
  refusal.Set("requestId", request_id);
  refusal.Set("retryAfterMs", JsNumber(env, static_cast<uint64_t>(status.retry_after_ms())));
  return refusal;
}

void SinkHandle::Cancel(const Napi::CallbackInfo& info) {
  int64_t token = 0;
  if (ArgumentWhole(info, 0, "cancel.token", 0, kMaxWhole, &token) && sink_ != nullptr) sink_->Cancel(static_cast<uint64_t>(token));
}

void SinkHandle::Release(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsArray()) {
    ThrowStatus(info.Env(), Status(StatusCode::kInternal, "release.ranges: expected an array"));
    return;
  }
  const auto ranges = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < ranges.Length() && sink_ != nullptr; ++i) {
    const Napi::Value name = ranges.Get(i);
    if (name.IsNumber()) sink_->Release(static_cast<uint64_t>(name.As<Napi::Number>().Int64Value()));
  }
}

void SinkHandle::Close(const Napi::CallbackInfo&) {
  if (sink_ != nullptr) sink_->Close();
}

}  // namespace penstock::bridge
