// The thread behind a stream: does the stream's work in order, later than it was asked for.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "calls.h"

struct CUctx_st;

namespace penstock::fake_driver {

// Thrown by a kernel that reaches outside the memory of its device.
struct IllegalAddress {};

class StreamWorker : public std::enable_shared_from_this<StreamWorker> {
 public:
  static std::shared_ptr<StreamWorker> Start(CUctx_st* context);

  // [any thread] `work` runs after all that came before, unless the context has been struck by then.
  void Submit(const Effects& effects, std::function<void()> work);
  // [blocks] Until all that has been submitted so far is done.
  void Wait();
  bool busy();
  // What has been submitted is still done; then the thread ends.
  void Finish();

 private:
  struct Work {
    Effects effects;
    std::function<void()> run;
  };

  explicit StreamWorker(CUctx_st* context) : context_(context) {}
  void Loop();
  void Do(const Work& work);

  CUctx_st* const context_;
  const uint64_t resets_ = ResetCount();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;  // guarded by mutex_
  uint64_t submitted_ = 0;  // guarded by mutex_
  uint64_t completed_ = 0;  // guarded by mutex_
  bool finishing_ = false;  // guarded by mutex_
};

}  // namespace penstock::fake_driver
