#include "batching/batch_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace penstock::batching {
namespace {

std::shared_ptr<QueueItem> Item(uint64_t bytes = 1, int64_t deadline_ns = 0) {
  auto item = std::make_shared<QueueItem>();
  item->bytes = bytes;
  item->deadline_ns = deadline_ns;
  return item;
}

// Enqueues and returns the raw pointer, by which tests recognise the item.
QueueItem* Put(BatchQueue* queue, std::shared_ptr<QueueItem> item, int64_t now_ns = 0) {
  QueueItem* raw = item.get();
  EXPECT_TRUE(queue->Enqueue(&item, now_ns).ok());
  EXPECT_EQ(item, nullptr);
  return raw;
}

TEST(BatchQueue, GivesTheOldestFirstAndStampsItsArrival) {
  BatchQueue queue({});
  const QueueItem* first = Put(&queue, Item(), 5);
  const QueueItem* second = Put(&queue, Item(), 6);
  std::vector<std::shared_ptr<QueueItem>> expired;
  const auto taken = queue.Next(7, &expired);
  EXPECT_EQ(taken.get(), first);
  EXPECT_EQ(taken->enqueued_ns, 5);
  EXPECT_EQ(queue.Next(7, &expired).get(), second);
  EXPECT_EQ(queue.Next(7, &expired), nullptr);
  EXPECT_TRUE(expired.empty());
}

TEST(BatchQueue, LeavesARefusedItemWithItsCallerAndNamesTheLimit) {
  BatchQueue by_items({2, 0});
  Put(&by_items, Item());
  Put(&by_items, Item());
  auto item = Item();
  Status status = by_items.Enqueue(&item, 0);
  EXPECT_EQ(status.code(), StatusCode::kQueueFull);
  EXPECT_EQ(status.message().rfind("Exceeds maximum queue size", 0), 0u) << status.message();
  EXPECT_NE(status.message().find("the limit is 2"), std::string::npos) << status.message();
  EXPECT_NE(item, nullptr);

  BatchQueue by_bytes({0, 100});
  Put(&by_bytes, Item(60));
  item = Item(41);
  status = by_bytes.Enqueue(&item, 0);
  EXPECT_EQ(status.code(), StatusCode::kQueueFull);
  EXPECT_NE(status.message().find("the limit of 100"), std::string::npos) << status.message();
  Put(&by_bytes, Item(40));
  EXPECT_EQ(by_bytes.bytes(), 100u);
}

TEST(BatchQueue, BytesThatOverflowAreRefusedEvenWithoutALimit) {
  BatchQueue queue({});
  Put(&queue, Item(UINT64_MAX));
  auto item = Item(1);
  EXPECT_EQ(queue.Enqueue(&item, 0).code(), StatusCode::kQueueFull);
}

TEST(BatchQueue, MovesExpiredItemsOutWhereverTheyStand) {
  BatchQueue queue({});
  const QueueItem* patient = Put(&queue, Item(1, 0));
  const QueueItem* late = Put(&queue, Item(2, 10));
  const QueueItem* later = Put(&queue, Item(4, 20));
  const QueueItem* last = Put(&queue, Item(8, 10));
  std::vector<std::shared_ptr<QueueItem>> expired;
  EXPECT_EQ(queue.Next(10, &expired).get(), patient) << "a deadline is over when its moment is reached";
  ASSERT_EQ(expired.size(), 2u);
  EXPECT_EQ(expired[0].get(), late);
  EXPECT_EQ(expired[1].get(), last);
  EXPECT_EQ(queue.bytes(), 4u);
  EXPECT_EQ(queue.Next(19, &expired).get(), later);
  EXPECT_EQ(expired.size(), 2u);
}

TEST(BatchQueue, RemovesExactlyTheItemAskedForAndOnlyOnce) {
  BatchQueue queue({});
  Put(&queue, Item(1));
  const QueueItem* middle = Put(&queue, Item(2));
  Put(&queue, Item(4));
  EXPECT_TRUE(queue.Remove(middle));
  EXPECT_FALSE(queue.Remove(middle));
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(queue.bytes(), 5u);
}

TEST(BatchQueue, TakesEverythingOutOldestFirst) {
  BatchQueue queue({});
  const QueueItem* first = Put(&queue, Item());
  const QueueItem* second = Put(&queue, Item());
  const auto all = queue.TakeAll();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].get(), first);
  EXPECT_EQ(all[1].get(), second);
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST(BatchQueue, SeededSchedulesAgreeWithAPlainModel) {
  std::mt19937_64 random(20240607);
  for (int round = 0; round < 300; ++round) {
    const QueueLimits limits{random() % 8, random() % 64};
    BatchQueue queue(limits);
    std::vector<std::shared_ptr<QueueItem>> model;
    int64_t now = 1;
    for (int step = 0; step < 200; ++step) {
      now += static_cast<int64_t>(random() % 4);
      switch (random() % 4) {
        case 0:
        case 1: {
          auto item = Item(random() % 20, random() % 2 == 0 ? 0 : now + static_cast<int64_t>(random() % 12));
          auto copy = item;
          uint64_t bytes = item->bytes;
          for (const auto& queued : model) bytes += queued->bytes;
          const bool fits = (limits.max_items == 0 || model.size() < limits.max_items) &&
                            (limits.max_bytes == 0 || bytes <= limits.max_bytes);
          ASSERT_EQ(queue.Enqueue(&copy, now).ok(), fits);
          if (fits) model.push_back(item);
          break;
        }
        case 2: {
          std::vector<std::shared_ptr<QueueItem>> expired, expected;
          for (auto it = model.begin(); it != model.end();) {
            const bool over = (*it)->deadline_ns != 0 && (*it)->deadline_ns <= now;
            if (over) expected.push_back(*it);
            it = over ? model.erase(it) : std::next(it);
          }
          const auto next = queue.Next(now, &expired);
          ASSERT_EQ(expired, expected);
          ASSERT_EQ(next, model.empty() ? nullptr : model.front());
          if (!model.empty()) model.erase(model.begin());
          break;
        }
        default: {
          if (model.empty()) break;
          const size_t at = random() % model.size();
          ASSERT_TRUE(queue.Remove(model[at].get()));
          model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
        }
      }
      uint64_t bytes = 0;
      for (const auto& queued : model) bytes += queued->bytes;
      ASSERT_EQ(queue.bytes(), bytes);
      ASSERT_EQ(queue.size(), model.size());
    }
  }
}

}  // namespace
}  // namespace penstock::batching
