#include "batching/batch_former.h"

#include <gtest/gtest.h>

#include "batching/test_items.h"

namespace penstock::batching {
namespace {

using Positions = std::vector<size_t>;

// A queue of items with these rows; a negative number is an item of another group.
BatchQueue Queued(const std::vector<int64_t>& rows, int64_t enqueued_ns = 0) {
  BatchQueue queue({});
  for (int64_t each : rows) {
    ItemSpec spec;
    spec.rows = each < 0 ? -each : each;
    if (each < 0) spec.group = "other";
    auto item = MakeItem(spec);
    item->enqueued_ns = enqueued_ns++;
    queue.Enqueue(&item);
  }
  return queue;
}

BatchPlan Form(const std::vector<int64_t>& rows, const BatchingOptions& options) { return FormBatch(Queued(rows), options, 1000); }

BatchingOptions Ordered(int64_t max_rows) {
  BatchingOptions options = Merging(max_rows);
  options.preserve_ordering = true;
  return options;
}

TEST(FormBatch, TakesTheOldestUntilTheRowsAreReached) {
  const BatchPlan plan = Form({2, 2, 2, 2, 2}, Merging(8));
  EXPECT_EQ(plan.positions, (Positions{0, 1, 2, 3}));
  EXPECT_EQ(plan.rows, 8);
  EXPECT_TRUE(plan.full);
  EXPECT_TRUE(plan.left_behind);
}

TEST(FormBatch, FillsWithLaterItemsThatStillFit) {
  const BatchPlan plan = Form({5, 4, 2, 2, 1}, Merging(8));
  EXPECT_EQ(plan.positions, (Positions{0, 2, 4}));
  EXPECT_EQ(plan.rows, 8);
}

TEST(FormBatch, LooksNoFurtherThan64ItemsPastTheFirstThatDoesNotFit) {
  for (size_t between : {64, 65}) {
    std::vector<int64_t> rows{5};
    rows.insert(rows.end(), between, 4);
    rows.push_back(3);
    EXPECT_EQ(Form(rows, Merging(8)).rows, between == 64 ? 8 : 5) << between;
  }
}

TEST(FormBatch, TakesAStrictPrefixWhereOrderingIsPreserved) {
  EXPECT_EQ(Form({5, 4, 2, 2, 1}, Ordered(8)).positions, (Positions{0}));
  EXPECT_EQ(Form({2, 2, -2, 2}, Ordered(8)).positions, (Positions{0, 1}));
}

TEST(FormBatch, NeverMixesGroups) {
  const BatchPlan plan = Form({-1, 1, -1, 1}, Merging(8));
  EXPECT_EQ(plan.positions, (Positions{0, 2}));
  EXPECT_TRUE(plan.left_behind);
}

TEST(FormBatch, GivesOneItemABatchWithoutMerging) {
  BatchingOptions options;
  const BatchPlan plan = Form({7, 1}, options);
  EXPECT_EQ(plan.positions, (Positions{0}));
  EXPECT_EQ(plan.rows, 7);
  EXPECT_TRUE(plan.full);
}

TEST(FormBatch, SaysThatNothingIsLeftBehind) {
  const BatchPlan plan = Form({1, 1}, Merging(8));
  EXPECT_FALSE(plan.full);
  EXPECT_FALSE(plan.left_behind);
}

TEST(FormBatch, MeetsWhatHasExpiredAndLeavesItOut) {
  BatchQueue queue({});
  for (int64_t expires_ns : {10, 20, 0, 10}) {
    auto item = MakeItem();
    item->expires_ns = expires_ns;
    queue.Enqueue(&item);
  }
  const BatchPlan plan = FormBatch(queue, Merging(8), 10);
  EXPECT_EQ(plan.expired, (Positions{0, 3}));
  EXPECT_EQ(plan.positions, (Positions{1, 2}));
}

struct Closed {
  int64_t wait_until_ns;
  int64_t rows;
};

Closed Close(const std::vector<int64_t>& rows, std::vector<int64_t> preferred, int64_t delay_ns, int64_t now_ns) {
  BatchingOptions options = Merging(16);
  options.preferred_rows = std::move(preferred);
  options.max_delay_ns = delay_ns;
  const BatchQueue queue = Queued(rows, 100);
  BatchPlan plan = FormBatch(queue, options, now_ns);
  const int64_t wait_until_ns = CloseAsConfigured(queue, options, now_ns, &plan);
  return {wait_until_ns, plan.rows};
}

TEST(CloseAsConfigured, WaitsUntilTheOldestReachesTheDelay) {
  EXPECT_EQ(Close({1, 1}, {}, 50, 149).wait_until_ns, 150);
  EXPECT_EQ(Close({1, 1}, {}, 50, 150).wait_until_ns, 0);
}

TEST(CloseAsConfigured, StartsAFullBatchAtOnce) {
  const Closed closed = Close({8, 8, 1}, {}, 50, 110);
  EXPECT_EQ(closed.wait_until_ns, 0);
  EXPECT_EQ(closed.rows, 16);
}

TEST(CloseAsConfigured, TakesTheLargestPreferredSizeThatIsReached) {
  const Closed closed = Close({2, 2, 4, 1, 1}, {4, 8}, 50, 110);
  EXPECT_EQ(closed.wait_until_ns, 0);
  EXPECT_EQ(closed.rows, 8);
}

TEST(CloseAsConfigured, TakesAPreferredSizeRatherThanAllThereIs) {
  EXPECT_EQ(Close({1, 1, 1, 1, 1, 1}, {4}, 0, 110).rows, 4) << "a delay of 0 is never over";
  EXPECT_EQ(Close(std::vector<int64_t>(16, 1), {8}, 50, 110).rows, 8) << "a full batch is not preferred";
}

TEST(CloseAsConfigured, PassesTheLargestPreferredSizeOnlyOnceTheDelayIsOver) {
  for (int64_t delay_ns : {0, 50}) {
    const Closed closed = Close({3, 3}, {4}, delay_ns, 110);
    EXPECT_EQ(closed.wait_until_ns, 0);
    EXPECT_EQ(closed.rows, 3);
  }
  EXPECT_EQ(Close({2, 1, 9}, {2, 8}, 50, 110).rows, 2) << "one that is reached is better than one that is approached";
  EXPECT_EQ(Close({6, 1}, {4}, 50, 110).rows, 6) << "the first item alone may have more";
  EXPECT_EQ(Close({3, 3}, {4}, 50, 150).rows, 6);
}

TEST(CloseAsConfigured, TakesWhatThereIsOnceTheDelayIsOver) {
  EXPECT_EQ(Close({2, 2, 4, 1, 1}, {4, 8}, 50, 150).rows, 10);
}

TEST(CloseAsConfigured, WaitsForNothingThatCannotCome) {
  EXPECT_EQ(Close({6}, {4}, 50, 110).wait_until_ns, 0) << "past every preferred size";
  EXPECT_EQ(Close({3, -3}, {8}, 50, 110).wait_until_ns, 0) << "a lane must not idle while others wait behind";
  EXPECT_EQ(Close({3}, {8}, 0, 110).wait_until_ns, 0) << "preferred sizes without a delay";
  EXPECT_EQ(Close({3}, {8}, 50, 110).wait_until_ns, 150);
}

}  // namespace
}  // namespace penstock::batching
