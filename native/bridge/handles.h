// JavaScript handles of native things: a loaded session, a created version. Closing drops the handle's reference and nothing else; so does
// garbage collection and the end of the environment. Using a closed handle is ERR_CLOSED.
#pragma once

#include <napi.h>

#include <memory>

#include "serving/model_version.h"
#include "session/session.h"

namespace penstock::bridge {

class SessionHandle : public Napi::ObjectWrap<SessionHandle> {
 public:
  static Napi::Function Define(Napi::Env env);
  // Empty when the environment is ending.
  static Napi::Object Make(Napi::Env env, std::shared_ptr<session::Session> session);
  // Null, with a JavaScript error thrown, when `value` is no session or a closed one.
  static std::shared_ptr<session::Session> Held(Napi::Env env, Napi::Value value);

  explicit SessionHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SessionHandle>(info) {}

 private:
  Napi::Value Signature(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  std::shared_ptr<session::Session> session_;
};

class VersionHandle : public Napi::ObjectWrap<VersionHandle> {
 public:
  static Napi::Function Define(Napi::Env env);
  // As those of SessionHandle.
  static Napi::Object Make(Napi::Env env, std::shared_ptr<serving::ModelVersion> version);
  static std::shared_ptr<serving::ModelVersion> Held(Napi::Env env, Napi::Value value);

  explicit VersionHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<VersionHandle>(info) {}

 private:
  Napi::Value NewNotes(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  std::shared_ptr<serving::ModelVersion> version_;
};

}  // namespace penstock::bridge
