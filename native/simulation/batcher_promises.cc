#include "simulation/batcher_promises.h"

#include <algorithm>

#include "batching/item_times.h"

namespace penstock::simulation {

using batching::Batcher;
using batching::QueueItem;

namespace {

constexpr size_t kMostBroken = 5;
constexpr size_t kFillDepth = 64;  // as far as a batch looks for what still fits
constexpr int64_t kLatestNs = batching::BatchQueue::kExpiryGrainNs;  // what is due happens at most so much later

size_t IndexOf(const QueueItem& item) { return static_cast<const SimulatedItem&>(item).index; }

}  // namespace

BatcherPromises::BatcherPromises(const Batcher& batcher)
    : batcher_(batcher), options_(batcher.options()), levels_(options_.queue), busy_(static_cast<size_t>(options_.lanes)) {}

void BatcherPromises::Offered(const std::shared_ptr<SimulatedItem>& item, const Status& status, int64_t now_ns) {
  const size_t index = item->index;
  const bool idle = queue_.empty() && FreeLanes() != 0;
  const bool too_late = item->deadline_ns != 0 && item->deadline_ns <= now_ns;
  switch (status.code()) {
    case StatusCode::kOk:
      Expect(!too_late, "what is offered after its deadline is refused", index, now_ns);
      Expect(idle || !PassesBound(*item), "nothing is queued past a bound", index, now_ns);
      queue_.push_back(item);
      bytes_ += item->bytes;
      break;
    case StatusCode::kRequestTimeout:
      Expect(too_late, "an item is refused for its deadline only after it", index, now_ns);
      break;
    case StatusCode::kQueueFull:
      Expect(!idle && PassesBound(*item), "an item is refused for a bound only where it passes it", index, now_ns);
      Expect(status.retry_after_ms() > 0, "a refusal says when to come back", index, now_ns);
      break;
    case StatusCode::kDeadlineUnreachable:
      Expect(!idle, "an idle server refuses nothing", index, now_ns);
      Expect(options_.decides_itself() && item->finish_by_ns != 0, "without a deadline, or with a delay set, nothing is predicted", index,
             now_ns);
      Expect(status.retry_after_ms() > 0, "a refusal says when to come back", index, now_ns);
      break;
    default:
      Expect(false, "a refusal has one of three codes", index, now_ns);
  }
  CheckQueue(now_ns);
}

void BatcherPromises::Asked(int lane, const Batcher::Step& step, int64_t now_ns) {
  if (now_ns >= next_expiry_ns_) Swept(now_ns);
  for (const Batcher::Dropped& drop : step.dropped) CheckDropped(drop, true, now_ns);
  if (step.batch.empty()) {
    wait_until_ns_ = step.wait_until_ns;
    CheckWaiting(wait_until_ns_, now_ns);
  } else {
    CheckStarted(step.batch, now_ns);
    busy_[static_cast<size_t>(lane)] = true;
  }
  CheckQueue(now_ns);
}

void BatcherPromises::Expired(const std::vector<Batcher::Dropped>& dropped, int64_t now_ns) {
  Swept(now_ns);
  for (const Batcher::Dropped& drop : dropped) CheckDropped(drop, false, now_ns);
  Expect(batcher_.next_expiry_ns() > now_ns, "expiry leaves nothing to expire", 0, now_ns);
  CheckQueue(now_ns);
}

void BatcherPromises::Finished(int lane, int64_t now_ns) {
  busy_[static_cast<size_t>(lane)] = false;
  CheckQueue(now_ns);
}

void BatcherPromises::Removed(const SimulatedItem& item, bool was_queued, int64_t now_ns) {
  Expect(Leave(&item) == was_queued, "what is queued can be removed, and nothing else", item.index, now_ns);
  CheckQueue(now_ns);
}

void BatcherPromises::Closed(const Items& taken, int64_t now_ns) {
  for (size_t i = 0; i < taken.size(); ++i) {
    Expect(i == 0 || Before(taken[i - 1].get(), taken[i].get()), "what is taken is in order", IndexOf(*taken[i]), now_ns);
    Expect(Leave(taken[i].get()), "only what is queued is taken", IndexOf(*taken[i]), now_ns);
  }
  Expect(queue_.empty(), "everything is taken", 0, now_ns);
  CheckQueue(now_ns);
}

void BatcherPromises::Ended() {
  Expect(queue_.empty() && batcher_.size() == 0 && batcher_.bytes() == 0, "nothing is left when nothing more can happen", 0, kNever);
  Expect(FreeLanes() == options_.lanes, "every run ends", 0, kNever);
  Expect(batcher_.next_expiry_ns() == kNever, "an empty queue has nothing to expire", 0, kNever);
}

void BatcherPromises::Settled(int64_t now_ns) {
  if (FreeLanes() != 0 && !queue_.empty()) CheckWaiting(wait_until_ns_, now_ns);
}

// The batcher looks at the whole queue now: what is due to be delayed goes behind, in order of arrival.
void BatcherPromises::Swept(int64_t now_ns) {
  for (const auto& item : queue_) {
    if (item->delays_ns != 0 && item->delays_ns <= now_ns && delayed_.emplace(item.get(), delays_ + 1).second) ++delays_;
  }
}

int64_t BatcherPromises::DelayedAs(Item item) const {
  const auto found = delayed_.find(item);
  return found == delayed_.end() ? 0 : found->second;
}

// Level, then those not delayed, then in order of arrival; those delayed in the order in which they were.
bool BatcherPromises::Before(Item a, Item b) const {
  const uint64_t level_a = levels_.LevelOf(*a);
  const uint64_t level_b = levels_.LevelOf(*b);
  if (level_a != level_b) return level_a < level_b;
  const int64_t delayed_a = DelayedAs(a);
  const int64_t delayed_b = DelayedAs(b);
  return delayed_a != delayed_b ? delayed_a < delayed_b : IndexOf(*a) < IndexOf(*b);
}

bool BatcherPromises::PassesBound(const QueueItem& item) const {
  const batching::QueueOptions& bounds = options_.queue;
  const uint64_t level = levels_.LevelOf(item);
  const size_t of_level = levels_.PolicyOf(level).max_queue_size;
  const auto waiting = std::count_if(queue_.begin(), queue_.end(), [&](const auto& other) { return levels_.LevelOf(*other) == level; });
  return (bounds.max_items != 0 && queue_.size() >= bounds.max_items) || (of_level != 0 && static_cast<size_t>(waiting) >= of_level) ||
         (bounds.max_bytes != 0 && bytes_ + item.bytes > bounds.max_bytes);
}

void BatcherPromises::CheckDropped(const Batcher::Dropped& drop, bool at_dispatch, int64_t now_ns) {
  const QueueItem& item = *drop.item;
  const size_t index = IndexOf(item);
  Expect(drop.status.code() == StatusCode::kRequestTimeout, "what is dropped has timed out", index, now_ns);
  if (item.expires_ns != 0 && item.expires_ns <= now_ns) {
    Expect(now_ns - item.expires_ns <= kLatestNs, "expiry is on time, however busy the lanes are", index, now_ns);
  } else {
    Expect(at_dispatch && options_.decides_itself() && item.finish_by_ns != 0 && !item.admitted_idle,
           "before its time an item is dropped only for its deadline, at dispatch, and unless it was let in idle", index, now_ns);
    // It is the next in line: one of lower priority never loses its place to a hopeless one behind it.
    for (const auto& other : queue_) {
      const bool behind = other.get() == &item || HasExpired(*other, now_ns) || Before(&item, other.get());
      Expect(behind, "only the front is dropped", index, now_ns);
    }
  }
  Expect(Leave(&item), "an item is dropped once, and while it is queued", index, now_ns);
}

void BatcherPromises::CheckStarted(const Items& batch, int64_t now_ns) {
  int64_t rows = 0;
  for (size_t i = 0; i < batch.size(); ++i) {
    const QueueItem& item = *batch[i];
    const size_t index = IndexOf(item);
    rows += item.rows;
    Expect(!HasExpired(item, now_ns), "nothing that has expired runs", index, now_ns);
    Expect(item.group == batch[0]->group, "a batch has one group", index, now_ns);
    Expect(i == 0 || Before(batch[i - 1].get(), &item), "a batch is in order", index, now_ns);
    Expect(std::any_of(queue_.begin(), queue_.end(), [&](const auto& queued) { return queued.get() == &item; }),
           "an item runs once, and only if it was queued", index, now_ns);
  }
  if (options_.merge) {
    Expect(rows <= options_.max_batch_rows, "a batch keeps its limit", IndexOf(*batch[0]), now_ns);
  } else {
    Expect(batch.size() == 1, "without merging every item runs alone", IndexOf(*batch[0]), now_ns);
  }
  CheckPassedOver(batch, now_ns);
  CheckSize(batch, now_ns);
  for (const auto& item : batch) Leave(item.get());
}

// Priorities and order of arrival: the first in line is in every batch, and an item starts before another that is ahead of it only where
// that one cannot be in this batch: it has another group, or did not fit beside those of the batch that were ahead of it. With
// preserve_ordering never.
void BatcherPromises::CheckPassedOver(const Items& batch, int64_t now_ns) {
  const std::vector<Item> order = Order();
  Expect(order[0] == batch[0].get(), "the first in line is in the batch", IndexOf(*batch[0]), now_ns);
  int64_t rows = 0;
  size_t taken = 0;
  for (const Item item : order) {
    if (taken == batch.size()) return;
    if (batch[taken].get() == item) {
      ++taken;
      rows += item->rows;
      continue;
    }
    const int64_t room = options_.max_batch_rows - rows;
    const bool fits = options_.merge && item->group == batch[0]->group && room > 0 && item->rows <= room;
    Expect(!options_.preserve_ordering, "with preserve_ordering a batch passes nothing over", IndexOf(*item), now_ns);
    Expect(!fits, "a batch passes over only what cannot join", IndexOf(*item), now_ns);
  }
}

// What could join does; but where the configuration prefers sizes and its delay is not over, no more than make the best of these.
void BatcherPromises::CheckSize(const Items& batch, int64_t now_ns) {
  const Company company = CompanyOfFirst();
  const size_t preferred = IsOver(company.items, now_ns) ? 0 : PreferredItems(company);
  if (preferred == 0) {
    Expect(batch.size() == company.items.size(), "a batch leaves nothing behind that would fit", IndexOf(*batch[0]), now_ns);
  } else {
    Expect(batch.size() == preferred, "until its delay is over a batch has the largest preferred size that is reached", IndexOf(*batch[0]),
           now_ns);
  }
}

void BatcherPromises::CheckWaiting(int64_t wait_until_ns, int64_t now_ns) {
  if (queue_.empty()) {
    Expect(wait_until_ns == kNever, "a lane with nothing to do waits for work, not for a moment", 0, now_ns);
    return;
  }
  const Company company = CompanyOfFirst();
  const size_t index = IndexOf(*company.items[0]);
  Expect(wait_until_ns > now_ns && wait_until_ns != kNever, "a lane that waits is told until when", index, now_ns);
  Expect(company.all && company.rows < options_.max_batch_rows && options_.merge, "a lane waits only for what can join", index, now_ns);
  for (const Item item : company.items) {
    Expect(item->finish_by_ns == 0 || wait_until_ns < item->finish_by_ns, "nothing waits for company until it is late", index, now_ns);
  }
  if (options_.decides_itself()) {
    Expect(FreeLanes() != options_.lanes, "with every lane free the rule starts at once", index, now_ns);
  } else {
    Expect(wait_until_ns <= DelayEnds(company.items), "nothing waits for company longer than the delay", index, now_ns);
    Expect(PreferredItems(company) == 0, "a batch of a preferred size does not wait", index, now_ns);
  }
}

int64_t BatcherPromises::DelayEnds(const std::vector<Item>& items) const {
  int64_t oldest_ns = kNever;
  for (const Item item : items) oldest_ns = std::min(oldest_ns, item->enqueued_ns);
  return oldest_ns + options_.max_delay_ns;
}

bool BatcherPromises::IsOver(const std::vector<Item>& items, int64_t now_ns) const {
  return options_.max_delay_ns != 0 && DelayEnds(items) <= now_ns;
}

BatcherPromises::Company BatcherPromises::CompanyOfFirst() const {
  const std::vector<Item> order = Order();
  Company company;
  size_t looked = 0;
  bool passed_over = false;
  for (const Item item : order) {
    const int64_t room = options_.max_batch_rows - company.rows;
    const bool first = company.items.empty();
    if (!first && (!options_.merge || room <= 0)) break;
    if (first || (item->group == order[0]->group && item->rows <= room)) {
      company.items.push_back(item);
      company.rows += item->rows;
    } else {
      passed_over = true;
      if (options_.preserve_ordering) break;
    }
    if (passed_over && ++looked > kFillDepth) break;
  }
  company.all = company.items.size() == order.size();
  return company;
}

// How many of them, the oldest, make the largest preferred size that they reach; where they reach none and have more than all of them, how
// many stay below the largest; 0: they may have any size.
size_t BatcherPromises::PreferredItems(const Company& company) const {
  if (options_.preferred_rows.empty()) return 0;
  const int64_t largest = options_.preferred_rows.back();
  size_t reached = 0;
  size_t below = 0;
  int64_t rows = 0;
  for (size_t i = 0; i < company.items.size(); ++i) {
    rows += company.items[i]->rows;
    if (std::count(options_.preferred_rows.begin(), options_.preferred_rows.end(), rows) != 0) reached = i + 1;
    if (rows <= largest) below = i + 1;
  }
  if (reached != 0) return reached;
  return rows > largest ? std::max<size_t>(below, 1) : 0;
}

std::vector<const QueueItem*> BatcherPromises::Order() const {
  std::vector<Item> order;
  for (const auto& item : queue_) order.push_back(item.get());
  std::sort(order.begin(), order.end(), [&](Item a, Item b) { return Before(a, b); });
  return order;
}

void BatcherPromises::CheckQueue(int64_t now_ns) {
  next_expiry_ns_ = batcher_.next_expiry_ns();
  Expect(batcher_.size() == queue_.size(), "the queue holds what was accepted and has not left", 0, now_ns);
  Expect(batcher_.bytes() == bytes_, "bytes are those of what is queued", 0, now_ns);
  for (const auto& item : queue_) {
    const bool waits = item->delays_ns != 0 && DelayedAs(item.get()) == 0;
    const int64_t due_ns = std::min(item->expires_ns != 0 ? item->expires_ns : kNever, waits ? item->delays_ns : kNever);
    if (due_ns == kNever) continue;
    Expect(due_ns >= now_ns - kLatestNs, "nothing outlives its expiry in the queue, or its delay in front", item->index, now_ns);
    Expect(next_expiry_ns_ - kLatestNs <= due_ns, "the next expiry misses none", item->index, now_ns);
  }
}

bool BatcherPromises::Leave(Item item) {
  const auto found = std::find_if(queue_.begin(), queue_.end(), [item](const auto& queued) { return queued.get() == item; });
  if (found == queue_.end()) return false;
  bytes_ -= item->bytes;
  delayed_.erase(item);
  queue_.erase(found);
  return true;
}

int BatcherPromises::FreeLanes() const { return static_cast<int>(std::count(busy_.begin(), busy_.end(), false)); }

void BatcherPromises::Expect(bool kept, const char* promise, size_t index, int64_t now_ns) {
  if (kept || broken_.size() >= kMostBroken) return;
  broken_.push_back(std::string("not so: ") + promise + " (request " + std::to_string(index) + ", " + std::to_string(now_ns) + " ns)");
}

}  // namespace penstock::simulation
