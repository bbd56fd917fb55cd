#include "batching/batch_queue.h"

#include <algorithm>
#include <utility>

#include "base/checked_math.h"
#include "batching/item_times.h"

namespace penstock::batching {
namespace {

// The first words are Triton's: clients and dashboards look for them.
Status Full(const std::string& facts) {
  return Status(StatusCode::kQueueFull, "Exceeds maximum queue size: " + facts + "; retry later, or raise the queue limit or the lanes");
}

// When something happens to an item by itself; INT64_MAX = never.
int64_t DueNs(const QueueItem& item, bool prompt) {
  int64_t due_ns = item.expires_ns != 0 ? item.expires_ns : INT64_MAX;
  if (prompt && item.delays_ns != 0) due_ns = std::min(due_ns, item.delays_ns);
  return due_ns;
}

}  // namespace

uint64_t BatchQueue::LevelOf(const QueueItem& item) const {
  if (options_.priority_levels == 0) return 1;
  return item.priority == 0 || item.priority > options_.priority_levels ? options_.default_priority_level : item.priority;
}

const QueuePolicy& BatchQueue::PolicyOf(uint64_t level) const {
  const auto found = options_.level_policies.find(level);
  return found == options_.level_policies.end() ? options_.default_policy : found->second;
}

Status BatchQueue::CheckBounds(const QueueItem& item) const {
  if (options_.max_items != 0 && size_ >= options_.max_items) {
    return Full(std::to_string(size_) + " requests are waiting, the limit is " + std::to_string(options_.max_items));
  }
  const uint64_t number = LevelOf(item);
  const size_t level_limit = PolicyOf(number).max_queue_size;
  if (level_limit != 0) {
    const auto level = levels_.find(number);
    const size_t waiting = level == levels_.end() ? 0 : level->second.prompt.entries.size() + level->second.delayed.entries.size();
    if (waiting >= level_limit) {
      return Full(std::to_string(waiting) + " requests of priority " + std::to_string(number) +
                  " are waiting, max_queue_size of their queue policy is " + std::to_string(level_limit));
    }
  }
  uint64_t bytes = 0;
  if (!CheckedAdd(bytes_, item.bytes, &bytes) || (options_.max_bytes != 0 && bytes > options_.max_bytes)) {
    return Full(std::to_string(bytes_) + " bytes are waiting, " + std::to_string(item.bytes) + " more would pass the limit of " +
                std::to_string(options_.max_bytes));
  }
  return Status::Ok();
}

void BatchQueue::Enqueue(std::shared_ptr<QueueItem>* item) {
  QueueItem& added = **item;
  Line& line = levels_[LevelOf(added)].prompt;
  const int64_t rows = std::clamp<int64_t>(added.rows, 0, kMostRows);
  line.entries.push_back({nullptr, rows, 0});
  try {
    line.entries.back().group = JoinGroup(added.group);
  } catch (...) {
    line.entries.pop_back();
    throw;
  }
  line.entries.back().item = std::move(*item);
  line.rows += rows;
  rows_ += rows;
  bytes_ += added.bytes;
  ++size_;
  due_ns_ = std::min(due_ns_, DueNs(added, true));
}

uint32_t BatchQueue::GroupOf(const QueueItem& item) const {
  const auto found = groups_.find(item.group);
  return found == groups_.end() ? kNoGroup : found->second.number;
}

BatchQueue::Ahead BatchQueue::AheadOf(uint64_t number) const {
  Ahead ahead;
  for (const auto& [other, level] : levels_) {
    if (other > number) break;
    ahead.items += level.prompt.entries.size();
    ahead.rows += level.prompt.rows;
    if (other == number) break;
    ahead.items += level.delayed.entries.size();
    ahead.rows += level.delayed.rows;
  }
  return ahead;
}

const QueueItem& BatchQueue::front() const {
  const QueueItem* first = nullptr;
  Walk([&](const Entry& entry) {
    first = entry.item.get();
    return false;
  });
  return *first;
}

std::vector<std::shared_ptr<QueueItem>> BatchQueue::Take(const std::vector<size_t>& positions) {
  std::vector<std::shared_ptr<QueueItem>> taken;
  taken.reserve(positions.size());
  size_t base = 0;
  size_t next = 0;
  for (auto& [number, level] : levels_) {
    for (Line* line : {&level.prompt, &level.delayed}) {
      if (next == positions.size()) break;
      const size_t length = line->entries.size();
      TakeFrom(line, positions, base, &next, &taken);
      base += length;
    }
  }
  DropEmptyLevels();
  return taken;
}

bool BatchQueue::Remove(const QueueItem* item) {
  const auto level = levels_.find(LevelOf(*item));
  if (level == levels_.end()) return false;
  for (Line* line : {&level->second.prompt, &level->second.delayed}) {
    auto& entries = line->entries;
    const auto found = std::find_if(entries.begin(), entries.end(), [item](const Entry& entry) { return entry.item.get() == item; });
    if (found == entries.end()) continue;
    Leave(line, *found);
    entries.erase(found);
    DropEmptyLevels();
    return true;
  }
  return false;
}

std::vector<std::shared_ptr<QueueItem>> BatchQueue::TakeAll() {
  std::vector<size_t> everything(size_);
  for (size_t i = 0; i < everything.size(); ++i) everything[i] = i;
  std::vector<std::shared_ptr<QueueItem>> taken = Take(everything);
  due_ns_ = INT64_MAX;
  return taken;
}

void BatchQueue::Expire(int64_t now_ns, std::vector<std::shared_ptr<QueueItem>>* expired) {
  int64_t due_ns = INT64_MAX;
  for (auto& [number, level] : levels_) due_ns = std::min(due_ns, ExpireLevel(&level, now_ns, expired));
  due_ns_ = due_ns;
  quiet_until_ns_ = SaturatingAdd(now_ns, kExpiryGrainNs);
  DropEmptyLevels();
}

int64_t BatchQueue::ExpireLevel(Level* level, int64_t now_ns, std::vector<std::shared_ptr<QueueItem>>* expired) {
  std::deque<Entry>& prompt = level->prompt.entries;
  std::deque<Entry>& delayed = level->delayed.entries;
  const size_t delayed_before = delayed.size();
  size_t expiring = 0;
  size_t delaying = 0;
  int64_t due_ns = INT64_MAX;
  const auto look = [&](const Entry& entry, bool is_prompt) {
    if (HasExpired(*entry.item, now_ns)) {
      ++expiring;
      return;
    }
    const bool steps_back = is_prompt && DueNs(*entry.item, true) <= now_ns;
    if (steps_back) ++delaying;
    due_ns = std::min(due_ns, DueNs(*entry.item, is_prompt && !steps_back));
  };
  for (const Entry& entry : delayed) look(entry, false);
  for (const Entry& entry : prompt) look(entry, true);
  if (expiring == 0 && delaying == 0) return due_ns;

  // All memory is taken before anything moves: no item can be lost between two containers.
  expired->reserve(expired->size() + expiring);
  delayed.resize(delayed_before + delaying);

  size_t behind = 0;  // of `delayed`, that are where they stay
  const auto leaves = [&](Line* line, Entry* entry) {
    if (!HasExpired(*entry->item, now_ns)) return false;
    Leave(line, *entry);
    expired->push_back(std::move(entry->item));
    return true;
  };
  const auto stay = [](Entry* entry, std::deque<Entry>* line, size_t* kept) {
    if (&(*line)[*kept] != entry) (*line)[*kept] = std::move(*entry);
    ++*kept;
  };
  for (size_t i = 0; i < delayed_before; ++i) {
    if (!leaves(&level->delayed, &delayed[i])) stay(&delayed[i], &delayed, &behind);
  }
  size_t kept = 0;
  for (Entry& entry : prompt) {
    if (leaves(&level->prompt, &entry)) continue;
    if (DueNs(*entry.item, true) > now_ns) {
      stay(&entry, &prompt, &kept);
      continue;
    }
    level->prompt.rows -= entry.rows;
    level->delayed.rows += entry.rows;
    stay(&entry, &delayed, &behind);
  }
  prompt.resize(kept);
  delayed.resize(behind);
  return due_ns;
}

uint32_t BatchQueue::JoinGroup(const std::string& name) {
  const auto found = groups_.find(name);
  if (found != groups_.end()) {
    ++found->second.items;
    return found->second.number;
  }
  if (!free_group_numbers_.empty()) {
    const uint32_t number = free_group_numbers_.back();
    groups_.emplace(name, Group{number, 1});
    free_group_numbers_.pop_back();
    return number;
  }
  if (free_group_numbers_.capacity() == group_numbers_) free_group_numbers_.reserve(2 * free_group_numbers_.capacity() + 1);
  groups_.emplace(name, Group{group_numbers_, 1});
  return group_numbers_++;
}

void BatchQueue::Leave(Line* line, const Entry& entry) {
  line->rows -= entry.rows;
  rows_ -= entry.rows;
  bytes_ -= entry.item->bytes;
  --size_;
  const auto group = groups_.find(entry.item->group);
  if (--group->second.items != 0) return;
  free_group_numbers_.push_back(group->second.number);
  groups_.erase(group);
}

void BatchQueue::TakeFrom(Line* line, const std::vector<size_t>& positions, size_t base, size_t* next,
                          std::vector<std::shared_ptr<QueueItem>>* taken) {
  auto& entries = line->entries;
  const size_t first = *next;
  while (*next != positions.size() && positions[*next] - base < entries.size()) {
    Entry& entry = entries[positions[(*next)++] - base];
    Leave(line, entry);
    taken->push_back(std::move(entry.item));
  }
  if (*next == first) return;
  // What was passed over moves up to the last one taken; then the emptied front goes. Costs what was looked at, not the length.
  size_t end = positions[*next - 1] - base + 1;
  size_t write = end;
  for (size_t i = end; i-- > 0;) {
    if (entries[i].item == nullptr) continue;
    --write;
    if (write != i) entries[write] = std::move(entries[i]);
  }
  entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(write));
}

void BatchQueue::DropEmptyLevels() {
  // A client could name any number of levels; a lone one stays, so that an ordinary queue takes no memory each time it has been empty.
  if (levels_.size() == 1) return;
  for (auto level = levels_.begin(); level != levels_.end();) {
    const bool empty = level->second.prompt.entries.empty() && level->second.delayed.entries.empty();
    level = empty ? levels_.erase(level) : std::next(level);
  }
}

}  // namespace penstock::batching
