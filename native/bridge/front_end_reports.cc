#include "bridge/front_end_reports.h"

#include <utility>
#include <vector>

#include "bridge/js_values.h"

namespace penstock::bridge {
namespace {

using frontend::RequestEvent;

// Some milliseconds of writing log lines.
constexpr size_t kMostEventsOfTurn = 256;

// What a callback has thrown is nobody's who is on the stack.
void ReportThrown(Napi::Env env) {
  if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
}

Napi::Object EventObject(Napi::Env env, const RequestEvent& event) {
  Napi::Object object = Napi::Object::New(env);
  const bool ended = event.kind == RequestEvent::Kind::kEnded;
  object.Set("kind", ended ? "ended" : "failed");
  object.Set("method", event.method);
  object.Set("path", event.path);
  object.Set("requestId", event.request_id);
  if (ended) {
    object.Set("status", event.status);
    object.Set("durationMs", Napi::Number::New(env, event.duration_ms));
    object.Set("bytesIn", JsNumber(env, event.bytes_in));
    object.Set("bytesOut", JsNumber(env, event.bytes_out));
  } else {
    object.Set("code", Napi::Number::New(env, static_cast<int32_t>(event.code)));
    object.Set("message", event.message);
  }
  return object;
}

}  // namespace

std::shared_ptr<FrontEndReports> FrontEndReports::Open(Napi::Env env, Napi::Function on_drained, Napi::Function on_events, bool wants_ended,
                                                       bool wants_refused) {
  std::shared_ptr<FrontEndReports> reports(new FrontEndReports());
  const napi_status created = napi_create_threadsafe_function(
      env, nullptr, nullptr, Napi::String::New(env, "penstock.frontEnd"), 0, 1,
      nullptr, [](napi_env, void*, void* context) { delete static_cast<std::weak_ptr<FrontEndReports>*>(context); },
      new std::weak_ptr<FrontEndReports>(reports),
      [](napi_env env, napi_value, void* context, void*) {
        if (env == nullptr) return;  // the environment has ended and the context is gone
        const auto reports = static_cast<std::weak_ptr<FrontEndReports>*>(context)->lock();
        if (reports != nullptr) reports->Deliver(Napi::Env(env));
      },
      &reports->tsfn_);
  if (created != napi_ok) return nullptr;
  // A server stays alive by what else it does.
  napi_unref_threadsafe_function(env, reports->tsfn_);
  reports->on_drained_ = Napi::Persistent(on_drained);
  reports->on_events_ = Napi::Persistent(on_events);
  reports->events_ = std::make_shared<frontend::RequestEvents>(wants_ended, wants_refused, [weak = std::weak_ptr(reports)] {
    if (const auto reports = weak.lock()) reports->Wake();
  });
  return reports;
}

void FrontEndReports::Drained() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    drained_ = true;
  }
  Wake();
}

void FrontEndReports::Wake() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (signalled_ || tsfn_ == nullptr) return;
  signalled_ = true;
  // Under the lock, so that Close() cannot abort the function between the check and the call.
  napi_call_threadsafe_function(tsfn_, nullptr, napi_tsfn_nonblocking);
}

void FrontEndReports::Next() {
  bool waits = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    signalled_ = false;
    waits = drained_;
  }
  // After the line above: what comes from now on wakes by itself.
  if (waits || events_->HasWaiting()) Wake();
}

void FrontEndReports::DeliverRest(Napi::Env env) {
  Napi::HandleScope scope(env);
  while (DeliverEvents(env)) {
  }
}

void FrontEndReports::Close() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (tsfn_ == nullptr) return;
    napi_release_threadsafe_function(tsfn_, napi_tsfn_abort);
    tsfn_ = nullptr;
  }
  on_drained_.Reset();
  on_events_.Reset();
}

void FrontEndReports::Deliver(Napi::Env env) {
  const std::shared_ptr<FrontEndReports> self = shared_from_this();
  bool drained = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    std::swap(drained, drained_);
  }
  Napi::HandleScope scope(env);
  if (!DeliverEvents(env)) Next();
  // Closed by the callback, perhaps.
  if (!drained || on_drained_.IsEmpty()) return;
  on_drained_.Call({});
  ReportThrown(env);
}

bool FrontEndReports::DeliverEvents(Napi::Env env) {
  if (on_events_.IsEmpty()) return false;
  uint64_t lost = 0;
  const std::vector<RequestEvent> events = events_->Take(&lost, kMostEventsOfTurn);
  if (events.empty() && lost == 0) return false;
  Napi::HandleScope batch_scope(env);
  Napi::Array list = Napi::Array::New(env, events.size());
  for (uint32_t i = 0; i < events.size(); ++i) {
    Napi::HandleScope scope(env);
    list.Set(i, EventObject(env, events[i]));
  }
  on_events_.Call({list, JsNumber(env, lost)});
  ReportThrown(env);
  return true;
}

}  // namespace penstock::bridge
