// How one model version batches: Triton's `dynamic_batching`, the server's bounds, and the goal that the rule works for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace penstock::batching {

enum class TimeoutAction : uint8_t { kReject = 0, kDelay = 1 };

// Triton's ModelQueuePolicy, for the items of one priority level.
struct QueuePolicy {
  TimeoutAction timeout_action = TimeoutAction::kReject;
  uint64_t default_timeout_us = 0;      // waiting, not running; 0 = none
  bool allow_timeout_override = false;  // a smaller `timeout` of a request counts. It always counts where there is no default.
  size_t max_queue_size = 0;            // of this level; 0 = only the bound of the whole queue
};

struct QueueOptions {
  size_t max_items = 0;    // of all levels together; 0 = unbounded
  uint64_t max_bytes = 0;  // 0 = unbounded
  uint64_t priority_levels = 0;         // 0 = one level, whatever a request asks for
  uint64_t default_priority_level = 0;  // 1..priority_levels when there are any
  QueuePolicy default_policy;
  std::map<uint64_t, QueuePolicy> level_policies;  // of levels that differ from the default
};

struct BatchingOptions {
  QueueOptions queue;
  int lanes = 1;
  bool merge = false;         // false: every request runs alone
  int64_t max_batch_rows = 1; // of a merged batch, >= 1. No item has more; but see Batcher::OutOfMemory.
  // Either of these makes a configuration decide when a batch starts, as Triton does; nothing is predicted or refused early then.
  std::vector<int64_t> preferred_rows;  // rising
  int64_t max_delay_ns = 0;
  bool preserve_ordering = false;  // batches take items strictly in order. Whoever runs them sees to the order of the answers.
  // Of requests that bring no deadline of their own: nanoseconds from arrival to the end of the run; 0 = none.
  int64_t latency_goal_ns = 0;

  bool decides_itself() const { return preferred_rows.empty() && max_delay_ns == 0; }
};

}  // namespace penstock::batching
