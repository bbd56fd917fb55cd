#include "bridge/loader_thread.h"

#include <pthread.h>

#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "bridge/js_values.h"
#include "bridge/process_state.h"

namespace penstock::bridge {
namespace {

// Owned by the loader thread, then by the call that waits in `settle`.
struct Load {
  Load(Napi::Env env, std::unique_ptr<LoaderJob> work) : deferred(Napi::Promise::Deferred::New(env)), job(std::move(work)) {}
  Napi::Promise::Deferred deferred;  // JS thread only
  std::unique_ptr<LoaderJob> job;
  Status status;

  std::mutex mutex;
  // Null once the environment ends: Node then destroys the function, whoever still holds it.
  napi_threadsafe_function settle = nullptr;
};

using SharedLoad = std::shared_ptr<Load>;

void OnCleanup(void* raw) {
  auto* load = static_cast<Load*>(raw);
  const std::lock_guard<std::mutex> lock(load->mutex);
  load->settle = nullptr;
}

void Settle(napi_env raw_env, napi_value, void*, void* data) {
  const std::unique_ptr<SharedLoad> holder(static_cast<SharedLoad*>(data));
  if (raw_env == nullptr) return;  // the environment has gone, and the promise with it
  Load& load = **holder;
  const Napi::Env env(raw_env);
  napi_remove_env_cleanup_hook(env, OnCleanup, &load);
  napi_release_threadsafe_function(load.settle, napi_tsfn_release);
  if (!load.status.ok()) {
    load.deferred.Reject(StatusError(env, load.status).Value());
    return;
  }
  const Napi::Value result = load.job->Give(env);
  if (env.IsExceptionPending()) {
    load.deferred.Reject(env.GetAndClearPendingException().Value());
  } else if (!result.IsEmpty()) {
    load.deferred.Resolve(result);
  }
}

// [any thread] Hands the outcome to the environment, when it is still there.
void Deliver(const SharedLoad& load) {
  const std::lock_guard<std::mutex> lock(load->mutex);
  if (load->settle == nullptr) return;
  auto* holder = new SharedLoad(load);
  if (napi_call_threadsafe_function(load->settle, holder, napi_tsfn_nonblocking) != napi_ok) delete holder;
}

void Run(const SharedLoad& load) {
  pthread_setname_np(pthread_self(), "penstock-load");
  try {
    load->status = load->job->Run();
  } catch (const std::bad_alloc&) {
    load->status = Status(StatusCode::kMemory, "the machine has no memory left to load a model");
  }
  Deliver(load);
}

}  // namespace

Napi::Promise RunOnLoaderThread(Napi::Env env, std::unique_ptr<LoaderJob> job) {
  auto load = std::make_shared<Load>(env, std::move(job));
  const Napi::Promise promise = load->deferred.Promise();
  const Napi::String name = Napi::String::New(env, "penstock.load");
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr, Settle, &load->settle) != napi_ok) {
    return promise;  // only while the environment ends: nobody waits any more
  }
  // After the function's own hook, so that it runs before it.
  napi_add_env_cleanup_hook(env, OnCleanup, load.get());
  ProcessState::Get().LoadBegins();
  try {
    std::thread([load]() mutable {
      Run(load);
      load.reset();
      ProcessState::Get().LoadEnds();
    }).detach();
  } catch (const std::system_error&) {
    ProcessState::Get().LoadEnds();
    load->status = Status(StatusCode::kMemory, "the machine has no thread left to load a model with");
    Deliver(load);
  }
  return promise;
}

}  // namespace penstock::bridge
