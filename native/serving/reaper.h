// Destroys model versions on a thread of its own: joining lanes and closing a session may block, which no lane and no JavaScript thread
// may do.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace penstock::serving {

class Reaper {
 public:
  Reaper();
  // Waits until everything it adopted has been dropped and is destroyed, then joins. Whoever destroys a reaper sees to the dropping.
  ~Reaper();

  // [any thread] Wraps `owned` so that dropping the last reference runs its destructor on the reaper thread.
  template <typename T>
  std::shared_ptr<T> Adopt(std::shared_ptr<T> owned) {
    T* raw = owned.get();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ++adopted_;
    }
    return std::shared_ptr<T>(raw, [this, kept = std::move(owned)](T*) mutable { Take(std::move(kept)); });
  }

  // [any thread but its own] Waits until everything dropped so far is destroyed.
  void Flush();

 private:
  void Take(std::shared_ptr<const void> victim);
  void Loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::deque<std::shared_ptr<const void>> victims_;
  uint64_t adopted_ = 0;  // and not yet destroyed
  bool busy_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace penstock::serving
