#include "bridge/model_load.h"

#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "bridge/gpu_queries.h"
#include "bridge/handles.h"
#include "bridge/js_values.h"
#include "bridge/loader_thread.h"

namespace penstock::bridge {
namespace {

class SessionJob : public LoaderJob {
 public:
  SessionJob(serving::Engine* engine, session::SessionOptions options) : engine_(engine), options_(std::move(options)) {}

  Status Run() override {
    Result<std::shared_ptr<session::Session>> opened = session::OpenOrtSession(options_);
    if (!opened.ok()) return opened.status();
    session_ = engine_->reaper().Adopt(std::move(opened).value());
    return Status::Ok();
  }

  Napi::Value Give(Napi::Env env) override { return SessionHandle::Make(env, std::move(session_)); }

 private:
  serving::Engine* const engine_;
  const session::SessionOptions options_;
  std::shared_ptr<session::Session> session_;
};

class VersionJob : public LoaderJob {
 public:
  VersionJob(serving::Engine* engine, std::shared_ptr<session::Session> session, std::vector<session::NamedConversion> conversions,
             serving::VersionSpec spec)
      : engine_(engine), session_(std::move(session)), conversions_(std::move(conversions)), spec_(std::move(spec)) {}

  Status Run() override {
    // The engine is never destroyed.
    spec_.pipeline.charge = [engine = engine_](uint64_t bytes) { return engine->ChargeAnswer(bytes); };
    Result<std::shared_ptr<session::Session>> session = session::WithConversions(std::move(session_), conversions_);
    if (!session.ok()) return session.status();
    session_ = engine_->reaper().Adopt(std::move(session).value());
    Result<std::shared_ptr<serving::ModelVersion>> created =
        serving::ModelVersion::Create(std::move(session_), std::move(spec_), &report_);
    if (!created.ok()) return created.status();
    memory_ = created.value()->pipeline().session().memory_use();
    version_ = engine_->reaper().Adopt(std::move(created).value());
    try {
      engine_->canaries().Add(version_);
    } catch (const std::system_error& error) {
      return Status(StatusCode::kModelLoad, "cannot start the thread of the canaries: " + std::string(error.what()));
    }
    return Status::Ok();
  }

  Napi::Value Give(Napi::Env env) override {
    const Napi::Object handle = VersionHandle::Make(env, std::move(version_));
    if (handle.IsEmpty()) return handle;
    Napi::Object created = Napi::Object::New(env);
    created.Set("handle", handle);
    created.Set("lanes", Napi::Number::New(env, report_.lanes));
    created.Set("merges", Napi::Boolean::New(env, report_.merges));
    created.Set("pads", Napi::Boolean::New(env, report_.pads));
    created.Set("notes", TextList(env, report_.notes));
    created.Set("memory", MemoryList(env, memory_));
    return created;
  }

 private:
  serving::Engine* const engine_;
  std::shared_ptr<session::Session> session_;
  const std::vector<session::NamedConversion> conversions_;
  serving::VersionSpec spec_;
  serving::VersionReport report_;
  std::vector<session::MemoryUse> memory_;
  std::shared_ptr<serving::ModelVersion> version_;
};

}  // namespace

Napi::Promise LoadSession(Napi::Env env, serving::Engine* engine, session::SessionOptions options) {
  return RunOnLoaderThread(env, std::make_unique<SessionJob>(engine, std::move(options)));
}

Napi::Promise LoadVersion(Napi::Env env, serving::Engine* engine, std::shared_ptr<session::Session> session,
                          std::vector<session::NamedConversion> conversions, serving::VersionSpec spec) {
  return RunOnLoaderThread(env, std::make_unique<VersionJob>(engine, std::move(session), std::move(conversions), std::move(spec)));
}

}  // namespace penstock::bridge
