// A pipeline whose session takes rows that lie apart, over page-locked memory of the fake driver.
#include "pipeline/rows_apart.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

#include "device/test_driver.h"
#include "memory/driver_page_locker.h"
#include "memory/pinned_arena.h"
#include "pipeline/gather.h"
#include "pipeline/pipeline_fixture.h"

namespace penstock::pipeline {
namespace {

constexpr size_t kRow = 2048;  // floats
constexpr uint64_t kRowBytes = kRow * sizeof(float);
static_assert(kRowBytes >= kSmallestRowApart);

class RowsApartTest : public PipelineTest {
 protected:
  void SetUp() override {
    arena_ = NewArena(8ull << 20);
    session_->RunOnGpus({"GPU-0"});
    session_->TakeRowsApart();
    session_->OnRun([this](const std::vector<session::Tensor>& inputs) {
      const std::lock_guard<std::mutex> lock(mutex_);
      pieces_.push_back(inputs[0].rows.size());
    });
  }
  void TearDown() override {
    pipeline_.reset();
    sink_.reset();
    arena_.reset();
    EXPECT_EQ(driver_.HostBytes(), 0u) << "all page-locked memory is given back";
  }

  std::shared_ptr<memory::PinnedArena> NewArena(uint64_t limit_bytes) {
    memory::PinnedArenaOptions options;
    options.limit_bytes = limit_bytes;
    options.slab_bytes = limit_bytes;
    auto arena = memory::PinnedArena::Create(std::make_shared<memory::DriverPageLocker>(driver_.First()), options);
    (void)arena->Allocate(1).value();  // as the runs of a warm-up leave it: with a slab
    session_->GatherInto(arena.get());
    return arena;
  }
  static std::shared_ptr<Job> RowJob(float value, int64_t rows = 1, size_t floats = kRow) {
    return FloatJob(rows, {std::vector<float>(static_cast<size_t>(rows) * floats, value)});
  }
  // One batch of these jobs after a first one, which runs alone. Their answers are theirs.
  void RunTogether(const std::vector<std::shared_ptr<Job>>& jobs, PipelineOptions options = Merging(8)) {
    session_->ShutGate();
    if (pipeline_ == nullptr) Start(options);
    const size_t started = session_->started();
    SubmitJob(++token_, RowJob(0.5f));
    session_->WaitForStarted(started + 1);
    for (const std::shared_ptr<Job>& job : jobs) SubmitJob(++token_, job);
    session_->OpenGate();
    sink_->WaitFor(token_);
  }
  void ExpectAnswer(uint64_t token, float value, size_t floats = kRow) {
    const Outcome outcome = sink_->Take(token);
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
    EXPECT_EQ(FloatsOf(outcome.outputs.at(0)), std::vector<float>(floats, value)) << token;
  }
  // Slices that each run got its first input in; 0: in one piece.
  std::vector<size_t> pieces() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return pieces_;
  }

  device::FakeDriver driver_;
  std::shared_ptr<memory::PinnedArena> arena_;
  uint64_t token_ = 0;

 private:
  mutable std::mutex mutex_;
  std::vector<size_t> pieces_;
};

TEST_F(RowsApartTest, GoToTheRunAsTheyLieAndAreCopiedOnce) {
  RunTogether({RowJob(1), RowJob(2, 3), RowJob(3)});
  EXPECT_EQ(pieces(), (std::vector<size_t>{0, 3})) << "one job alone lies in one piece";
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{1, 5}));
  ExpectAnswer(2, 1);
  ExpectAnswer(3, 2, 3 * kRow);
  ExpectAnswer(4, 3);
  EXPECT_EQ(Counts().bytes_received, 6 * kRowBytes);
  EXPECT_EQ(Counts().bytes_copied, 6 * kRowBytes);
}

