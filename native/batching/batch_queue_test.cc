#include "batching/batch_queue.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "batching/test_items.h"

namespace penstock::batching {
namespace {

QueueOptions Levels(uint64_t levels, uint64_t otherwise) {
  QueueOptions options;
  options.priority_levels = levels;
  options.default_priority_level = otherwise;
  return options;
}

const QueueItem* Put(BatchQueue* queue, const ItemSpec& spec, int64_t expires_ns = 0, int64_t delays_ns = 0) {
  auto item = MakeItem(spec);
  item->expires_ns = expires_ns;
  item->delays_ns = delays_ns;
  const QueueItem* raw = item.get();
  EXPECT_TRUE(queue->CheckBounds(*item).ok());
  queue->Enqueue(&item);
  EXPECT_EQ(item, nullptr);
  return raw;
}

const QueueItem* PutAtPriority(BatchQueue* queue, uint64_t priority) {
  ItemSpec spec;
  spec.priority = priority;
  return Put(queue, spec);
}

ItemSpec Bytes(uint64_t bytes) {
  ItemSpec spec;
  spec.bytes = bytes;
  return spec;
}

TEST(BatchQueue, OrdersByLevelThenArrival) {
  BatchQueue queue(Levels(3, 2));
  const auto* low = PutAtPriority(&queue, 3);
  const auto* usual = PutAtPriority(&queue, 0);
  const auto* high = PutAtPriority(&queue, 1);
  const auto* unknown = PutAtPriority(&queue, 4);
  const auto* second = PutAtPriority(&queue, 1);
  EXPECT_EQ(Order(queue), (Items{high, second, usual, unknown, low}));
  EXPECT_EQ(&queue.front(), high);
}

TEST(BatchQueue, HasOneLevelWhereTheModelHasNone) {
  BatchQueue queue({});
  const auto* first = PutAtPriority(&queue, 9);
  const auto* second = PutAtPriority(&queue, 1);
  EXPECT_EQ(Order(queue), (Items{first, second}));
}

TEST(BatchQueue, NamesTheBoundOfAllLevelsTogether) {
  QueueOptions options;
  options.max_items = 2;
  BatchQueue queue(options);
  Put(&queue, {});
  Put(&queue, {});
  const Status status = queue.CheckBounds(*MakeItem());
  EXPECT_EQ(status.code(), StatusCode::kQueueFull);
  EXPECT_EQ(status.message().rfind("Exceeds maximum queue size", 0), 0u) << status.message();
  EXPECT_NE(status.message().find("the limit is 2"), std::string::npos) << status.message();
}

TEST(BatchQueue, NamesTheBoundOfItsLevelAndCountsDelayedItems) {
  QueueOptions options = Levels(2, 2);
  options.level_policies[1].max_queue_size = 1;
  BatchQueue queue(options);
  ItemSpec high;
  high.priority = 1;
  Put(&queue, high, 0, 5);
  std::vector<std::shared_ptr<QueueItem>> expired;
  queue.Expire(5, &expired);
  const Status status = queue.CheckBounds(*MakeItem(high));
  EXPECT_EQ(status.code(), StatusCode::kQueueFull);
  EXPECT_NE(status.message().find("1 requests of priority 1 are waiting, max_queue_size"), std::string::npos) << status.message();
  for (int i = 0; i < 5; ++i) Put(&queue, {});
}

TEST(BatchQueue, NamesTheBoundOfBytes) {
  QueueOptions options;
  options.max_bytes = 100;
  BatchQueue queue(options);
  Put(&queue, Bytes(60));
  const Status status = queue.CheckBounds(*MakeItem(Bytes(41)));
  EXPECT_EQ(status.code(), StatusCode::kQueueFull);
  EXPECT_NE(status.message().find("41 more would pass the limit of 100"), std::string::npos) << status.message();
  Put(&queue, Bytes(40));
  EXPECT_EQ(queue.bytes(), 100u);
}

TEST(BatchQueue, RefusesBytesThatOverflowEvenWithoutALimit) {
  BatchQueue queue({});
  Put(&queue, Bytes(UINT64_MAX));
  EXPECT_EQ(queue.CheckBounds(*MakeItem()).code(), StatusCode::kQueueFull);
}

TEST(BatchQueue, TakesOutWhatHasExpiredWhereverItStands) {
  BatchQueue queue({});
  const auto* patient = Put(&queue, {});
  const auto* late = Put(&queue, {}, kMs);
  const auto* later = Put(&queue, {}, 2 * kMs);
  const auto* last = Put(&queue, {}, kMs);
  EXPECT_EQ(queue.next_expiry_ns(), kMs);
  std::vector<std::shared_ptr<QueueItem>> expired;
  queue.Expire(kMs - 1, &expired);
  EXPECT_TRUE(expired.empty());
  queue.Expire(kMs, &expired);
  EXPECT_EQ(Raw(expired), (Items{late, last})) << "a moment is over when it is reached";
  EXPECT_EQ(Order(queue), (Items{patient, later}));
  EXPECT_EQ(queue.next_expiry_ns(), 2 * kMs);
}

TEST(BatchQueue, AsksForOneExpiryOfAllThatIsDueShortlyAfterAnother) {
  BatchQueue queue({});
  for (int64_t i = 0; i < 1000; ++i) Put(&queue, {}, kMs + i * 1000);
  int asked = 0;
  std::vector<std::shared_ptr<QueueItem>> expired;
  while (queue.size() != 0) {
    const int64_t now_ns = queue.next_expiry_ns();
    for (const QueueItem* item : Order(queue)) EXPECT_LE(now_ns, item->expires_ns + BatchQueue::kExpiryGrainNs);
    queue.Expire(now_ns, &expired);
    ++asked;
    if (asked == 3) Put(&queue, {}, now_ns + 1);
  }
  EXPECT_EQ(expired.size(), 1001u);
  EXPECT_LE(asked, 6);
  EXPECT_EQ(queue.next_expiry_ns(), INT64_MAX);
}

TEST(BatchQueue, DelaysAnItemOnceBehindTheOthersOfItsLevelOnly) {
  BatchQueue queue(Levels(2, 1));
  const auto* slow = Put(&queue, {}, 3 * kMs, kMs);
  const auto* other = Put(&queue, {});
  ItemSpec low;
  low.priority = 2;
  const auto* lower = Put(&queue, low);
  std::vector<std::shared_ptr<QueueItem>> expired;
  queue.Expire(kMs, &expired);
  const auto* fresh = Put(&queue, {});
  EXPECT_EQ(Order(queue), (Items{other, fresh, slow, lower}));
  EXPECT_EQ(queue.next_expiry_ns(), 3 * kMs) << "a delayed item can still expire, but not be delayed again";
  queue.Expire(3 * kMs, &expired);
  EXPECT_EQ(Raw(expired), (Items{slow}));
  EXPECT_EQ(queue.next_expiry_ns(), INT64_MAX);
}

TEST(BatchQueue, CountsAheadOfALevelWhatRunsBeforeANewItemOfIt) {
  BatchQueue queue(Levels(3, 2));
  Put(&queue, {2, 0, 1}, 0, 5);
  Put(&queue, {3, 0, 2}, 0, 5);
  std::vector<std::shared_ptr<QueueItem>> expired;
  queue.Expire(5, &expired);
  Put(&queue, {10, 0, 2});
  Put(&queue, {100, 0, 3});
  EXPECT_EQ(queue.AheadOf(1).rows, 0) << "delayed items of its own level come after it";
  EXPECT_EQ(queue.AheadOf(2).rows, 12);
  EXPECT_EQ(queue.AheadOf(2).items, 2u);
  EXPECT_EQ(queue.AheadOf(3).rows, 115);
  int64_t walked = 0;
  queue.WalkAhead(2, [&](const BatchQueue::Entry& entry) {
    walked += entry.rows;
    return true;
  });
  EXPECT_EQ(walked, 12);
}

TEST(BatchQueue, TakesChosenItemsAndKeepsTheOthersInOrder) {
  BatchQueue queue(Levels(2, 2));
  const auto* a = PutAtPriority(&queue, 1);
  const auto* b = PutAtPriority(&queue, 1);
  const auto* c = PutAtPriority(&queue, 1);
  const auto* d = PutAtPriority(&queue, 2);
  const auto* e = PutAtPriority(&queue, 2);
  EXPECT_EQ(Raw(queue.Take({0, 2, 4})), (Items{a, c, e}));
  EXPECT_EQ(Order(queue), (Items{b, d}));
  EXPECT_EQ(queue.bytes(), 2u);
  EXPECT_EQ(queue.rows(), 2);
}

TEST(BatchQueue, RemovesExactlyTheItemAskedForAndOnlyOnce) {
  BatchQueue queue({});
  auto middle = MakeItem(Bytes(2));
  const auto held = middle;
  Put(&queue, Bytes(1));
  queue.Enqueue(&middle);
  Put(&queue, Bytes(4));
  EXPECT_TRUE(queue.Remove(held.get()));
  EXPECT_FALSE(queue.Remove(held.get()));
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(queue.bytes(), 5u);
}

TEST(BatchQueue, TakesEverythingOutInOrder) {
  BatchQueue queue(Levels(2, 2));
  const auto* low = Put(&queue, {}, 50);
  const auto* high = PutAtPriority(&queue, 1);
  EXPECT_EQ(Raw(queue.TakeAll()), (Items{high, low}));
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(queue.bytes(), 0u);
  EXPECT_EQ(queue.next_expiry_ns(), INT64_MAX);
}

TEST(BatchQueue, KnowsTheGroupsThatAreQueued) {
  BatchQueue queue({});
  ItemSpec wide;
  wide.group = "wide";
  Put(&queue, wide);
  Put(&queue, {});
  Put(&queue, {});
  EXPECT_EQ(queue.groups(), 2u);
  EXPECT_NE(queue.GroupOf(*MakeItem(wide)), queue.GroupOf(*MakeItem()));
  queue.Take({0});
  EXPECT_EQ(queue.groups(), 1u);
  EXPECT_EQ(queue.GroupOf(*MakeItem(wide)), BatchQueue::kNoGroup);
}

TEST(BatchQueue, AddsUpRowsOfAnySizeWithoutOverflow) {
  BatchQueue queue({});
  for (int i = 0; i < 100; ++i) Put(&queue, {INT64_MAX});
  EXPECT_EQ(queue.rows(), 100 * BatchQueue::kMostRows);
  queue.TakeAll();
  EXPECT_EQ(queue.rows(), 0);
}

}  // namespace
}  // namespace penstock::batching
