#include "simulation/simulator.h"

#include <algorithm>
#include <utility>

namespace penstock::simulation {

using batching::Batcher;
using batching::QueueItem;

Simulator::Simulator(Batcher* batcher, World world)
    : batcher_(*batcher), world_(std::move(world)), lanes_(static_cast<size_t>(batcher->options().lanes)) {}

void Simulator::RunUntil(int64_t end_ns) {
  if (next_request_ == nullptr && !closed_) next_request_ = world_.next_request();
  for (int64_t now_ns = NextEvent(); now_ns < end_ns && now_ns > last_ns_; now_ns = NextEvent()) {
    last_ns_ = now_ns;
    ask_ = now_ns >= wake_ns_;
    FinishLanes(now_ns);
    if (now_ns >= world_.close_ns && !closed_) Close(now_ns);
    if (!world_.timer_last) ExpireQueued(now_ns);
    while (!closed_ && next_request_ != nullptr && next_request_->at_ns <= now_ns) {
      Offer(*next_request_, now_ns);
      next_request_ = world_.next_request();
      AskLanes(now_ns);  // one at a time: a lane may be gone before the next comes
    }
    while (!cancellations_.empty() && cancellations_.begin()->first <= now_ns) {
      const std::shared_ptr<SimulatedItem> item = std::move(cancellations_.begin()->second);
      cancellations_.erase(cancellations_.begin());
      Cancel(item.get(), now_ns);
      AskLanes(now_ns);
    }
    AskLanes(now_ns);
    ExpireQueued(now_ns);
    AskLanes(now_ns);
    if (world_.observer != nullptr) world_.observer->Settled(now_ns);
  }
}

int64_t Simulator::NextEvent() const {
  int64_t next_ns = std::min(wake_ns_, batcher_.next_expiry_ns());
  for (const Lane& lane : lanes_) next_ns = std::min(next_ns, lane.ends_ns);
  if (!cancellations_.empty()) next_ns = std::min(next_ns, cancellations_.begin()->first);
  if (closed_) return next_ns;
  if (next_request_ != nullptr) next_ns = std::min(next_ns, next_request_->at_ns);
  return std::min(next_ns, world_.close_ns);
}

void Simulator::FinishLanes(int64_t now_ns) {
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (lanes_[i].ends_ns <= now_ns) FinishLane(i, world_.learn, now_ns);
  }
}

void Simulator::FinishLane(size_t lane, bool learn, int64_t now_ns) {
  batcher_.Finished(static_cast<int>(lane), now_ns, learn);
  if (world_.observer != nullptr) world_.observer->Finished(static_cast<int>(lane), now_ns);
  for (const auto& item : lanes_[lane].batch) End(item.get(), Ending::kAnswered, now_ns);
  lanes_[lane] = Lane();
  --busy_lanes_;
  ask_ = true;
}

void Simulator::ExpireQueued(int64_t now_ns) {
  if (now_ns < batcher_.next_expiry_ns()) return;
  std::vector<Batcher::Dropped> dropped;
  batcher_.Expire(now_ns, &dropped);
  if (world_.observer != nullptr) world_.observer->Expired(dropped, now_ns);
  EndDropped(dropped, now_ns);
  ask_ = true;
}

void Simulator::Cancel(SimulatedItem* item, int64_t now_ns) {
  if (item->ending != Ending::kPending) return;
  const bool was_queued = batcher_.Remove(item);
  if (world_.observer != nullptr) world_.observer->Removed(*item, was_queued, now_ns);
  End(item, Ending::kCancelled, now_ns);
  if (was_queued) {
    ask_ = true;
    return;
  }
  const auto unwanted = [](const std::shared_ptr<QueueItem>& other) {
    return static_cast<const SimulatedItem&>(*other).ending == Ending::kCancelled;
  };
  for (size_t i = 0; i < lanes_.size(); ++i) {
    // A batch that nobody wants is stopped, which says nothing about how long one takes.
    if (!lanes_[i].batch.empty() && std::all_of(lanes_[i].batch.begin(), lanes_[i].batch.end(), unwanted)) FinishLane(i, false, now_ns);
  }
}

void Simulator::Close(int64_t now_ns) {
  closed_ = true;
  wake_ns_ = kNever;
  const Observer::Items taken = batcher_.TakeAll();
  if (world_.observer != nullptr) world_.observer->Closed(taken, now_ns);
  for (const auto& item : taken) End(item.get(), Ending::kTaken, now_ns);
}

void Simulator::Offer(const Request& request, int64_t now_ns) {
  auto item = std::make_shared<SimulatedItem>();
  item->index = offered_++;
  item->sent_ns = request.sent_ns;
  item->rows = request.rows;
  item->bytes = request.bytes;
  item->priority = request.priority;
  item->timeout_us = request.timeout_us;
  item->deadline_ns = request.deadline_ns;
  item->group = request.group;
  std::shared_ptr<QueueItem> offered = item;
  const Status status = batcher_.Offer(&offered, now_ns);
  if (world_.observer != nullptr) world_.observer->Offered(item, status, now_ns);
  if (!status.ok()) {
    End(item.get(), Ending::kRefused, now_ns);
    return;
  }
  if (request.cancelled_ns != kNever) cancellations_.emplace(request.cancelled_ns, std::move(item));
  ask_ = true;
}

void Simulator::AskLanes(int64_t now_ns) {
  if (!ask_ || closed_) return;
  ask_ = false;
  wake_ns_ = kNever;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (!lanes_[i].batch.empty()) continue;
    Batcher::Step step = batcher_.Next(static_cast<int>(i), now_ns);
    if (world_.observer != nullptr) world_.observer->Asked(static_cast<int>(i), step, now_ns);
    EndDropped(step.dropped, now_ns);
    if (step.batch.empty()) {
      wake_ns_ = step.wait_until_ns;
      return;  // any other free lane would get the same answer
    }
    int64_t rows = 0;
    for (const auto& item : step.batch) rows += item->rows;
    ++busy_lanes_;
    lanes_[i] = {now_ns + world_.run_ns({rows, busy_lanes_, now_ns}), std::move(step.batch)};
  }
}

void Simulator::End(QueueItem* item, Ending ending, int64_t now_ns) {
  auto* ended = static_cast<SimulatedItem*>(item);
  if (ended->ending != Ending::kPending) return;  // a cancelled one has its end before its run has
  ended->ending = ending;
  world_.ended(*ended, now_ns);
}

void Simulator::EndDropped(const std::vector<Batcher::Dropped>& dropped, int64_t now_ns) {
  for (const Batcher::Dropped& drop : dropped) End(drop.item.get(), Ending::kDropped, now_ns);
}

std::vector<Outcome> Simulate(Batcher* batcher, const std::vector<Request>& requests, Simulator::World world) {
  std::vector<Outcome> outcomes(requests.size());
  size_t next = 0;
  world.next_request = [&] { return next == requests.size() ? nullptr : &requests[next++]; };
  world.ended = [&](const SimulatedItem& item, int64_t now_ns) { outcomes[item.index] = {item.ending, now_ns}; };
  Simulator(batcher, std::move(world)).RunUntil(kNever);
  return outcomes;
}

}  // namespace penstock::simulation