TEST_F(RowsApartTest, LetTheClientsMessageGoWhenItIsSubmitted) {
  session_->ShutGate();
  Start(Merging(8));
  const std::shared_ptr<Job> job = RowJob(1);
  const std::weak_ptr<const void> message = job->inputs[0].data.slices()[0].owner;
  SubmitJob(++token_, job);
  EXPECT_TRUE(message.expired());
  session_->OpenGate();
  sink_->WaitFor(1);
}

TEST_F(RowsApartTest, ArePaddedWithoutACopy) {
  session_->PadToPowersOfTwo();
  PipelineOptions options = Merging(8);
  options.pad = true;
  RunTogether({RowJob(1), RowJob(2), RowJob(3)}, options);
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(pieces().back(), 3u);
  for (uint64_t token = 2; token <= 4; ++token) ExpectAnswer(token, static_cast<float>(token - 1));
  EXPECT_EQ(Counts().bytes_copied, 4 * kRowBytes);
}

TEST_F(RowsApartTest, AreGatheredAsUsualWherePageLockedMemoryIsShort) {
  arena_ = NewArena(8 * kRowBytes);  // of which a queue gets half
  std::vector<std::shared_ptr<Job>> jobs;
  for (int i = 1; i <= 7; ++i) jobs.push_back(RowJob(static_cast<float>(i)));
  RunTogether(jobs);
  EXPECT_EQ(pieces(), (std::vector<size_t>{0, 0}));
  for (uint64_t token = 2; token <= 8; ++token) ExpectAnswer(token, static_cast<float>(token - 1));
}

TEST_F(RowsApartTest, StayForTheLaneWhereTheDriverMapsNothing) {
  driver_.Say("fail cuMemHostGetDevicePointer_v2 1");
  arena_ = NewArena(8ull << 20);
  RunTogether({RowJob(1), RowJob(2)});
  EXPECT_EQ(pieces(), (std::vector<size_t>{0, 0}));
  ExpectAnswer(2, 1);
  ExpectAnswer(3, 2);
  EXPECT_EQ(Counts().bytes_copied, 3 * kRowBytes);
}

TEST_F(RowsApartTest, KeepTheirPlacesWhenABatchRunsAgainInHalves) {
  session_->JudgeRuns([](const std::vector<session::Tensor>& inputs) {
    return inputs[0].dims[0] > 2 ? Status(StatusCode::kModelRun, "too many") : Status::Ok();
  });
  RunTogether({RowJob(1), RowJob(2), RowJob(3), RowJob(4)});
  EXPECT_EQ(pieces(), (std::vector<size_t>{0, 4, 2, 2}));
  for (uint64_t token = 2; token <= 5; ++token) ExpectAnswer(token, static_cast<float>(token - 1));
  EXPECT_EQ(Counts().bytes_copied, 5 * kRowBytes) << "each byte once, however often it runs";
}

TEST_F(RowsApartTest, ACancelledNeighbourChangesNothing) {
  session_->ShutGate();
  Start(Merging(8));
  SubmitJob(1, RowJob(0.5f));
  session_->WaitForStarted(1);
  SubmitJob(2, RowJob(2));
  const std::shared_ptr<Job> queued = SubmitJob(3, RowJob(3));
  const std::shared_ptr<Job> running = SubmitJob(4, RowJob(4));
  SubmitJob(5, RowJob(5));
  pipeline_->Cancel(queued);
  session_->OpenGate();
  session_->WaitForStarted(2);
  pipeline_->Cancel(running);
  sink_->WaitFor(5);
  EXPECT_EQ(pieces().back(), 3u);
  EXPECT_EQ(sink_->Take(3).status.code(), StatusCode::kRequestCancelled);
  ExpectAnswer(2, 2);
  ExpectAnswer(5, 5);
}

