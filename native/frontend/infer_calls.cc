#include "frontend/infer_calls.h"

#include <new>
#include <utility>

namespace penstock::frontend {

std::shared_ptr<InferCalls> InferCalls::Create(transport::EventLoop* loop, serving::Engine* engine) {
  return std::shared_ptr<InferCalls>(new InferCalls(loop, engine));
}

Result<uint64_t> InferCalls::Submit(serving::InferRequest request, int64_t deadline_ns, InferWaiter* waiter) {
  if (is_closed_) return Status(StatusCode::kServerExiting, "Server exiting");
  const uint64_t token = next_token_++;
  // Its place comes first: what fails before the engine has accepted leaves nothing behind.
  try {
    calls_.emplace(token, Call{waiter, {}, {}});
  } catch (const std::bad_alloc&) {
    return NoMemoryForRequest();
  }
  // The outcome may come before this returns. It is delivered in a later task of this thread.
  Result<serving::Accepted> accepted = engine_->Submit(std::move(request), token, shared_from_this(), deadline_ns);
  if (!accepted.ok()) {
    calls_.erase(token);
    return accepted.status();
  }
  calls_.find(token)->second.accepted = std::move(accepted).value();
  return token;
}

void InferCalls::Cancel(uint64_t token) {
  const auto found = calls_.find(token);
  if (found != calls_.end()) engine_->Cancel(found->second.accepted.job);
}

void InferCalls::Abandon(uint64_t token, std::function<void()> on_end) {
  const auto found = calls_.find(token);
  if (found == calls_.end()) return;
  found->second.waiter = nullptr;
  found->second.on_end = std::move(on_end);
  engine_->Cancel(found->second.accepted.job);
}

void InferCalls::Close() {
  std::vector<Done> dropped;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    is_closed_ = true;
    dropped.swap(done_);
  }
  const std::unordered_map<uint64_t, Call> calls = std::exchange(calls_, {});
  for (const auto& [token, call] : calls) engine_->Cancel(call.accepted.job);
}

void InferCalls::Complete(uint64_t token, pipeline::Outcome outcome) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (is_closed_) return;
  done_.push_back(Done{token, std::move(outcome)});
  if (is_posted_) return;
  is_posted_ = true;
  // Under the lock, so that Close() cannot return, and the loop end, between the check and the call.
  loop_->Post([self = shared_from_this()] { self->Deliver(); });
}

void InferCalls::Deliver() {
  std::vector<Done> done;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    done.swap(done_);
    is_posted_ = false;
  }
  for (Done& one : done) {
    const auto found = calls_.find(one.token);
    if (found == calls_.end()) continue;  // a waiter has closed us
    // Out of the map first: whoever is told may submit, cancel or abandon.
    Call call = std::move(found->second);
    calls_.erase(found);
    if (call.waiter != nullptr) {
      serving::Accepted& accepted = call.accepted;
      call.waiter->OnOutcome(one.token, InferOutcome{std::move(accepted.plan), std::move(one.outcome), std::move(accepted.pipeline)});
    } else if (call.on_end) {
      call.on_end();
    }
  }
}

void CountAnswer(const InferOutcome& outcome, uint64_t handed_out, uint64_t copied) {
  if (const auto room = outcome.pipeline.lock()) room->counters().RecordOutput(handed_out, copied);
}

}  // namespace penstock::frontend
