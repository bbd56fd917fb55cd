#include "pipeline/batch_order.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace penstock::pipeline {
namespace {

EndedBatch BatchOf(uint64_t token) {
  EndedBatch batch = {std::make_shared<Job>()};
  batch[0]->token = token;
  return batch;
}

TEST(BatchOrder, HoldsABatchUntilAllThatStartedBeforeItHaveLeft) {
  std::vector<uint64_t> left;
  BatchOrder order([&left](EndedBatch batch) { left.push_back(batch[0]->token); });
  order.Ended(2, BatchOf(2));
  order.Ended(1, BatchOf(1));
  EXPECT_TRUE(left.empty());
  order.Ended(0, BatchOf(0));
  EXPECT_EQ(left, (std::vector<uint64_t>{0, 1, 2}));
  order.Ended(3, BatchOf(3));
  EXPECT_EQ(left.back(), 3u);
}

TEST(BatchOrder, KeepsTheOrderWhenManyThreadsEndBatches) {
  constexpr uint64_t kBatches = 2000;
  std::vector<uint64_t> left;  // no lock: one thread at a time hands over
  BatchOrder order([&left](EndedBatch batch) { left.push_back(batch[0]->token); });
  std::atomic<uint64_t> started{0};
  std::vector<std::thread> lanes;
  for (int i = 0; i < 4; ++i) {
    lanes.emplace_back([&] {
      for (uint64_t number = started++; number < kBatches; number = started++) order.Ended(number, BatchOf(number));
    });
  }
  for (std::thread& lane : lanes) lane.join();
  ASSERT_EQ(left.size(), kBatches);
  for (uint64_t i = 0; i < kBatches; ++i) ASSERT_EQ(left[i], i);
}

}  // namespace
}  // namespace penstock::pipeline
