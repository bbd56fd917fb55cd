// Work that may block for seconds, on a thread of its own, for a promise of the environment that asked.
#pragma once

#include <napi.h>

#include <memory>

#include "base/status.h"

namespace penstock::bridge {

// Whatever it holds is dropped on a loader or JavaScript thread, so it must be adopted by the reaper where dropping blocks.
class LoaderJob {
 public:
  virtual ~LoaderJob() = default;
  // [loader thread]
  virtual Status Run() = 0;
  // [JS thread] What the promise gives, after Run's OK. Empty, or with a JavaScript error pending, when the environment is ending.
  virtual Napi::Value Give(Napi::Env env) = 0;
};

// [JS thread] A promise of what the job gives; rejected with the status of its Run. The environment may end first: the job is dropped then.
// A job counts as a load of ProcessState from here on until its result is on its way.
Napi::Promise RunOnLoaderThread(Napi::Env env, std::unique_ptr<LoaderJob> job);

}  // namespace penstock::bridge
