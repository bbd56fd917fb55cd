#include "pipeline/gather.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "memory/block.h"
#include "memory/pinned_arena.h"
#include "pipeline/job_maker.h"

namespace penstock::pipeline {
namespace {

Result<Gathered> Join(const std::vector<Job*>& jobs, int64_t padding = 0) { return Gather(jobs, padding, &memory::BlockPool::Process()); }

std::shared_ptr<Job> BytesJob(const std::vector<std::string>& elements, std::vector<int64_t> dims) {
  auto job = std::make_shared<Job>();
  job->rows = dims[0];
  job->inputs.push_back({DataType::kBytes, std::move(dims), memory::SliceChain(OwnedSlice(Framed(elements))), false});
  return job;
}

std::vector<uint8_t> BytesOf(const session::Tensor& tensor) { return {tensor.bytes.data, tensor.bytes.data + tensor.bytes.size}; }

TEST(Gather, JoinsJobsOfDifferentRowCountsAlongTheFirstDimension) {
  const auto a = FloatJob(1, {{1, 2}, {10}});
  const auto b = FloatJob(3, {{3, 4, 5, 6, 7, 8}, {11, 12, 13}});
  const Gathered gathered = Join({a.get(), b.get()}).value();
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

TEST(Gather, LeavesOutWhatItsJobsLeaveOut) {
  const auto a = FloatJob(1, {{1, 2}, {10}});
  const auto b = FloatJob(1, {{3, 4}, {11}});
  for (const auto& job : {a, b}) job->inputs.insert(job->inputs.begin() + 1, JobInput{});
  const Gathered gathered = Join({a.get(), b.get()}, 2).value();
  ASSERT_EQ(gathered.tensors.size(), 3u);
  EXPECT_TRUE(gathered.tensors[1].left_out()) << "padding makes nothing of nothing";
  EXPECT_EQ(FloatsOf(gathered.tensors[0]), (std::vector<float>{1, 2, 3, 4, 0, 0, 0, 0}));
  EXPECT_EQ(FloatsOf(gathered.tensors[2]), (std::vector<float>{10, 11, 0, 0}));
  EXPECT_EQ(gathered.bytes_copied, 24u);
}

TEST(Gather, JoinsBytesElementsAsTheyAre) {
  const auto a = BytesJob({"one"}, {1});
  const auto b = BytesJob({""}, {1});
  EXPECT_EQ(BytesOf(Join({a.get(), b.get()}).value().tensors[0]), Framed({"one", ""}));
}

TEST(Gather, LetsClientBuffersGoAndKeepsPartsThatCanBeGatheredAgain) {
  const auto a = FloatJob(1, {{1}});
  const auto b = FloatJob(1, {{2}});
  const auto c = FloatJob(1, {{3}});
  const std::weak_ptr<const void> buffer = b->inputs[0].data.slices()[0].owner;
  (void)Join({a.get(), b.get(), c.get()}).value();
  EXPECT_TRUE(buffer.expired());
  const Gathered again = Join({b.get(), c.get()}).value();
  EXPECT_EQ(again.tensors[0].dims, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(FloatsOf(again.tensors[0]), (std::vector<float>{2, 3}));
}

TEST(Gather, CopiesNoPartsThatLieSideBySideAlready) {
  const std::vector<float> row(16, 1.0f);  // 64 bytes: every part is aligned
  const auto a = FloatJob(1, {row});
  const auto b = FloatJob(1, {row});
  const auto c = FloatJob(1, {row});
  const Gathered first = Join({a.get(), b.get(), c.get()}).value();
  const Gathered adjacent = Join({b.get(), c.get()}).value();
  EXPECT_EQ(adjacent.bytes_copied, 0u);
  EXPECT_EQ(adjacent.tensors[0].bytes.data, first.tensors[0].bytes.data + 64);
  EXPECT_EQ(adjacent.tensors[0].bytes.size, 128u);
  EXPECT_EQ(Join({a.get(), c.get()}).value().bytes_copied, 128u) << "a gap between them";
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
  EXPECT_EQ(Join({a.get(), b.get()}).value().bytes_copied, 128u);
}

TEST(Gather, LeavesEveryJobAsItWasWhenMemoryRunsOut) {
  const auto a = FloatJob(1, {{1}, std::vector<float>(1000, 1.0f)});
  const auto b = FloatJob(1, {{2}, std::vector<float>(1000, 2.0f)});
  const std::weak_ptr<const void> buffer = a->inputs[0].data.slices()[0].owner;
  memory::BlockPool::Process().set_limit_bytes(memory::BlockPool::Process().live_bytes() + 500);  // enough for the first input only
  EXPECT_EQ(Join({a.get(), b.get()}).status().code(), StatusCode::kMemory);
  memory::BlockPool::Process().set_limit_bytes(0);
  EXPECT_FALSE(buffer.expired());
  const Gathered gathered = Join({a.get(), b.get()}).value();
  EXPECT_EQ(FloatsOf(gathered.tensors[0]), (std::vector<float>{1, 2}));
}

TEST(Gather, AppendsRowsOfZerosThatAreNotCountedAsCopied) {
  const auto a = FloatJob(1, {{1, 2}, {10}});
  const auto b = FloatJob(2, {{3, 4, 5, 6}, {11, 12}});
  const Gathered gathered = Join({a.get(), b.get()}, 2).value();
  EXPECT_EQ(gathered.tensors[0].dims, (std::vector<int64_t>{5, 2}));
  EXPECT_EQ(FloatsOf(gathered.tensors[0]), (std::vector<float>{1, 2, 3, 4, 5, 6, 0, 0, 0, 0}));
  EXPECT_EQ(FloatsOf(gathered.tensors[1]), (std::vector<float>{10, 11, 12, 0, 0}));
  EXPECT_EQ(gathered.bytes_copied, 36u);
  EXPECT_EQ(b->inputs[0].dims, (std::vector<int64_t>{2, 2})) << "the padding is nobody's";
  EXPECT_EQ(b->inputs[0].data.size(), 16u);
}

TEST(Gather, AppendsEmptyElementsToBytesWhateverTheirRowsHold) {
  const auto a = BytesJob({"a", "", "long element"}, {1, 3});
  const auto b = BytesJob({"bb", "c", ""}, {1, 3});
  const Gathered gathered = Join({a.get(), b.get()}, 2).value();
  EXPECT_EQ(gathered.tensors[0].dims, (std::vector<int64_t>{4, 3}));
  EXPECT_EQ(BytesOf(gathered.tensors[0]), Framed({"a", "", "long element", "bb", "c", "", "", "", "", "", "", ""}));
}

TEST(Gather, PadsWhatLiesInPlaceByCopyingIt) {
  const auto a = FloatJob(1, {std::vector<float>(16, 1.0f)});
  (void)Join({a.get()}).value();
  EXPECT_EQ(Join({a.get()}).value().bytes_copied, 0u);
  const Gathered padded = Join({a.get()}, 1).value();
  EXPECT_EQ(padded.bytes_copied, 64u);
  EXPECT_EQ(FloatsOf(padded.tensors[0])[15], 1.0f);
  EXPECT_EQ(FloatsOf(padded.tensors[0])[16], 0.0f);
}

TEST(Gather, RefusesPaddingLargerThanAnyMemory) {
  const auto a = FloatJob(1, {{1, 2}});
  for (const int64_t padding : {INT64_MAX, INT64_MAX - 1, INT64_MAX / 8}) {
    EXPECT_EQ(Join({a.get()}, padding).status().code(), StatusCode::kMemory) << padding;
  }
  EXPECT_FALSE(a->inputs[0].in_place);
}

class HeapLocker : public memory::PageLocker {
 public:
  void* Lock(size_t bytes) override { return std::aligned_alloc(4096, bytes); }
  void Unlock(void* pages, size_t) override { std::free(pages); }
};

TEST(Gather, TakesItsBlocksWhereItIsToldAndLeavesOtherEngineMemoryInPlace) {
  const auto arena = memory::PinnedArena::Create(std::make_shared<HeapLocker>(), {});
  const auto a = FloatJob(1, {std::vector<float>(16, 1.0f)});
  const auto b = FloatJob(1, {std::vector<float>(16, 2.0f)});
  const Gathered pinned = Gather({a.get()}, 0, arena.get()).value();
  EXPECT_EQ(pinned.tensors[0].bytes.kind, memory::MemoryKind::kPinned);
  EXPECT_EQ(Gather({a.get()}, 0, arena.get()).value().bytes_copied, 0u);
  EXPECT_EQ(Join({a.get()}).value().bytes_copied, 0u) << "the CPU reads page-locked memory as well";
  (void)Join({b.get()}).value();
  const Gathered pageable = Gather({b.get()}, 0, arena.get()).value();
  EXPECT_EQ(pageable.bytes_copied, 0u);
  EXPECT_EQ(pageable.tensors[0].bytes.kind, memory::MemoryKind::kPageable);
}

}  // namespace
}  // namespace penstock::pipeline
