// Lets batches leave in the order in which they were started, whichever ends first (Triton's preserve_ordering).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "pipeline/job.h"

namespace penstock::pipeline {

// Jobs whose outcomes are ready to be handed over.
using EndedBatch = std::vector<std::shared_ptr<Job>>;

// Thread-safe.
class BatchOrder {
 public:
  explicit BatchOrder(std::function<void(EndedBatch)> hand_over) : hand_over_(std::move(hand_over)) {}

  // Hands over batch `number` (0, 1, 2 ... in the order of their starts; each must come here once) when all before it have been, and then
  // those that waited for it. Calls hand_over on one thread at a time, outside of its lock: perhaps on that of another batch.
  void Ended(uint64_t number, EndedBatch batch);

 private:
  const std::function<void(EndedBatch)> hand_over_;
  std::mutex mutex_;
  std::map<uint64_t, EndedBatch> held_;
  uint64_t next_ = 0;
  bool handing_over_ = false;
};

}  // namespace penstock::pipeline
