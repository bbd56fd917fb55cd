// The waiting line of one model version: priority levels, each with a queue policy; bounded in items and bytes.
//
// Pure and not thread-safe, as the batcher that owns it. Order: level, then those that are not delayed, then arrival.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "batching/batching_options.h"
#include "batching/queue_item.h"

namespace penstock::batching {

class BatchQueue {
 public:
  // What walks need of an item, without touching it.
  struct Entry {
    std::shared_ptr<QueueItem> item;
    int64_t rows = 0;    // 0..kMostRows
    uint32_t group = 0;  // small number, for QueueItem::group while any of it is queued
  };
  static constexpr uint32_t kNoGroup = UINT32_MAX;
  // More rows than any batch has; sums of as many as fit in memory do not overflow.
  static constexpr int64_t kMostRows = int64_t{1} << 40;
  // Expire looks at the whole queue, under its owner's lock: where each item has a moment of its own, one look serves all of so long.
  static constexpr int64_t kExpiryGrainNs = 200'000;

  explicit BatchQueue(const QueueOptions& options) : options_(options) {}

  uint64_t LevelOf(const QueueItem& item) const;
  const QueuePolicy& PolicyOf(uint64_t level) const;

  // kQueueFull naming the limit that one more item passes.
  Status CheckBounds(const QueueItem& item) const;
  // Takes *item, whose times are stamped, to its level. Call after CheckBounds. Throws std::bad_alloc, and has taken nothing then. Of what
  // follows only Take, TakeAll and Expire may throw it; nothing is lost then, either.
  void Enqueue(std::shared_ptr<QueueItem>* item);

  size_t size() const { return size_; }
  uint64_t bytes() const { return bytes_; }
  int64_t rows() const { return rows_; }
  size_t groups() const { return groups_.size(); }
  uint32_t GroupOf(const QueueItem& item) const;  // kNoGroup when none of its group is queued

  // What would run before a new item of `level`.
  struct Ahead {
    size_t items = 0;
    int64_t rows = 0;
  };
  Ahead AheadOf(uint64_t level) const;
  // Calls visit(const Entry&) in order until it returns false: for everything, or for what AheadOf counts.
  template <typename Visit>
  void Walk(Visit visit) const;
  template <typename Visit>
  void WalkAhead(uint64_t level, Visit visit) const;

  const QueueItem& front() const;  // of a queue that is not empty
  // Takes out the items at `positions` (rising, 0 = front), in order.
  std::vector<std::shared_ptr<QueueItem>> Take(const std::vector<size_t>& positions);
  // False when this very item is not queued.
  bool Remove(const QueueItem* item);
  std::vector<std::shared_ptr<QueueItem>> TakeAll();

  // Moves what has expired to `expired`, and what its policy delays behind the others of its level.
  void Expire(int64_t now_ns, std::vector<std::shared_ptr<QueueItem>>* expired);
  // When Expire has something to do, or earlier (an item that has left may have been the reason); but never less than kExpiryGrainNs after
  // the last Expire, so up to as much too late.
  int64_t next_expiry_ns() const { return due_ns_ == INT64_MAX ? INT64_MAX : std::max(due_ns_, quiet_until_ns_); }

 private:
  struct Line {
    std::deque<Entry> entries;
    int64_t rows = 0;
  };
  struct Level {
    Line prompt;
    Line delayed;
  };
  struct Group {
    uint32_t number = 0;
    size_t items = 0;
  };
  uint32_t JoinGroup(const std::string& name);
  // Books an entry out of its line; its item may be moved out of the line after that, but not before.
  void Leave(Line* line, const Entry& entry);
  void TakeFrom(Line* line, const std::vector<size_t>& positions, size_t base, size_t* next, std::vector<std::shared_ptr<QueueItem>>* taken);
  // Returns the next moment at which an item of the level expires or is delayed.
  int64_t ExpireLevel(Level* level, int64_t now_ns, std::vector<std::shared_ptr<QueueItem>>* expired);
  void DropEmptyLevels();

  const QueueOptions options_;
  std::map<uint64_t, Level> levels_;  // by priority, those in use
  std::unordered_map<std::string, Group> groups_;
  std::vector<uint32_t> free_group_numbers_;  // has room for all that were ever given: giving one back takes no memory
  uint32_t group_numbers_ = 0;
  size_t size_ = 0;
  uint64_t bytes_ = 0;
  int64_t rows_ = 0;
  int64_t due_ns_ = INT64_MAX;  // no item expires or is delayed before
  int64_t quiet_until_ns_ = 0;
};

template <typename Visit>
void BatchQueue::Walk(Visit visit) const {
  for (const auto& [number, level] : levels_) {
    for (const Line* line : {&level.prompt, &level.delayed}) {
      for (const Entry& entry : line->entries) {
        if (!visit(entry)) return;
      }
    }
  }
}

template <typename Visit>
void BatchQueue::WalkAhead(uint64_t level, Visit visit) const {
  size_t left = AheadOf(level).items;
  if (left == 0) return;
  // Delayed items of lower levels come before those of `level`, its own come after: what is ahead is a prefix of the order.
  Walk([&](const Entry& entry) { return visit(entry) && --left != 0; });
}

}  // namespace penstock::batching
