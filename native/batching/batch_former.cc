#include "batching/batch_former.h"

#include <algorithm>

#include "batching/item_times.h"

namespace penstock::batching {
namespace {

constexpr size_t kFillDepth = 64;

}  // namespace

BatchPlan FormBatch(const BatchQueue& queue, const BatchingOptions& options, int64_t now_ns) {
  BatchPlan plan;
  uint32_t group = 0;
  size_t position = 0;
  size_t passed_over = 0;  // counts from the first that did not fit
  queue.Walk([&](const BatchQueue::Entry& entry) {
    if (HasExpired(*entry.item, now_ns)) {
      plan.expired.push_back(position++);
      return true;
    }
    const bool head = plan.positions.empty();
    if (head) group = entry.group;
    if (head || (entry.group == group && entry.rows <= options.max_batch_rows - plan.rows)) {
      plan.positions.push_back(position);
      plan.rows += entry.rows;
      if (entry.item->finish_by_ns != 0) plan.finish_by_ns = std::min(plan.finish_by_ns, entry.item->finish_by_ns);
      if (passed_over != 0) ++passed_over;
    } else {
      if (options.preserve_ordering) return false;
      ++passed_over;
    }
    ++position;
    return options.merge && plan.rows < options.max_batch_rows && passed_over <= kFillDepth;
  });
  plan.full = !options.merge || plan.rows >= options.max_batch_rows;
  plan.left_behind = plan.positions.size() != queue.size();
  return plan;
}

int64_t CloseAsConfigured(const BatchQueue& queue, const BatchingOptions& options, int64_t now_ns, BatchPlan* plan) {
  const std::vector<int64_t>& preferred = options.preferred_rows;
  int64_t oldest_ns = INT64_MAX;
  int64_t rows = 0;
  int64_t cut_rows = 0;
  size_t cut_items = 0;  // 0 = no cut
  size_t position = 0;
  size_t next = 0;
  queue.Walk([&](const BatchQueue::Entry& entry) {
    if (position++ != plan->positions[next]) return true;
    const bool passes = !preferred.empty() && rows + entry.rows > preferred.back();
    if (passes && cut_items == 0) {  // of the first item alone there is nothing to cut
      cut_items = next;
      cut_rows = rows;
    }
    ++next;
    oldest_ns = std::min(oldest_ns, entry.item->enqueued_ns);
    rows += entry.rows;
    if (std::binary_search(preferred.begin(), preferred.end(), rows)) {
      cut_items = next;
      cut_rows = rows;
    }
    return next != plan->positions.size();
  });
  const int64_t closes_ns = SaturatingAdd(oldest_ns, options.max_delay_ns);
  const bool over = options.max_delay_ns != 0 && closes_ns <= now_ns;
  if (cut_items != 0 && !over) {
    plan->positions.resize(cut_items);
    plan->rows = cut_rows;
    return 0;
  }
  const bool past_preferred = !preferred.empty() && rows > preferred.back();
  // Something that waits for this batch to go first is no reason to keep a lane idle.
  const bool starts = over || options.max_delay_ns == 0 || plan->full || plan->left_behind || past_preferred;
  return starts ? 0 : closes_ns;
}

}  // namespace penstock::batching
