// Which of the queued items make up the next batch. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "batching/batch_queue.h"
#include "batching/batching_options.h"

namespace penstock::batching {

struct BatchPlan {
  std::vector<size_t> positions;  // in the queue, rising; the first is the oldest item
  int64_t rows = 0;
  bool full = false;       // nothing that may come can join: max rows are reached
  bool left_behind = false;  // something queued could not join
  int64_t finish_by_ns = INT64_MAX;  // earliest of its items
  std::vector<size_t> expired;  // rising positions of what was met and is over: to be taken out first, and a batch formed again
};

// Oldest first until one does not fit, then up to 64 items further for those that still fit (reference/batching.md 6.3: with requests of
// mixed sizes goodput is 0.92 of the bound without, 0.98 with); with preserve_ordering nothing after the first that does not fit. One
// group only; the first of the queue that has not expired is always in, whatever its rows. Of a queue that is not empty.
BatchPlan FormBatch(const BatchQueue& queue, const BatchingOptions& options, int64_t now_ns);

// Triton's algorithm for preferred sizes and a delay (GetDynamicBatch of its dynamic_batch_scheduler.cc): cuts the plan to what starts now,
// and returns 0; or returns the moment until which to wait for more. Of a plan without anything expired.
// - Until the delay is over, the largest preferred size that the oldest items reach starts, even where more, or a full batch, is waiting.
// - Where they reach none, they never pass the largest one either: what would is left for the next batch, and those before it start. As
//   there, for a list of preferred sizes says which sizes run well, and a larger one may be just what its author keeps away from.
// - Once it is over, all that fits starts. A delay of 0 is never over.
int64_t CloseAsConfigured(const BatchQueue& queue, const BatchingOptions& options, int64_t now_ns, BatchPlan* plan);

}  // namespace penstock::batching
