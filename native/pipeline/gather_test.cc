#include "pipeline/gather.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "memory/block.h"
#include "pipeline/job_maker.h"

namespace penstock::pipeline {
namespace {

TEST(Gather, JoinsJobsOfDifferentRowCountsAlongTheFirstDimension) {
  const auto a = FloatJob(1, {{1, 2}, {10}});
  const auto b = FloatJob(3, {{3, 4, 5, 6, 7, 8}, {11, 12, 13}});
  const Gathered gathered = Gather({a.get(), b.get()}).value();
  ASSERT_EQ(gathered.tensors.size(), 2u);
  EXPECT_EQ(gathered.tensors[0].dims, (std::vector<int64_t>{4, 2}));
  EXPECT_EQ(FloatsOf(gathered.tensors[0]), (std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(gathered.tensors[1].dims, (std::vector<int64_t>{4, 1}));
  EXPECT_EQ(FloatsOf(gathered.tensors[1]), (std::vector<float>{10, 11, 12, 13}));
  for (const session::Tensor& tensor : gathered.tensors) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.bytes.data) % memory::BlockPool::kAlignment, 0u);
  }
  EXPECT_EQ(gathered.bytes_copied, 48u) << "each byte once";
}

TEST(Gather, JoinsBytesElementsAsTheyAre) {
  std::vector<std::shared_ptr<Job>> jobs;
  for (const char* text : {"one", ""}) {
    jobs.push_back(std::make_shared<Job>());
    jobs.back()->inputs.push_back({DataType::kBytes, {1}, memory::SliceChain(OwnedSlice(Framed({text}))), false});
  }
  const Gathered gathered = Gather({jobs[0].get(), jobs[1].get()}).value();
  const memory::Slice& bytes = gathered.tensors[0].bytes;
  EXPECT_EQ(std::vector<uint8_t>(bytes.data, bytes.data + bytes.size), Framed({"one", ""}));
}

TEST(Gather, LetsClientBuffersGoAndKeepsPartsThatCanBeGatheredAgain) {
  const auto a = FloatJob(1, {{1}});
  const auto b = FloatJob(1, {{2}});
  const auto c = FloatJob(1, {{3}});
  const std::weak_ptr<const void> buffer = b->inputs[0].data.slices()[0].owner;
  (void)Gather({a.get(), b.get(), c.get()}).value();
  EXPECT_TRUE(buffer.expired());
  const Gathered again = Gather({b.get(), c.get()}).value();
  EXPECT_EQ(again.tensors[0].dims, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(FloatsOf(again.tensors[0]), (std::vector<float>{2, 3}));
}

TEST(Gather, CopiesNoPartsThatLieSideBySideAlready) {
  const std::vector<float> row(16, 1.0f);  // 64 bytes: every part is aligned
  const auto a = FloatJob(1, {row});
  const auto b = FloatJob(1, {row});
  const auto c = FloatJob(1, {row});
  const Gathered first = Gather({a.get(), b.get(), c.get()}).value();
  const Gathered adjacent = Gather({b.get(), c.get()}).value();
  EXPECT_EQ(adjacent.bytes_copied, 0u);
  EXPECT_EQ(adjacent.tensors[0].bytes.data, first.tensors[0].bytes.data + 64);
  EXPECT_EQ(adjacent.tensors[0].bytes.size, 128u);
  EXPECT_EQ(Gather({a.get(), c.get()}).value().bytes_copied, 128u) << "a gap between them";
}

TEST(Gather, NeverTakesNeighbouringMemoryOfDifferentOwnersForOneBlock) {
  const auto block = memory::BlockPool::Process().Allocate(128).value();
  std::fill_n(block->data(), 128, uint8_t{0});
  const memory::Slice whole = memory::WholeSlice(block);
  const auto a = FloatJob(1, {std::vector<float>(16)});
  const auto b = FloatJob(1, {std::vector<float>(16)});
  a->inputs[0].data = memory::SliceChain(whole.Sub(0, 64));
  memory::Slice other = whole.Sub(64, 64);
  other.owner = std::make_shared<memory::Slice>(whole);  // keeps the block, but is not the block
  b->inputs[0].data = memory::SliceChain(other);
  a->inputs[0].in_place = b->inputs[0].in_place = true;
  EXPECT_EQ(Gather({a.get(), b.get()}).value().bytes_copied, 128u);
}

TEST(Gather, LeavesEveryJobAsItWasWhenMemoryRunsOut) {
  const auto a = FloatJob(1, {{1}, std::vector<float>(1000, 1.0f)});
  const auto b = FloatJob(1, {{2}, std::vector<float>(1000, 2.0f)});
  const std::weak_ptr<const void> buffer = a->inputs[0].data.slices()[0].owner;
  memory::BlockPool::Process().set_limit_bytes(memory::BlockPool::Process().live_bytes() + 500);  // enough for the first input only
  EXPECT_EQ(Gather({a.get(), b.get()}).status().code(), StatusCode::kMemory);
  memory::BlockPool::Process().set_limit_bytes(0);
  EXPECT_FALSE(buffer.expired());
  const Gathered gathered = Gather({a.get(), b.get()}).value();
  EXPECT_EQ(FloatsOf(gathered.tensors[0]), (std::vector<float>{1, 2}));
}

}  // namespace
}  // namespace penstock::pipeline
