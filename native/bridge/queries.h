// What any environment may ask: the tables, ready documents, counters, gauges, health.
#pragma once

#include <napi.h>

namespace penstock::bridge {

Napi::Value StatusCodes(const Napi::CallbackInfo& info);
Napi::Value DataTypes(const Napi::CallbackInfo& info);
Napi::Value LatencyBoundsSeconds(const Napi::CallbackInfo& info);
Napi::Value ErrorReplyOf(const Napi::CallbackInfo& info);
Napi::Value RetryDelays(const Napi::CallbackInfo& info);
Napi::Value Describe(const Napi::CallbackInfo& info);
Napi::Value Statistics(const Napi::CallbackInfo& info);
Napi::Value Gauges(const Napi::CallbackInfo& info);
Napi::Value Health(const Napi::CallbackInfo& info);

}  // namespace penstock::bridge
