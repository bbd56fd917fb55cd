// Which work runs next: pure logic, no threads, the time is passed in.
//
// Not thread-safe: the pipeline guards it with its own lock. Bounded in items and bytes; refuses rather than grows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/status.h"

namespace penstock::batching {

// What the queue must know about a piece of work; the pipeline's job derives from it.
struct QueueItem {
  virtual ~QueueItem() = default;
  int64_t rows = 1;           // of the batch dimension
  uint64_t bytes = 0;         // of memory held while queued: its inputs, and the message that they are part of
  int64_t enqueued_ns = 0;    // monotonic; set by Enqueue
  int64_t deadline_ns = 0;    // monotonic; 0 = none
};

struct QueueLimits {
  size_t max_items = 0;       // 0 = unbounded
  uint64_t max_bytes = 0;     // 0 = unbounded
};

class BatchQueue {
 public:
  explicit BatchQueue(QueueLimits limits) : limits_(limits) {}

  // Takes `*item` (leaving null) only when it returns OK. kQueueFull names the limit that was hit.
  Status Enqueue(std::shared_ptr<QueueItem>* item, int64_t now_ns);

  // Moves every item whose deadline has passed into `expired`, then returns the oldest of the rest, or null when none is left.
  std::shared_ptr<QueueItem> Next(int64_t now_ns, std::vector<std::shared_ptr<QueueItem>>* expired);

  // Takes this very item out; false when it is not queued (any more).
  bool Remove(const QueueItem* item);

  // Takes everything out, oldest first.
  std::vector<std::shared_ptr<QueueItem>> TakeAll();

  size_t size() const { return items_.size(); }
  uint64_t bytes() const { return bytes_; }

 private:
  void Expire(int64_t now_ns, std::vector<std::shared_ptr<QueueItem>>* expired);

  QueueLimits limits_;
  std::deque<std::shared_ptr<QueueItem>> items_;
  uint64_t bytes_ = 0;
  // No queued deadline is earlier, so that Next looks at every item only when one of them may have expired.
  int64_t earliest_deadline_ns_ = INT64_MAX;
};

}  // namespace penstock::batching
