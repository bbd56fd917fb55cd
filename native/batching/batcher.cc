#include "batching/batcher.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "batching/item_times.h"

namespace penstock::batching {
namespace {

std::string Milliseconds(int64_t ns) {
  char text[40];
  std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(ns) / 1e6);
  return text;
}

// The first words are Triton's, as those of a full queue are.
Status TimedOut(const std::string& facts) { return Status(StatusCode::kRequestTimeout, "Request timeout expired: " + facts); }

Batcher::Dropped Expired(std::shared_ptr<QueueItem> item, int64_t now_ns) {
  Status status = TimedOut("it waited in the queue for " + Milliseconds(now_ns - item->enqueued_ns) +
                           ", which is as long as its deadline, its timeout or the model's queue policy allows");
  return {std::move(item), std::move(status)};
}

}  // namespace

Batcher::Batcher(BatchingOptions options)
    : options_(std::move(options)),
      configured_rows_(options_.max_batch_rows),
      queue_(options_.queue),
      run_times_(static_cast<size_t>(options_.lanes)),
      lanes_(static_cast<size_t>(options_.lanes)) {}

Status Batcher::Offer(std::shared_ptr<QueueItem>* offered, int64_t now_ns) {
  QueueItem& item = **offered;
  if (item.deadline_ns != 0 && item.deadline_ns <= now_ns) {
    return TimedOut("its deadline had passed by " + Milliseconds(now_ns - item.deadline_ns) + " when it was to be queued");
  }
  const uint64_t level = queue_.LevelOf(item);
  StampTimes(&item, queue_.PolicyOf(level), options_, now_ns);

  const bool lane_free = busy_lanes() < options_.lanes;
  // A bound is there for what waits: whatever its size, an item that a lane takes at once does not.
  if (!lane_free || queue_.size() != 0) {
    const Status bounds = queue_.CheckBounds(item);
    if (!bounds.ok()) {
      const double rows_per_second = RowsPerSecond(item.rows);
      const double drain_s = rows_per_second > 0 ? static_cast<double>(queue_.AheadOf(level).rows) / rows_per_second : 0;
      return Refuse(bounds.code(), bounds.message(), item, static_cast<int64_t>(std::min(drain_s * 1e9, 1e18)), now_ns);
    }
  }
  if (options_.decides_itself() && item.finish_by_ns != 0) {
    item.admitted_idle = lane_free && queue_.AheadOf(level).items == 0;
    if (!item.admitted_idle) PENSTOCK_RETURN_IF_ERROR(Admit(item, level, now_ns));
  }
  queue_.Enqueue(offered);
  return Status::Ok();
}

Batcher::Step Batcher::Next(int lane, int64_t now_ns) {
  Step step;
  if (now_ns >= queue_.next_expiry_ns()) Expire(now_ns, &step.dropped);
  BatchPlan plan = Form(now_ns, &step.dropped);
  if (plan.positions.empty()) return step;

  const int64_t wanted_ns = options_.decides_itself() ? SpacedStart(plan, now_ns) : CloseAsConfigured(queue_, options_, now_ns, &plan);
  const int64_t start_ns = std::min(wanted_ns, LatestStart(plan, now_ns));
  if (start_ns > now_ns) {
    step.wait_until_ns = start_ns;
    return step;
  }
  step.batch = queue_.Take(plan.positions);
  Start(lane, plan.rows, now_ns);
  return step;
}

void Batcher::Finished(int lane, int64_t now_ns, bool learn) {
  Lane& done = lanes_[static_cast<size_t>(lane)];
  if (learn) {
    ++runs_;
    Learn(done.busy_lanes, done.rows, now_ns - done.started_ns);
    if (batch_limit() != 0 && ++runs_in_a_row_ == kRunsPerDoubling) {
      runs_in_a_row_ = 0;
      const int64_t limit = options_.max_batch_rows;
      options_.max_batch_rows = limit > configured_rows_ / 2 ? configured_rows_ : limit * 2;
    }
  }
  done.busy = false;
}

void Batcher::OutOfMemory(int64_t rows) {
  if (!options_.merge || rows < 2) return;
  options_.max_batch_rows = std::min(options_.max_batch_rows, rows / 2);
  runs_in_a_row_ = 0;
}

void Batcher::Expire(int64_t now_ns, std::vector<Dropped>* dropped) {
  std::vector<std::shared_ptr<QueueItem>> expired;
  queue_.Expire(now_ns, &expired);
  for (auto& item : expired) dropped->push_back(Expired(std::move(item), now_ns));
}

int64_t Batcher::next_expiry_ns() const { return queue_.next_expiry_ns(); }

