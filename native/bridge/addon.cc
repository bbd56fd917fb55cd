// The table of contents of the addon: the same names in the same order as src/bridge/addon.ts.
#include <napi.h>

#include "bridge/control.h"
#include "bridge/environment.h"
#include "bridge/front_end_handle.h"
#include "bridge/gpu_queries.h"
#include "bridge/handles.h"
#include "bridge/js_sink.h"
#include "bridge/listener.h"
#include "bridge/queries.h"
#include "bridge/simulate.h"
#include "bridge/sink_handle.h"

namespace penstock::bridge {
namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto* environment = new Environment();
  environment->session_class = Napi::Persistent(SessionHandle::Define(env));
  environment->version_class = Napi::Persistent(VersionHandle::Define(env));
  environment->sink_class = Napi::Persistent(SinkHandle::Define(env));
  environment->listener_class = Napi::Persistent(ListenerHandle::Define(env));
  environment->connections_class = Napi::Persistent(ConnectionsHandle::Define(env));
  environment->front_end_class = Napi::Persistent(FrontEndHandle::Define(env));
  environment->completion_maker = Napi::Persistent(JsSink::CompletionMaker(env));
  env.SetInstanceData(environment);

  exports.Set("statusCodes", Napi::Function::New<StatusCodes>(env));
  exports.Set("dataTypes", Napi::Function::New<DataTypes>(env));
  exports.Set("latencyBoundsSeconds", Napi::Function::New<LatencyBoundsSeconds>(env));
  exports.Set("errorReply", Napi::Function::New<ErrorReplyOf>(env));
  exports.Set("retryDelays", Napi::Function::New<RetryDelays>(env));
  exports.Set("startEngine", Napi::Function::New<StartEngine>(env));
  exports.Set("ortVersion", Napi::Function::New<OrtVersionText>(env));
  exports.Set("stopEngine", Napi::Function::New<StopEngine>(env));
  exports.Set("exitNow", Napi::Function::New<ExitNow>(env));
  exports.Set("gpus", Napi::Function::New<Gpus>(env));
  exports.Set("findGpus", Napi::Function::New<FindGpus>(env));
  exports.Set("gpuStates", Napi::Function::New<GpuStates>(env));
  exports.Set("openSession", Napi::Function::New<OpenSession>(env));
  exports.Set("createVersion", Napi::Function::New<CreateVersion>(env));
  exports.Set("publishCatalog", Napi::Function::New<PublishCatalog>(env));
  exports.Set("describe", Napi::Function::New<Describe>(env));
  exports.Set("statistics", Napi::Function::New<Statistics>(env));
  exports.Set("gauges", Napi::Function::New<Gauges>(env));
  exports.Set("publishHealth", Napi::Function::New<PublishHealth>(env));
  exports.Set("health", Napi::Function::New<Health>(env));
  exports.Set("openSink", Napi::Function::New<SinkHandle::Open>(env));
  exports.Set("openListener", Napi::Function::New<ListenerHandle::Open>(env));
  exports.Set("takeConnections", Napi::Function::New<ConnectionsHandle::Take>(env));
  exports.Set("connectionCounts", Napi::Function::New<ConnectionCounts>(env));
  exports.Set("findNghttp2", Napi::Function::New<FindNghttp2>(env));
  exports.Set("findTls", Napi::Function::New<FindTls>(env));
  exports.Set("startFrontEnd", Napi::Function::New<FrontEndHandle::Start>(env));
  exports.Set("simulate", Napi::Function::New<Simulate>(env));
  return exports;
}

}  // namespace
}  // namespace penstock::bridge

static Napi::Object InitAddon(Napi::Env env, Napi::Object exports) { return penstock::bridge::Init(env, exports); }

NODE_API_MODULE(penstock, InitAddon)
