// Items, options and a served model for the tests of this folder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "batching/batcher.h"

namespace penstock::batching {

inline constexpr int64_t kMs = 1'000'000;

struct ItemSpec {
  int64_t rows = 1;
  int64_t deadline_ns = 0;
  uint64_t priority = 0;
  std::string group = "";
  uint64_t timeout_us = 0;
  uint64_t bytes = 1;
};

inline std::shared_ptr<QueueItem> MakeItem(const ItemSpec& spec = {}) {
  auto item = std::make_shared<QueueItem>();
  item->rows = spec.rows;
  item->deadline_ns = spec.deadline_ns;
  item->priority = spec.priority;
  item->group = spec.group;
  item->timeout_us = spec.timeout_us;
  item->bytes = spec.bytes;
  return item;
}

// Offers one and gives the pointer by which a test recognises it; null when it was refused.
inline const QueueItem* Put(Batcher* batcher, int64_t now_ns, const ItemSpec& spec = {}) {
  auto item = MakeItem(spec);
  const QueueItem* raw = item.get();
  return batcher->Offer(&item, now_ns).ok() ? raw : nullptr;
}

inline std::vector<const QueueItem*> Raw(const std::vector<std::shared_ptr<QueueItem>>& items) {
  std::vector<const QueueItem*> raw;
  for (const auto& item : items) raw.push_back(item.get());
  return raw;
}

using Items = std::vector<const QueueItem*>;

// All that waits, in the order in which it would be taken.
inline Items Order(const BatchQueue& queue) {
  Items order;
  queue.Walk([&](const BatchQueue::Entry& entry) {
    order.push_back(entry.item.get());
    return true;
  });
  return order;
}

inline BatchingOptions Merging(int64_t max_rows, int lanes = 1) {
  BatchingOptions options;
  options.lanes = lanes;
  options.merge = true;
  options.max_batch_rows = max_rows;
  return options;
}

// A run of b rows takes fixed_ns + b * row_ns, as a warm-up sees it.
struct Curve {
  int64_t fixed_ns;
  int64_t row_ns;
  int64_t operator()(int64_t rows) const { return fixed_ns + rows * row_ns; }
};
inline constexpr Curve kGpu{2 * kMs, kMs / 20};    // fixed cost dominates
inline constexpr Curve kCpu{kMs / 5, kMs};         // rows do

inline void WarmUp(Batcher* batcher, const Curve& curve, double factor = 1, int busy = 1) {
  const int64_t most = batcher->options().max_batch_rows;
  for (int64_t rows = 1; rows < 2 * most; rows *= 2) {
    const int64_t size = rows < most ? rows : most;
    for (int i = 0; i < 3; ++i) batcher->Learn(busy, size, static_cast<int64_t>(factor * static_cast<double>(curve(size))));
  }
}

}  // namespace penstock::batching