bool Batcher::Remove(const QueueItem* item) { return queue_.Remove(item); }

std::vector<std::shared_ptr<QueueItem>> Batcher::TakeAll() { return queue_.TakeAll(); }

void Batcher::Learn(int busy, int64_t rows, int64_t ns) {
  run_times_[static_cast<size_t>(std::clamp(busy, 1, options_.lanes)) - 1].Learn(rows, ns, runs_);
}

int Batcher::busy_lanes() const {
  return static_cast<int>(std::count_if(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.busy; }));
}

const RunTimes& Batcher::TimesFor(int busy) const {
  const auto wanted = static_cast<size_t>(std::clamp(busy, 1, options_.lanes)) - 1;
  for (size_t i = wanted + 1; i-- > 0;) {
    if (!run_times_[i].empty()) return run_times_[i];
  }
  for (size_t i = wanted + 1; i < run_times_.size(); ++i) {
    if (!run_times_[i].empty()) return run_times_[i];
  }
  return run_times_[wanted];
}

Status Batcher::Admit(const QueueItem& item, uint64_t level, int64_t now_ns) {
  const Outlook outlook = Predict(item, level, now_ns);
  if (outlook.finish_ns <= item.finish_by_ns) return Status::Ok();
  // A server that refuses by an estimate runs nothing that could correct it. So one that no recent run bears out refuses nobody until a full
  // batch is waiting; that batch is the run that checks it.
  const bool batch_waits = options_.merge ? queue_.rows() + item.rows > options_.max_batch_rows : queue_.size() != 0;
  if (!outlook.fresh && !batch_waits) return Status::Ok();
  return Refuse(StatusCode::kDeadlineUnreachable,
                "The deadline cannot be met: the answer is expected in " + Milliseconds(outlook.finish_ns - now_ns) + ", " +
                    Milliseconds(item.finish_by_ns - now_ns) + " remain; " + std::to_string(queue_.size()) +
                    " requests are waiting; retry later, or allow more time",
                item, outlook.finish_ns - item.finish_by_ns, now_ns);
}

Batcher::Outlook Batcher::Predict(const QueueItem& item, uint64_t level, int64_t now_ns) {
  forecast_.Clear();
  for (const Lane& lane : lanes_) {
    if (lane.busy) {
      forecast_.AddBusyLane(lane.ends_ns, now_ns);
    } else {
      forecast_.AddIdleLane(now_ns);
    }
  }
  int64_t rows = RunAllAhead(item, level);
  const bool starts_now = forecast_.IdleNext();
  // A batch that waits for its lane fills meanwhile. Where several groups are queued it fills with few of the rows that come: what is known
  // stands for it, which dropping at dispatch makes good (reference/batching.md 7).
  const bool one_group = queue_.groups() <= 1;
  if (options_.merge && one_group && !starts_now) rows = std::max(rows, options_.max_batch_rows);
  const RunTimes& times = TimesFor(starts_now ? busy_lanes() + 1 : options_.lanes);
  return {forecast_.Run(times.Safe(rows)), times.Fresh(rows, runs_)};
}

// Gives the lanes every batch that runs before the one that `item` will be in. Returns the rows that the latter is known to have.
int64_t Batcher::RunAllAhead(const QueueItem& item, uint64_t level) {
  const RunTimes& times = TimesFor(options_.lanes);
  const int64_t most = options_.max_batch_rows;
  if (!options_.merge) {
    queue_.WalkAhead(level, [&](const BatchQueue::Entry& entry) {
      forecast_.Run(times.Safe(entry.rows));
      return true;
    });
    return item.rows;
  }
  const uint32_t own_group = queue_.GroupOf(item);
  const bool mixed = queue_.groups() > 1 || (queue_.groups() == 1 && own_group == BatchQueue::kNoGroup);
  if (!mixed) {
    int64_t rows = queue_.AheadOf(level).rows;
    const int64_t full_ns = times.Safe(most);
    for (; rows > 0 && rows + item.rows > most; rows = std::max<int64_t>(0, rows - most)) forecast_.Run(full_ns);
    return rows + item.rows;
  }
  // Several groups: the batches that they will form, in the order of their oldest items.
  constexpr size_t kNone = SIZE_MAX;
  ahead_.clear();
  open_of_group_.clear();
  const auto open = [&](uint32_t group, int64_t rows) -> size_t {
    if (group >= open_of_group_.size()) open_of_group_.resize(group + 1, kNone);
    const size_t at = open_of_group_[group];
    const bool closed = at == kNone || ahead_[at] + rows > most || (options_.preserve_ordering && at + 1 != ahead_.size());
    return closed ? kNone : at;
  };
  queue_.WalkAhead(level, [&](const BatchQueue::Entry& entry) {
    const size_t at = open(entry.group, entry.rows);
    if (at != kNone) {
      ahead_[at] += entry.rows;
    } else {
      open_of_group_[entry.group] = ahead_.size();
      ahead_.push_back(entry.rows);
    }
    return true;
  });
  const size_t own = own_group == BatchQueue::kNoGroup ? kNone : open(own_group, item.rows);
  for (size_t i = 0; i < std::min(own, ahead_.size()); ++i) forecast_.Run(times.Safe(ahead_[i]));
  return item.rows + (own == kNone ? 0 : ahead_[own]);
}

