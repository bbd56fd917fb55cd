// The JavaScript face of a JsSink: submit, cancel, release, close.
#pragma once

#include <napi.h>

#include <memory>

#include "bridge/js_sink.h"

namespace penstock::bridge {

class SinkHandle : public Napi::ObjectWrap<SinkHandle> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Value Open(const Napi::CallbackInfo& info);

  explicit SinkHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SinkHandle>(info) {}
  // Garbage collection of the handle closes the sink.
  ~SinkHandle() override;

 private:
  Napi::Value SubmitHttp(const Napi::CallbackInfo& info);
  Napi::Value SubmitGrpc(const Napi::CallbackInfo& info);
  void Cancel(const Napi::CallbackInfo& info);
  void Release(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  // Null when accepted, else what was wrong.
  Napi::Value Answer(Napi::Env env, const Status& status, const std::string& request_id);
  bool closed() const { return sink_ == nullptr || sink_->closed(); }

  std::shared_ptr<JsSink> sink_;
};

}  // namespace penstock::bridge
