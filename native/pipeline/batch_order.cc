#include "pipeline/batch_order.h"

#include <utility>

namespace penstock::pipeline {

void BatchOrder::Ended(uint64_t number, EndedBatch batch) {
  std::unique_lock<std::mutex> lock(mutex_);
  held_.emplace(number, std::move(batch));
  if (handing_over_) return;  // that thread looks again when it is done
  handing_over_ = true;
  while (!held_.empty() && held_.begin()->first == next_) {
    EndedBatch next = std::move(held_.begin()->second);
    held_.erase(held_.begin());
    lock.unlock();
    hand_over_(std::move(next));
    lock.lock();
    ++next_;
  }
  handing_over_ = false;
}

}  // namespace penstock::pipeline