// What all lanes together manage; 0 while nothing is known.
double Batcher::RowsPerSecond(int64_t item_rows) const {
  const int64_t rows = options_.merge ? options_.max_batch_rows : std::max<int64_t>(item_rows, 1);
  const int64_t ns = TimesFor(options_.lanes).Safe(rows);
  return ns == 0 ? 0 : 1e9 * options_.lanes * static_cast<double>(rows) / static_cast<double>(ns);
}

Status Batcher::Refuse(StatusCode code, const std::string& message, const QueueItem& item, int64_t overshoot_ns, int64_t now_ns) {
  return Status(code, message).WithRetryAfter(retry_.Refused(item.rows, overshoot_ns, RowsPerSecond(item.rows), now_ns));
}

BatchPlan Batcher::Form(int64_t now_ns, std::vector<Dropped>* dropped) {
  for (;;) {
    if (options_.decides_itself()) DropHopeless(now_ns, dropped);
    if (queue_.size() == 0) return {};
    BatchPlan plan = FormBatch(queue_, options_, now_ns);
    if (plan.expired.empty()) return plan;
    for (auto& item : queue_.Take(plan.expired)) dropped->push_back(Expired(std::move(item), now_ns));
  }
}

// Items at the front that cannot finish in time even alone and at once: their rows are others' time.
void Batcher::DropHopeless(int64_t now_ns, std::vector<Dropped>* dropped) {
  const RunTimes& times = TimesFor(busy_lanes() + 1);
  while (queue_.size() != 0) {
    const QueueItem& head = queue_.front();
    if (head.finish_by_ns == 0 || head.admitted_idle || HasExpired(head, now_ns)) return;
    const int64_t run_ns = times.Safe(head.rows);
    if (SaturatingAdd(now_ns, run_ns) <= head.finish_by_ns || !times.Fresh(head.rows, runs_)) return;
    Status status = TimedOut("the run would take " + Milliseconds(run_ns) + " and " + Milliseconds(head.finish_by_ns - now_ns) +
                             " remained after " + Milliseconds(now_ns - head.enqueued_ns) + " in the queue");
    dropped->push_back({std::move(queue_.Take({0}).front()), std::move(status)});
  }
}

// When a batch that could start now should, for lanes not to run in phase (reference/batching.md 6.4): one waits for a share of the last
// one's time while another runs, if it may still grow and if most of a run does not depend on its rows.
int64_t Batcher::SpacedStart(const BatchPlan& plan, int64_t now_ns) const {
  const int busy = busy_lanes();
  if (busy == 0 || plan.full || plan.left_behind) return now_ns;
  const RunTimes& times = TimesFor(busy + 1);
  const double fixed_share = times.FixedShare(options_.max_batch_rows);
  if (fixed_share < 0.5) return now_ns;
  const double gap_ns = fixed_share * static_cast<double>(last_run_ns_) / options_.lanes;
  return SaturatingAdd(last_start_ns_, static_cast<int64_t>(gap_ns));
}

// How long a plan may wait for one more row and be in time; for as long as nobody knows what a run takes, not at all.
int64_t Batcher::LatestStart(const BatchPlan& plan, int64_t now_ns) const {
  if (plan.finish_by_ns == INT64_MAX) return INT64_MAX;
  const RunTimes& times = TimesFor(busy_lanes() + 1);
  return times.empty() ? now_ns : plan.finish_by_ns - times.Safe(plan.rows + 1);
}

void Batcher::Start(int lane, int64_t rows, int64_t now_ns) {
  Lane& started = lanes_[static_cast<size_t>(lane)];
  started.busy = true;
  started.busy_lanes = busy_lanes();
  started.rows = rows;
  started.started_ns = now_ns;
  const RunTimes& times = TimesFor(started.busy_lanes);
  started.ends_ns = SaturatingAdd(now_ns, times.Safe(rows));
  last_start_ns_ = now_ns;
  last_run_ns_ = times.Estimate(rows);
}

}  // namespace penstock::batching
