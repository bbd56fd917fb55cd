// What the main thread asks of the engine: start, stop, load, publish, health.
#pragma once

#include <napi.h>

namespace penstock::bridge {

Napi::Value StartEngine(const Napi::CallbackInfo& info);
Napi::Value OrtVersionText(const Napi::CallbackInfo& info);
Napi::Value StopEngine(const Napi::CallbackInfo& info);
Napi::Value ExitNow(const Napi::CallbackInfo& info);
Napi::Value OpenSession(const Napi::CallbackInfo& info);
Napi::Value CreateVersion(const Napi::CallbackInfo& info);
Napi::Value PublishCatalog(const Napi::CallbackInfo& info);
Napi::Value PublishHealth(const Napi::CallbackInfo& info);

}  // namespace penstock::bridge
