#include "stream_worker.h"

#include <thread>

#include "contexts.h"

namespace penstock::fake_driver {

std::shared_ptr<StreamWorker> StreamWorker::Start(CUctx_st* context) {
  std::shared_ptr<StreamWorker> worker(new StreamWorker(context));
  // Detached: a thread whose work hangs must not keep the process from ending.
  std::thread([worker] { worker->Loop(); }).detach();
  return worker;
}

void StreamWorker::Submit(const Effects& effects, std::function<void()> work) {
  std::lock_guard<std::mutex> lock(mutex_);
  queue_.push_back({effects, std::move(work)});
  ++submitted_;
  changed_.notify_all();
}

void StreamWorker::Wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  const uint64_t until = submitted_;
  changed_.wait(lock, [&] { return completed_ >= until; });
}

bool StreamWorker::busy() {
  std::lock_guard<std::mutex> lock(mutex_);
  return completed_ < submitted_;
}

void StreamWorker::Finish() {
  std::lock_guard<std::mutex> lock(mutex_);
  finishing_ = true;
  changed_.notify_all();
}

void StreamWorker::Loop() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return !queue_.empty() || finishing_; });
    if (queue_.empty()) return;
    {
      const Work work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      Do(work);
    }
    lock.lock();
    ++completed_;
    changed_.notify_all();
  }
}

void StreamWorker::Do(const Work& work) {
  if (work.effects.hang_of != SIZE_MAX) HangWork(work.effects.hang_of);
  if (work.effects.delay.count() > 0) std::this_thread::sleep_for(work.effects.delay);
  if (work.effects.async_sticky != 0) context_->Strike(work.effects.async_sticky);
  if (context_->sticky() != 0 || ResetCount() != resets_) return;
  try {
    work.run();
  } catch (const IllegalAddress&) {
    context_->Strike(700);  // CUDA_ERROR_ILLEGAL_ADDRESS
  }
}

}  // namespace penstock::fake_driver
