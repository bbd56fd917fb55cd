// The moments that a queue policy gives an item. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

#include "batching/batching_options.h"
#include "batching/queue_item.h"

namespace penstock::batching {

// For sums of moments and durations that a client may have chosen; both at least 0.
inline int64_t SaturatingAdd(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

// Fills in enqueued_ns, finish_by_ns, expires_ns and delays_ns of an item that comes now (the fields of Triton's ModelQueuePolicy; the
// client's `timeout` counts as in reference/protocol.md 4.5, but also where there is no default, which is where it is needed). The latency
// goal of the options ends an item that still waits then only where the batcher decides itself when batches start: it has let in what it
// expected to be in time. Elsewhere it is a goal, no timeout.
void StampTimes(QueueItem* item, const QueuePolicy& policy, const BatchingOptions& options, int64_t now_ns);

inline bool HasExpired(const QueueItem& item, int64_t now_ns) { return item.expires_ns != 0 && item.expires_ns <= now_ns; }

}  // namespace penstock::batching
