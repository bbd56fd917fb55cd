// Memory that runs out in the middle of a change of the queue: nothing is lost, and nothing is half there.
#include <gtest/gtest.h>

#include "base/test_failing_allocation.h"
#include "batching/batch_queue.h"
#include "batching/test_items.h"

namespace penstock::batching {
namespace {

template <typename Act>
bool ThrowsAtAllocation(int number, Act act) {
  const FailingAllocation failing(number);
  try {
    act();
  } catch (const std::bad_alloc&) {
    return true;
  }
  return false;
}

// Of which none has a place to itself in a short string.
std::string GroupName(size_t number) { return "a group whose name takes memory " + std::to_string(number); }

void Put(BatchQueue* queue, const std::string& group, int64_t expires_ns = 0, int64_t delays_ns = 0) {
  auto item = MakeItem();
  item->group = group;
  item->expires_ns = expires_ns;
  item->delays_ns = delays_ns;
  queue->Enqueue(&item);
}

TEST(BatchQueueMemory, AnEnqueueThatThrowsHasTakenNothing) {
  BatchQueue queue({});
  int thrown = 0;
  for (size_t queued = 0; queued < 100; ++queued) {
    for (int number = 0;; ++number) {
      auto item = MakeItem();
      item->group = GroupName(queued);
      const QueueItem* const raw = item.get();
      if (!ThrowsAtAllocation(number, [&] { queue.Enqueue(&item); })) break;
      ++thrown;
      ASSERT_EQ(item.get(), raw);
      ASSERT_EQ(queue.size(), queued);
      ASSERT_EQ(queue.rows(), static_cast<int64_t>(queued));
      ASSERT_EQ(queue.groups(), queued);
      ASSERT_EQ(queue.GroupOf(*item), BatchQueue::kNoGroup);
      ASSERT_EQ(Order(queue).size(), queued);
    }
  }
  EXPECT_GT(thrown, 200);
}

TEST(BatchQueueMemory, AnExpiryThatThrowsHasMovedNothing) {
  int thrown = 0;
  for (int number = 0;; ++number) {
    BatchQueue queue({});
    for (size_t i = 0; i < 100; ++i) Put(&queue, GroupName(i), i % 3 == 0 ? 10 : 0, i % 3 == 1 ? 10 : 0);
    const Items before = Order(queue);
    std::vector<std::shared_ptr<QueueItem>> expired;
    const bool threw = ThrowsAtAllocation(number, [&] { queue.Expire(10, &expired); });
    EXPECT_EQ(expired.size(), threw ? 0u : 34u);
    if (!threw) break;
    ++thrown;
    EXPECT_EQ(Order(queue), before);
    EXPECT_EQ(queue.next_expiry_ns(), 10) << "it is still to be done";
  }
  EXPECT_GE(thrown, 2) << "one for what expires, more for what is delayed";
}

TEST(BatchQueueMemory, RemovingTakesNone) {
  BatchQueue queue({});
  for (size_t i = 0; i < 100; ++i) Put(&queue, GroupName(i));
  for (const QueueItem* item : Order(queue)) {
    EXPECT_FALSE(ThrowsAtAllocation(0, [&] { EXPECT_TRUE(queue.Remove(item)); }));
  }
  EXPECT_EQ(queue.size(), 0u);
}

}  // namespace
}  // namespace penstock::batching
