#include "batching/batch_queue.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "base/checked_math.h"

namespace penstock::batching {
namespace {

bool IsExpired(const QueueItem& item, int64_t now_ns) { return item.deadline_ns != 0 && now_ns >= item.deadline_ns; }

// The first words are Triton's: clients and dashboards look for them.
Status Full(const std::string& facts) {
  return Status(StatusCode::kQueueFull, "Exceeds maximum queue size: " + facts + "; retry later, or raise the queue limit or the lanes");
}

}  // namespace

Status BatchQueue::Enqueue(std::shared_ptr<QueueItem>* item, int64_t now_ns) {
  QueueItem& added = **item;
  if (limits_.max_items != 0 && items_.size() >= limits_.max_items) {
    return Full(std::to_string(items_.size()) + " requests are waiting, the limit is " + std::to_string(limits_.max_items));
  }
  uint64_t bytes = 0;
  if (!CheckedAdd(bytes_, added.bytes, &bytes) || (limits_.max_bytes != 0 && bytes > limits_.max_bytes)) {
    return Full(std::to_string(bytes_) + " bytes are waiting, " + std::to_string(added.bytes) + " more would pass the limit of " +
                std::to_string(limits_.max_bytes));
  }
  items_.push_back(*item);
  item->reset();
  added.enqueued_ns = now_ns;
  bytes_ = bytes;
  if (added.deadline_ns != 0) earliest_deadline_ns_ = std::min(earliest_deadline_ns_, added.deadline_ns);
  return Status::Ok();
}

std::shared_ptr<QueueItem> BatchQueue::Next(int64_t now_ns, std::vector<std::shared_ptr<QueueItem>>* expired) {
  if (now_ns >= earliest_deadline_ns_) Expire(now_ns, expired);
  if (items_.empty()) return nullptr;
  std::shared_ptr<QueueItem> oldest = std::move(items_.front());
  items_.pop_front();
  bytes_ -= oldest->bytes;
  return oldest;
}

void BatchQueue::Expire(int64_t now_ns, std::vector<std::shared_ptr<QueueItem>>* expired) {
  const auto is_expired = [now_ns](const auto& item) { return IsExpired(*item, now_ns); };
  // All memory is taken before anything moves: no item can be lost between the two containers.
  expired->reserve(expired->size() + static_cast<size_t>(std::count_if(items_.begin(), items_.end(), is_expired)));
  earliest_deadline_ns_ = INT64_MAX;
  auto keep = items_.begin();
  for (std::shared_ptr<QueueItem>& item : items_) {
    if (is_expired(item)) {
      bytes_ -= item->bytes;
      expired->push_back(std::move(item));
      continue;
    }
    if (item->deadline_ns != 0) earliest_deadline_ns_ = std::min(earliest_deadline_ns_, item->deadline_ns);
    if (&*keep != &item) *keep = std::move(item);
    ++keep;
  }
  items_.erase(keep, items_.end());
}

bool BatchQueue::Remove(const QueueItem* item) {
  const auto found = std::find_if(items_.begin(), items_.end(), [item](const auto& queued) { return queued.get() == item; });
  if (found == items_.end()) return false;
  bytes_ -= item->bytes;
  items_.erase(found);
  return true;
}

std::vector<std::shared_ptr<QueueItem>> BatchQueue::TakeAll() {
  std::vector<std::shared_ptr<QueueItem>> all(std::make_move_iterator(items_.begin()), std::make_move_iterator(items_.end()));
  items_.clear();
  bytes_ = 0;
  earliest_deadline_ns_ = INT64_MAX;
  return all;
}

}  // namespace penstock::batching