TEST_F(RowsApartTest, ArePassedOnlyWhereItPays) {
  // Rows too small, a request too large, and one that fills a batch.
  std::vector<std::pair<std::shared_ptr<Job>, bool>> cases = {
      {RowJob(1, 1, kSmallestRowApart / sizeof(float) - 1), false},
      {RowJob(1, 1, kSmallestRowApart / sizeof(float)), true},
      {RowJob(1, 4, kLargestApart / sizeof(float) / 4), true},
      {RowJob(1, 4, kLargestApart / sizeof(float) / 4 + 1), false},
      {RowJob(1, 7), true},
      {RowJob(1, 8), false},
  };
  for (const auto& [job, pays] : cases) {
    MoveToMappedMemory({true}, 8, arena_.get(), job.get());
    EXPECT_EQ(job->inputs[0].data.slices()[0].device != 0, pays) << job->rows << " rows, " << job->bytes << " bytes";
    EXPECT_EQ(job->bytes_copied_before, pays ? job->bytes : 0u);
  }
  const auto other = RowJob(1);
  MoveToMappedMemory({false}, 8, arena_.get(), other.get());
  MoveToMappedMemory({}, 8, arena_.get(), other.get());
  EXPECT_FALSE(other->inputs[0].in_place);
}

TEST_F(RowsApartTest, MoveOnceAndLeaveSmallAndMissingInputsOfTheirJobAlone) {
  const auto job = FloatJob(1, {std::vector<float>(kRow, 1), {2}, std::vector<float>(kRow + 1, 3)});
  job->inputs.push_back(JobInput{});
  const std::vector<bool> apart(4, true);
  MoveToMappedMemory(apart, 8, arena_.get(), job.get());
  const uint64_t moved = (2 * kRow + 1) * sizeof(float);
  EXPECT_EQ(job->bytes_copied_before, moved);
  EXPECT_FALSE(job->inputs[1].in_place);
  for (const size_t i : {0u, 2u}) {
    const memory::Slice& slice = job->inputs[i].data.slices()[0];
    EXPECT_EQ(slice.device % memory::BlockPool::kAlignment, 0u);
    EXPECT_EQ(FloatsOf({DataType::kFp32, {}, slice}), std::vector<float>(i == 0 ? kRow : kRow + 1, i == 0 ? 1.0f : 3.0f));
  }
  MoveToMappedMemory(apart, 8, arena_.get(), job.get());
  EXPECT_EQ(job->bytes_copied_before, moved) << "for one that was refused and is submitted again";
}

TEST_F(RowsApartTest, AreCopiedToWhereTheirElementsAreAligned) {
  const memory::Slice whole = memory::WholeSlice(arena_->Allocate(kRowBytes + 64).value());
  const auto a = RowJob(1);
  a->inputs[0].data = memory::SliceChain(whole.Sub(2, kRowBytes));
  a->inputs[0].in_place = true;
  EXPECT_TRUE(Gather({a.get()}, 1, arena_.get(), {true}).value().tensors[0].rows.empty());
  a->inputs[0].data = memory::SliceChain(whole.Sub(4, kRowBytes));
  EXPECT_EQ(Gather({a.get()}, 1, arena_.get(), {true}).value().tensors[0].rows.size(), 1u);
}

TEST_F(RowsApartTest, AreGatheredInOnePieceForASessionThatWantsThat) {
  const auto a = RowJob(1);
  const auto b = RowJob(2);
  for (const auto& job : {a, b}) MoveToMappedMemory({true}, 8, arena_.get(), job.get());
  const Gathered apart = Gather({a.get(), b.get()}, 1, arena_.get(), {true}).value();
  EXPECT_EQ(apart.tensors[0].rows.size(), 2u);
  EXPECT_EQ(apart.tensors[0].bytes.size, 3 * kRowBytes);
  EXPECT_EQ(apart.tensors[0].dims[0], 3);
  EXPECT_EQ(apart.bytes_copied, 0u);
  const Gathered joined = Gather({a.get(), b.get()}, 0, arena_.get()).value();
  EXPECT_TRUE(joined.tensors[0].rows.empty());
  EXPECT_EQ(joined.bytes_copied, 2 * kRowBytes);
}

}  // namespace
}  // namespace penstock::pipeline
