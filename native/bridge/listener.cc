#include "bridge/listener.h"

#include <cstring>
#include <string>
#include <utility>

#include "bridge/environment.h"
#include "bridge/js_values.h"
#include "bridge/process_state.h"

namespace penstock::bridge {
namespace {

constexpr int64_t kMaxPort = 65535;
constexpr int64_t kMaxThread = 1023;

bool IsPortName(const std::string& name) { return name == "http" || name == "grpc"; }

}  // namespace

Napi::Function ListenerHandle::Define(Napi::Env env) {
  return DefineClass(env, "NativeListener", {InstanceMethod<&ListenerHandle::Close>("close"), InstanceMethod<&ListenerHandle::Shortage>("shortage")});
}

Napi::Value ListenerHandle::Open(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  ObjectReader reader(info[0], "openListener");
  const std::string name = reader.Text("name");
  transport::ListenOptions options;
  options.host = reader.Text("host");
  options.port = static_cast<uint16_t>(reader.Whole("port", 0, kMaxPort));
  options.flag = "--" + name + "-port";
  options.max_connections = static_cast<size_t>(reader.Whole("maxConnections", 1, kMaxWhole));
  const bool natively = reader.Flag("servedNatively");
  if (!IsPortName(name)) reader.Complain("name", "\"http\" or \"grpc\"");
  if (!reader.status().ok()) {
    ThrowStatus(env, reader.status());
    return env.Undefined();
  }
  Result<std::shared_ptr<transport::Acceptor>> opened = ProcessState::Get().ports().Open(name, options, natively);
  if (!opened.ok()) {
    ThrowStatus(env, opened.status());
    return env.Undefined();
  }
  Napi::Object object = env.GetInstanceData<Environment>()->listener_class.New({});
  if (object.IsEmpty()) {
    opened.value()->Close();
    return env.Undefined();
  }
  object.DefineProperty(Napi::PropertyDescriptor::Value("port", JsNumber(env, opened.value()->port()), napi_enumerable));
  Unwrap(object)->acceptor_ = std::move(opened).value();
  return object;
}

ListenerHandle::~ListenerHandle() {
  if (acceptor_ != nullptr) acceptor_->Close();
}

void ListenerHandle::Close(const Napi::CallbackInfo&) {
  if (acceptor_ != nullptr) acceptor_->Close();
}

Napi::Value ListenerHandle::Shortage(const Napi::CallbackInfo& info) {
  const int error = acceptor_ == nullptr ? 0 : acceptor_->TakeShortage();
  return Napi::String::New(info.Env(), error == 0 ? "" : std::strerror(error));
}

Napi::Function ConnectionsHandle::Define(Napi::Env env) {
  return DefineClass(env, "NativeConnections",
                     {InstanceMethod<&ConnectionsHandle::Ended>("ended"), InstanceMethod<&ConnectionsHandle::Close>("close")});
}

Napi::Value ConnectionsHandle::Take(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string name;
  int64_t thread = 0;
  if (!ArgumentText(info, 0, "takeConnections.name", &name)) return env.Undefined();
  if (!ArgumentWhole(info, 1, "takeConnections.thread", 0, kMaxThread, &thread)) return env.Undefined();
  if (!info[2].IsFunction()) {
    ThrowStatus(env, Status(StatusCode::kInternal, "takeConnections.onConnection: expected a function"));
    return env.Undefined();
  }
  std::shared_ptr<transport::ConnectionSource> source = ProcessState::Get().ports().Find(name).ForJavaScript();
  if (source == nullptr) {
    ThrowStatus(env, Status(StatusCode::kInternal, "takeConnections.name: no port \"" + name + "\" was opened"));
    return env.Undefined();
  }
  Napi::Object object = env.GetInstanceData<Environment>()->connections_class.New({});
  if (object.IsEmpty()) return env.Undefined();
  std::shared_ptr<JsTaker> taker = JsTaker::Open(env, info[2].As<Napi::Function>(), std::move(source), static_cast<uint32_t>(thread));
  if (taker == nullptr) {
    ThrowStatus(env, Status(StatusCode::kInternal, "this environment is closing"));
    return env.Undefined();
  }
  Unwrap(object)->taker_ = std::move(taker);
  return object;
}

ConnectionsHandle::~ConnectionsHandle() {
  if (taker_ != nullptr) taker_->Close();
}

void ConnectionsHandle::Ended(const Napi::CallbackInfo&) {
  if (taker_ != nullptr) taker_->Ended();
}

void ConnectionsHandle::Close(const Napi::CallbackInfo&) {
  if (taker_ != nullptr) taker_->Close();
}

Napi::Value ConnectionCounts(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Array rows = Napi::Array::New(env);
  // Clients, whoever serves them: what the native front end passes on is not counted a second time.
  for (const auto& [name, open] : ProcessState::Get().ports().All()) {
    for (const transport::ConnectionTakers::Count& count : open.acceptor->Counts()) {
      Napi::Object row = Napi::Object::New(env);
      row.Set("port", name);
      row.Set("thread", JsNumber(env, count.thread));
      row.Set("connections", JsNumber(env, count.connections));
      rows.Set(rows.Length(), row);
    }
  }
  return rows;
}

}  // namespace penstock::bridge
