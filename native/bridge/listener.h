// The ports as JavaScript sees them: listening (main thread), and taking connections (front-end threads).
#pragma once

#include <napi.h>

#include <memory>

#include "bridge/js_taker.h"
#include "transport/acceptor.h"

namespace penstock::bridge {

class ListenerHandle : public Napi::ObjectWrap<ListenerHandle> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Value Open(const Napi::CallbackInfo& info);

  explicit ListenerHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ListenerHandle>(info) {}
  // Garbage collection of the handle closes the port.
  ~ListenerHandle() override;

 private:
  void Close(const Napi::CallbackInfo& info);
  Napi::Value Shortage(const Napi::CallbackInfo& info);
  std::shared_ptr<transport::Acceptor> acceptor_;
};

class ConnectionsHandle : public Napi::ObjectWrap<ConnectionsHandle> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Value Take(const Napi::CallbackInfo& info);

  explicit ConnectionsHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ConnectionsHandle>(info) {}
  // Garbage collection of the handle ends the taking.
  ~ConnectionsHandle() override;

 private:
  void Ended(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  std::shared_ptr<JsTaker> taker_;
};

Napi::Value ConnectionCounts(const Napi::CallbackInfo& info);

}  // namespace penstock::bridge
