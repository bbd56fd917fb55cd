#include "frontend/request_events.h"

#include <utility>

namespace penstock::frontend {

void RequestEvents::Add(RequestEvent event) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (waiting_.size() >= kMostWaiting) {
      ++lost_;
      return;
    }
    waiting_.push_back(std::move(event));
    if (waiting_.size() > 1) return;
  }
  wake_();
}

std::vector<RequestEvent> RequestEvents::Take(uint64_t* lost) {
  std::lock_guard<std::mutex> lock(mutex_);
  *lost = std::exchange(lost_, 0);
  return std::exchange(waiting_, {});
}

}  // namespace penstock::frontend
