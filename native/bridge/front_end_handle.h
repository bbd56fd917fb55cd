// The native front end as the main thread has it.
#pragma once

#include <napi.h>

#include <memory>

#include "bridge/front_end_reports.h"
#include "frontend/front_end.h"

namespace penstock::bridge {

class FrontEndHandle : public Napi::ObjectWrap<FrontEndHandle> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Value Start(const Napi::CallbackInfo& info);

  explicit FrontEndHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<FrontEndHandle>(info), env_(info.Env()) {}
  // Garbage collection of the handle destroys the front end.
  ~FrontEndHandle() override;

 private:
  void Hold(std::shared_ptr<FrontEndReports> reports, std::shared_ptr<frontend::FrontEnd> front_end);
  void GoAway(const Napi::CallbackInfo& info);
  void Drain(const Napi::CallbackInfo& info);
  void NextEvents(const Napi::CallbackInfo& info);
  void SetTls(const Napi::CallbackInfo& info);
  void Destroy(const Napi::CallbackInfo& info);
  // Ends the loops; whoever calls closes the reports. False when they have ended before.
  bool EndLoops();
  void End();
  static void OnCleanup(void* self);

  const Napi::Env env_;
  std::shared_ptr<FrontEndReports> reports_;
  std::shared_ptr<frontend::FrontEnd> front_end_;  // null once destroyed; the process ends it at its own end
};

// Null, or why there is no nghttp2 in this process.
Napi::Value FindNghttp2(const Napi::CallbackInfo& info);
// The same of OpenSSL.
Napi::Value FindTls(const Napi::CallbackInfo& info);

}  // namespace penstock::bridge
