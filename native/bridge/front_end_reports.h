// What the native front end tells the main thread: requests for the log, in batches, and the end of its drain.
//
// JavaScript asks for each batch but the first, which it does in a later turn of its event loop: however many events come, that loop goes
// on turning. What comes meanwhile waits in RequestEvents, which is bounded.
#pragma once

#include <napi.h>

#include <memory>
#include <mutex>

#include "frontend/request_events.h"

namespace penstock::bridge {

class FrontEndReports : public std::enable_shared_from_this<FrontEndReports> {
 public:
  // [JS thread] Null when the environment is closing. `on_events(events, lost)`, `on_drained()`; see RequestEvents for the rest.
  static std::shared_ptr<FrontEndReports> Open(Napi::Env env, Napi::Function on_drained, Napi::Function on_events, bool wants_ended,
                                               bool wants_refused);

  const std::shared_ptr<frontend::RequestEvents>& events() const { return events_; }

  // [any thread] The last connection has ended.
  void Drained();

  // [JS thread] What waits, and what comes, may be delivered: after each `on_events` nothing is until then.
  void Next();

  // [JS thread] Delivers every event that waits, in this call. When nothing adds events any more.
  void DeliverRest(Napi::Env env);

  // [JS thread] Nobody is called any more. May be repeated.
  void Close();

 private:
  FrontEndReports() = default;
  void Wake();                    // [any thread]
  void Deliver(Napi::Env env);    // [JS thread]
  bool DeliverEvents(Napi::Env env);  // one batch; false when there is none

  std::shared_ptr<frontend::RequestEvents> events_;

  // JS thread only; empty once closed, as the last reference may be dropped by any thread.
  Napi::FunctionReference on_drained_;
  Napi::FunctionReference on_events_;

  std::mutex mutex_;  // guards all below
  napi_threadsafe_function tsfn_ = nullptr;  // null once closed
  bool signalled_ = false;  // from the wake-up to Next()
  bool drained_ = false;
};

}  // namespace penstock::bridge
