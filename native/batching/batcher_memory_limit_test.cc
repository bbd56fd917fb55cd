// How batches shrink when a device's memory is not enough, and grow again.
#include <gtest/gtest.h>

#include "batching/test_items.h"

namespace penstock::batching {
namespace {

constexpr int64_t kNow = 1000 * kMs;

// Runs what is queued until nothing is left; the rows of each batch.
std::vector<int64_t> RunAll(Batcher* batcher, int64_t* now_ns, bool succeeds = true) {
  std::vector<int64_t> rows_of;
  for (;;) {
    int64_t rows = 0;
    for (const auto& item : batcher->Next(0, *now_ns).batch) rows += item->rows;
    if (rows == 0) return rows_of;
    rows_of.push_back(rows);
    *now_ns += kMs;
    batcher->Finished(0, *now_ns, succeeds);
  }
}

void PutRows(Batcher* batcher, int64_t now_ns, int64_t rows) {
  for (int64_t i = 0; i < rows; ++i) Put(batcher, now_ns);
}

class BatchLimit : public ::testing::Test {
 protected:
  std::vector<int64_t> Batches(int64_t rows, bool succeed = true) {
    PutRows(&batcher_, now_, rows);
    return RunAll(&batcher_, &now_, succeed);
  }
  void RunSingly(int64_t runs, bool succeed = true) {
    for (int64_t i = 0; i < runs; ++i) Batches(1, succeed);
  }

  Batcher batcher_{Merging(32)};
  int64_t now_ = kNow;
};

TEST_F(BatchLimit, IsHalfOfWhatDidNotFit) {
  EXPECT_EQ(batcher_.batch_limit(), 0);
  EXPECT_EQ(Batches(40), (std::vector<int64_t>{32, 8}));
  batcher_.OutOfMemory(32);
  EXPECT_EQ(batcher_.batch_limit(), 16);
  EXPECT_EQ(Batches(40), (std::vector<int64_t>{16, 16, 8}));
  batcher_.OutOfMemory(11);
  EXPECT_EQ(batcher_.batch_limit(), 5);
  batcher_.OutOfMemory(32);
  EXPECT_EQ(batcher_.batch_limit(), 5) << "a larger run that was still on its way changes nothing";
}

TEST_F(BatchLimit, LetsALargerRequestRunAlone) {
  batcher_.OutOfMemory(8);
  Put(&batcher_, now_, {20});
  Put(&batcher_, now_, {3});
  Put(&batcher_, now_, {1});
  EXPECT_EQ(RunAll(&batcher_, &now_), (std::vector<int64_t>{20, 4}));
}

TEST_F(BatchLimit, LetsRequestsInThatHaveMoreRowsAndADeadline) {
  WarmUp(&batcher_, kGpu);
  batcher_.OutOfMemory(4);
  PutRows(&batcher_, now_, 1);
  ASSERT_EQ(batcher_.Next(0, now_).batch.size(), 1u);
  EXPECT_NE(Put(&batcher_, now_, {20, now_ + 1000 * kMs}), nullptr);
  EXPECT_EQ(Put(&batcher_, now_, {20, now_ + kGpu(20)}), nullptr) << "its own run alone takes all of that";
}

TEST_F(BatchLimit, DoublesAfterSoManyRunsUntilItIsGone) {
  batcher_.OutOfMemory(8);
  for (const int64_t limit : {4, 8, 16}) {
    RunSingly(Batcher::kRunsPerDoubling - 1);
    EXPECT_EQ(batcher_.batch_limit(), limit);
    RunSingly(1);
  }
  EXPECT_EQ(batcher_.batch_limit(), 0);
  EXPECT_EQ(Batches(32), (std::vector<int64_t>{32}));
}

TEST_F(BatchLimit, CountsOnlyRunsThatSucceededInARow) {
  batcher_.OutOfMemory(8);
  RunSingly(Batcher::kRunsPerDoubling - 1);
  RunSingly(10, false);
  EXPECT_EQ(batcher_.batch_limit(), 4);
  batcher_.OutOfMemory(8);
  RunSingly(Batcher::kRunsPerDoubling - 1);
  EXPECT_EQ(batcher_.batch_limit(), 4) << "counted from the last failure";
  RunSingly(1);
  EXPECT_EQ(batcher_.batch_limit(), 8);
}

TEST_F(BatchLimit, EndsAtTheConfiguredRowsAlsoWhereTheyAreNoMultiple) {
  Batcher batcher(Merging(10));
  batcher.OutOfMemory(7);
  for (const int64_t limit : {3, 6}) {
    EXPECT_EQ(batcher.batch_limit(), limit);
    for (int64_t i = 0; i < Batcher::kRunsPerDoubling; ++i) {
      PutRows(&batcher, now_, 1);
      RunAll(&batcher, &now_);
    }
  }
  EXPECT_EQ(batcher.batch_limit(), 0);
  EXPECT_EQ(batcher.options().max_batch_rows, 10);
}

TEST_F(BatchLimit, IsNotTouchedByASingleRow) {
  batcher_.OutOfMemory(1);
  EXPECT_EQ(batcher_.batch_limit(), 0);
  batcher_.OutOfMemory(2);
  EXPECT_EQ(batcher_.batch_limit(), 1);
  EXPECT_EQ(Batches(3), (std::vector<int64_t>{1, 1, 1}));
}

TEST_F(BatchLimit, IsNothingWhereRequestsRunAloneAnyway) {
  BatchingOptions options = Merging(32);
  options.merge = false;
  Batcher batcher(options);
  batcher.OutOfMemory(32);
  EXPECT_EQ(batcher.batch_limit(), 0);
}

TEST_F(BatchLimit, KeepsPreferredSizesFromWaitingForWhatCannotCome) {
  BatchingOptions options = Merging(32);
  options.preferred_rows = {16};
  options.max_delay_ns = 50 * kMs;
  Batcher batcher(options);
  batcher.OutOfMemory(16);
  PutRows(&batcher, now_, 8);
  EXPECT_EQ(batcher.Next(0, now_).batch.size(), 8u) << "full, as batches go now";
}

}  // namespace
}  // namespace penstock::batching
