#include "serving/reaper.h"

#include <pthread.h>

#include <utility>

namespace penstock::serving {

Reaper::Reaper() : thread_(&Reaper::Loop, this) {}

Reaper::~Reaper() {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    idle_.wait(lock, [this] { return adopted_ == 0; });
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Reaper::Flush() {
  std::unique_lock<std::mutex> lock(mutex_);
  idle_.wait(lock, [this] { return victims_.empty() && !busy_; });
}

void Reaper::Take(std::shared_ptr<const void> victim) {
  // Notified under the lock: the moment it is free, this reaper may have destroyed the victim and be destroyed itself.
  const std::lock_guard<std::mutex> lock(mutex_);
  victims_.push_back(std::move(victim));
  wake_.notify_one();
}

void Reaper::Loop() {
  pthread_setname_np(pthread_self(), "penstock-reaper");
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stop_ || !victims_.empty(); });
    if (victims_.empty()) return;
    std::shared_ptr<const void> victim = std::move(victims_.front());
    victims_.pop_front();
    busy_ = true;
    lock.unlock();
    victim.reset();
    lock.lock();
    busy_ = false;
    --adopted_;
    if (victims_.empty()) idle_.notify_all();
  }
}

}  // namespace penstock::serving
