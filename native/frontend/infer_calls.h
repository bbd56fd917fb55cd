// The infer calls of one loop: requests go down to the engine on its thread, outcomes come back to it from whichever thread ran them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "pipeline/job.h"
#include "pipeline/pipeline.h"
#include "serving/engine.h"
#include "serving/infer_request.h"
#include "serving/reply_plan.h"
#include "transport/event_loop.h"

namespace penstock::frontend {

// What is there when the model has run, or has not. The plan is that of the request; outputs are slices of engine memory.
struct InferOutcome {
  serving::ReplyPlan plan;
  pipeline::Outcome outcome;
  std::weak_ptr<pipeline::Pipeline> pipeline;  // counts what the answer hands out (CountAnswer)
};

// Who waits for an outcome. Told exactly once for each call, never from inside Submit; not at all after Abandon.
class InferWaiter {
 public:
  virtual ~InferWaiter() = default;
  // [loop thread]
  virtual void OnOutcome(uint64_t token, InferOutcome outcome) = 0;
};

// Owned by a loop, and by every job that has not ended. All but Complete: [loop thread].
class InferCalls : public pipeline::CompletionSink, public std::enable_shared_from_this<InferCalls> {
 public:
  // Both outlive it, as far as it is used: after Close it uses neither.
  static std::shared_ptr<InferCalls> Create(transport::EventLoop* loop, serving::Engine* engine);

  // A name for the call, or why there is none (serving::Engine::Submit). `waiter` must live until it is told, or has abandoned the call.
  // `deadline_ns`: monotonic, 0 = none. Also kServerExiting after Close, kMemory.
  Result<uint64_t> Submit(serving::InferRequest request, int64_t deadline_ns, InferWaiter* waiter);

  // The waiter is still told: that it was cancelled, or the answer when that was faster.
  void Cancel(uint64_t token);
  // Cancels, and the waiter is never told. `on_end` (may be empty) is called when the engine is done with it: until then it is work. Never
  // from inside this call, and not after Close. A token whose waiter has been told is ignored.
  void Abandon(uint64_t token, std::function<void()> on_end);

  // Accepted and not ended, abandoned ones included.
  size_t pending() const { return calls_.size(); }

  // Abandons everything; outcomes that come later are dropped where they arrive. To be called before the loop stops.
  void Close();

  // [any thread]
  void Complete(uint64_t token, pipeline::Outcome outcome) override;

 private:
  struct Call {
    InferWaiter* waiter;  // null = abandoned
    serving::Accepted accepted;
    std::function<void()> on_end;
  };
  struct Done {
    uint64_t token;
    pipeline::Outcome outcome;
  };

  InferCalls(transport::EventLoop* loop, serving::Engine* engine) : loop_(loop), engine_(engine) {}
  void Deliver();

  transport::EventLoop* const loop_;
  serving::Engine* const engine_;
  std::unordered_map<uint64_t, Call> calls_;
  uint64_t next_token_ = 1;

  std::mutex mutex_;  // guards all below
  std::vector<Done> done_;
  bool is_posted_ = false;  // Deliver is under way
  bool is_closed_ = false;  // written on the loop thread, which reads it without the lock
};

// Adds what an answer hands out to the counters of its model; `copied`: bytes of outputs that were, each as often as it was.
void CountAnswer(const InferOutcome& outcome, uint64_t handed_out, uint64_t copied);

}  // namespace penstock::frontend
