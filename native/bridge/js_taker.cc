#include "bridge/js_taker.h"

#include <utility>

namespace penstock::bridge {

using transport::FileDescriptor;

std::shared_ptr<JsTaker> JsTaker::Open(Napi::Env env, Napi::Function on_connection, std::shared_ptr<transport::ConnectionSource> source,
                                       uint32_t thread) {
  std::shared_ptr<JsTaker> taker(new JsTaker(env, std::move(source)));
  const napi_status created = napi_create_threadsafe_function(
      env, on_connection, nullptr, Napi::String::New(env, "penstock.connections"), 0, 1,
      nullptr, [](napi_env, void*, void* context) { delete static_cast<std::weak_ptr<JsTaker>*>(context); },
      new std::weak_ptr<JsTaker>(taker),
      [](napi_env env, napi_value callback, void* context, void*) {
        if (env == nullptr) return;  // the environment has ended and the context is gone
        const auto taker = static_cast<std::weak_ptr<JsTaker>*>(context)->lock();
        if (taker != nullptr) taker->Drain(Napi::Env(env), Napi::Function(env, callback));
      },
      &taker->tsfn_);
  if (created != napi_ok) return nullptr;
  // Whoever takes connections stays alive by what else it does.
  napi_unref_threadsafe_function(env, taker->tsfn_);
  // Hooks run in reverse order of registration: ours must run before the one that the thread-safe function has just registered.
  napi_add_env_cleanup_hook(env, &JsTaker::OnCleanup, taker.get());
  taker->name_ = taker->source_->Attach(taker, thread);
  return taker;
}

void JsTaker::Take(FileDescriptor connection) {
  std::lock_guard<std::mutex> lock(mutex_);
  waiting_.push_back(std::move(connection));
  if (signalled_) return;
  signalled_ = true;
  napi_call_threadsafe_function(tsfn_, nullptr, napi_tsfn_nonblocking);
}

void JsTaker::Ended() {
  if (!closed()) source_->Ended(name_);
}

void JsTaker::Close() {
  if (closed()) return;
  napi_remove_env_cleanup_hook(env_, &JsTaker::OnCleanup, this);
  // From here on nothing comes, so nobody else uses the function that is aborted below.
  source_->Detach(name_);
  std::lock_guard<std::mutex> lock(mutex_);
  napi_release_threadsafe_function(tsfn_, napi_tsfn_abort);
  tsfn_ = nullptr;
  waiting_.clear();
}

void JsTaker::OnCleanup(void* self) {
  // The source may hold the last reference.
  const std::shared_ptr<JsTaker> taker = static_cast<JsTaker*>(self)->shared_from_this();
  taker->Close();
  taker->CloseDoubtful();
}

void JsTaker::Drain(Napi::Env env, Napi::Function callback) {
  const std::shared_ptr<JsTaker> self = shared_from_this();
  std::vector<FileDescriptor> taken;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    taken.swap(waiting_);
    signalled_ = false;
  }
  for (FileDescriptor& connection : taken) {
    if (closed()) return;  // by the callback; the rest is closed here
    Napi::HandleScope scope(env);
    Doubtful given{connection.get(), {}};
    fstat(given.fd, &given.identity);
    if (!callback.Call({Napi::Number::New(env, connection.Release())}).IsEmpty()) continue;
    doubtful_.push_back(given);
    if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
  }
}

// By now Node has closed every socket that JavaScript had, and the number may stand for something new of another thread. A socket that is
// still the same was never taken.
void JsTaker::CloseDoubtful() {
  for (const Doubtful& given : doubtful_) {
    struct stat now {};
    if (fstat(given.fd, &now) == 0 && now.st_ino == given.identity.st_ino && now.st_dev == given.identity.st_dev) close(given.fd);
  }
  doubtful_.clear();
}

}  // namespace penstock::bridge
