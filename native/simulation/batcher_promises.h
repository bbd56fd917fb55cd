// What a Batcher promises, checked against a plain model of its queue while a simulation runs. For tests.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "simulation/simulator.h"

namespace penstock::simulation {

class BatcherPromises final : public Observer {
 public:
  // The batcher outlives this.
  explicit BatcherPromises(const batching::Batcher& batcher);

  void Offered(const std::shared_ptr<SimulatedItem>& item, const Status& status, int64_t now_ns) override;
  void Asked(int lane, const batching::Batcher::Step& step, int64_t now_ns) override;
  void Expired(const std::vector<batching::Batcher::Dropped>& dropped, int64_t now_ns) override;
  void Finished(int lane, int64_t now_ns) override;
  void Removed(const SimulatedItem& item, bool was_queued, int64_t now_ns) override;
  void Closed(const Items& taken, int64_t now_ns) override;
  void Settled(int64_t now_ns) override;
  // After the last event.
  void Ended();

  // One line each, the first few; empty: all was kept.
  const std::vector<std::string>& broken() const { return broken_; }

 private:
  using Item = const batching::QueueItem*;

  // Of what is queued: the items that could share a batch with the first in line, in order, as far as a batch looks.
  struct Company {
    std::vector<Item> items;
    int64_t rows = 0;
    bool all = false;  // of the queue
  };

  void Swept(int64_t now_ns);
  int64_t DelayedAs(Item item) const;
  bool Before(Item a, Item b) const;
  std::vector<Item> Order() const;  // of the queue
  Company CompanyOfFirst() const;
  size_t PreferredItems(const Company& company) const;
  int64_t DelayEnds(const std::vector<Item>& items) const;
  bool IsOver(const std::vector<Item>& items, int64_t now_ns) const;
  bool PassesBound(const batching::QueueItem& item) const;
  void CheckDropped(const batching::Batcher::Dropped& drop, bool at_dispatch, int64_t now_ns);
  void CheckStarted(const Items& batch, int64_t now_ns);
  void CheckPassedOver(const Items& batch, int64_t now_ns);
  void CheckSize(const Items& batch, int64_t now_ns);
  void CheckWaiting(int64_t wait_until_ns, int64_t now_ns);
  void CheckQueue(int64_t now_ns);
  bool Leave(Item item);
  int FreeLanes() const;
  void Expect(bool kept, const char* promise, size_t index, int64_t now_ns);

  const batching::Batcher& batcher_;
  const batching::BatchingOptions& options_;
  const batching::BatchQueue levels_;  // for its mapping of priorities alone
  std::vector<std::shared_ptr<SimulatedItem>> queue_;  // in order of arrival
  std::unordered_map<Item, int64_t> delayed_;          // what a policy has delayed, and as how many-th
  int64_t delays_ = 0;
  int64_t next_expiry_ns_ = kNever;                    // as the batcher said last
  int64_t wait_until_ns_ = kNever;                     // as a free lane was told last
  std::vector<bool> busy_;
  uint64_t bytes_ = 0;
  std::vector<std::string> broken_;
};

}  // namespace penstock::simulation
