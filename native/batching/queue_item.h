// What batching must know about a piece of work; the pipeline's job derives from it.
#pragma once

#include <cstdint>
#include <string>

namespace penstock::batching {

struct QueueItem {
  virtual ~QueueItem() = default;

  // Filled in by whoever makes the item.
  int64_t rows = 1;           // of the batch dimension
  uint64_t bytes = 0;         // of memory held while queued: its inputs, and the message that they are part of
  uint64_t priority = 0;      // as the client asks: 1 = highest; 0, or one that the model does not have = the model's default level
  uint64_t timeout_us = 0;    // the client's `timeout` parameter; 0 = none
  int64_t deadline_ns = 0;    // the client's own deadline, monotonic: the answer is worth nothing after it; 0 = none
  std::string group;          // items share a batch only where this is equal: shapes beyond the batch dimension

  // Filled in by Batcher::Offer; for the batcher alone.
  int64_t enqueued_ns = 0;
  int64_t finish_by_ns = 0;   // what admission and dispatch plan for; 0 = none
  int64_t expires_ns = 0;     // still queued then: it ends with kRequestTimeout; 0 = never
  int64_t delays_ns = 0;      // still queued then: it steps behind all others of its level (timeout_action DELAY); 0 = never
  bool admitted_idle = false; // let in because nothing was ahead of it: never dropped for a prediction
};

}  // namespace penstock::batching
