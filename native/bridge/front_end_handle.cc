#include "bridge/front_end_handle.h"

#include <map>
#include <string>
#include <utility>

#include "bridge/environment.h"
#include "bridge/js_values.h"
#include "bridge/process_state.h"
#include "frontend/tls_contexts.h"
#include "transport/nghttp2_library.h"
#include "transport/tls_library.h"

namespace penstock::bridge {
namespace {

constexpr int64_t kMaxLoops = 64;
constexpr int64_t kMaxStreams = 65'535;
constexpr int64_t kMaxTimeoutMs = 2'147'483'647;
constexpr int64_t kNsPerMs = 1'000'000;

frontend::FrontEndOptions ReadOptions(ObjectReader* reader) {
  frontend::FrontEndOptions options;
  options.loops = static_cast<size_t>(reader->Whole("loops", 1, kMaxLoops));
  options.max_request_bytes = static_cast<uint64_t>(reader->Whole("maxRequestBytes", 1, kMaxWhole));
  options.max_receiving_bytes = static_cast<uint64_t>(reader->Whole("maxReceivingBytes", 0, kMaxWhole));
  options.max_concurrent_streams = static_cast<uint32_t>(reader->Whole("maxConcurrentStreams", 1, kMaxStreams));
  options.headers_timeout_ns = reader->Whole("headersTimeoutMs", 0, kMaxTimeoutMs) * kNsPerMs;
  options.request_timeout_ns = reader->Whole("requestTimeoutMs", 0, kMaxTimeoutMs) * kNsPerMs;
  options.keep_alive_timeout_ns = reader->Whole("keepAliveTimeoutMs", 0, kMaxTimeoutMs) * kNsPerMs;
  return options;
}

Result<frontend::TlsContexts> ReadTls(ObjectReader reader) {
  const transport::TlsMaterial material{reader.Text("cert"), reader.Text("key"), reader.Text("clientCa")};
  PENSTOCK_RETURN_IF_ERROR(reader.status());
  return frontend::MakeTlsContexts(material);
}

Napi::Value FailureOf(Napi::Env env, const Status& status) {
  if (status.ok()) return env.Null();
  Napi::Array failure = Napi::Array::New(env, 2);
  failure.Set(0u, Napi::Number::New(env, static_cast<int32_t>(status.code())));
  failure.Set(1u, status.message());
  return failure;
}

// By the name that front-end threads ask for; those that are open for the native front end.
std::map<std::string, OpenPort> NativePorts() {
  std::map<std::string, OpenPort> ports;
  for (const auto& [name, port] : ProcessState::Get().ports().All()) {
    if (port.hand_off != nullptr && !port.acceptor->closed()) ports[name] = port;
  }
  return ports;
}

}  // namespace

Napi::Function FrontEndHandle::Define(Napi::Env env) {
  return DefineClass(env, "NativeFrontEnd",
                     {InstanceMethod<&FrontEndHandle::GoAway>("goAway"), InstanceMethod<&FrontEndHandle::Drain>("drain"),
                      InstanceMethod<&FrontEndHandle::NextEvents>("nextEvents"), InstanceMethod<&FrontEndHandle::SetTls>("setTls"),
                      InstanceMethod<&FrontEndHandle::Destroy>("destroy")});
}

Napi::Value FrontEndHandle::Start(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  ObjectReader reader(info[0], "startFrontEnd");
  frontend::FrontEndOptions options = ReadOptions(&reader);
  const bool logs_requests = reader.Flag("logsRequests");
  const bool logs_refusals = reader.Flag("logsRefusals");
  const Napi::Value material = reader.Raw("tls");
  Status status = reader.status();
  if (status.ok() && !info[1].IsFunction()) status = Status(StatusCode::kInternal, "startFrontEnd.onDrained: expected a function");
  if (status.ok() && !info[2].IsFunction()) status = Status(StatusCode::kInternal, "startFrontEnd.onEvents: expected a function");
  frontend::TlsContexts tls;
  if (status.ok() && !material.IsUndefined()) {
    Result<frontend::TlsContexts> read = ReadTls(ObjectReader(material, "startFrontEnd.tls"));
    status = read.status();
    if (read.ok()) tls = std::move(read).value();
  }
  ProcessState& process = ProcessState::Get();
  if (status.ok() && process.engine() == nullptr) status = Status(StatusCode::kInternal, "the engine of this process has not been started");
  if (!status.ok()) {
    ThrowStatus(env, status);
    return env.Undefined();
  }
  const std::map<std::string, OpenPort> ports = NativePorts();
  options.serves_grpc = ports.count("grpc") > 0;
  Napi::Object object = env.GetInstanceData<Environment>()->front_end_class.New({});
  if (object.IsEmpty()) return env.Undefined();
  std::shared_ptr<FrontEndReports> reports =
      FrontEndReports::Open(env, info[1].As<Napi::Function>(), info[2].As<Napi::Function>(), logs_requests, logs_refusals);
  if (reports == nullptr) {
    ThrowStatus(env, Status(StatusCode::kInternal, "this environment is closing"));
    return env.Undefined();
  }
  const frontend::ConnectionFactories factories{&frontend::MakeHttpConnection, &frontend::MakeGrpcConnection};
  Result<std::unique_ptr<frontend::FrontEnd>> started =
      frontend::FrontEnd::Start(options, process.engine(), process.limits(), factories, reports->events());
  if (!started.ok()) {
    reports->Close();
    ThrowStatus(env, started.status());
    return env.Undefined();
  }
  started.value()->SetTls(tls);
  for (const auto& [name, port] : ports) {
    started.value()->Serve(name == "grpc" ? frontend::Protocol::kGrpc : frontend::Protocol::kHttp, port.acceptor, port.hand_off);
  }
  Unwrap(object)->Hold(std::move(reports), std::move(started).value());
  return object;
}

void FrontEndHandle::Hold(std::shared_ptr<FrontEndReports> reports, std::shared_ptr<frontend::FrontEnd> front_end) {
  reports_ = std::move(reports);
  front_end_ = std::move(front_end);
  ProcessState::Get().DestroyAtExit(front_end_);
  // Hooks run in reverse order of registration: ours must run before the one that the thread-safe function has registered.
  napi_add_env_cleanup_hook(env_, &FrontEndHandle::OnCleanup, this);
}

FrontEndHandle::~FrontEndHandle() { End(); }

void FrontEndHandle::OnCleanup(void* self) { static_cast<FrontEndHandle*>(self)->End(); }

bool FrontEndHandle::EndLoops() {
  if (front_end_ == nullptr) return false;
  napi_remove_env_cleanup_hook(env_, &FrontEndHandle::OnCleanup, this);
  front_end_->Destroy();
  front_end_.reset();
  return true;
}

// No JavaScript may be called here: the environment ends, or garbage is collected.
void FrontEndHandle::End() {
  if (EndLoops()) reports_->Close();
}

void FrontEndHandle::GoAway(const Napi::CallbackInfo&) {
  if (front_end_ != nullptr) front_end_->GoAway();
}

void FrontEndHandle::Drain(const Napi::CallbackInfo&) {
  if (front_end_ != nullptr) front_end_->Drain([reports = reports_] { reports->Drained(); });
}

void FrontEndHandle::NextEvents(const Napi::CallbackInfo&) {
  if (front_end_ != nullptr) reports_->Next();
}

void FrontEndHandle::SetTls(const Napi::CallbackInfo& info) {
  const Result<frontend::TlsContexts> contexts = ReadTls(ObjectReader(info[0], "setTls"));
  if (!contexts.ok()) return ThrowStatus(info.Env(), contexts.status());
  if (front_end_ != nullptr) front_end_->SetTls(contexts.value());
}

void FrontEndHandle::Destroy(const Napi::CallbackInfo& info) {
  if (!EndLoops()) return;
  // Those of the requests that this has cut off, too.
  reports_->DeliverRest(info.Env());
  reports_->Close();
}

Napi::Value FindNghttp2(const Napi::CallbackInfo& info) { return FailureOf(info.Env(), transport::FindNghttp2().status()); }

Napi::Value FindTls(const Napi::CallbackInfo& info) { return FailureOf(info.Env(), transport::FindTls().status()); }

}  // namespace penstock::bridge
