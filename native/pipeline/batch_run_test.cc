#include "pipeline/batch_run.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "memory/block.h"
#include "pipeline/job_maker.h"
#include "session/fake_session.h"

namespace penstock::pipeline {
namespace {

using session::FakeSession;

bool Holds(const session::Tensor& tensor, float value) {
  const std::vector<float> values = FloatsOf(tensor);
  return std::find(values.begin(), values.end(), value) != values.end();
}

class BatchRunTest : public ::testing::Test {
 protected:
  std::vector<JobResult> Run(const std::vector<std::shared_ptr<Job>>& jobs, bool merge = true) {
    options_.merge = merge;
    end_ = RunBatch(*session_, *control_, options_, jobs, &counters_, nullptr);
    std::vector<JobResult> results;
    for (const auto& job : jobs) {
      EXPECT_TRUE(job->ended);
      results.push_back(std::move(job->result));
    }
    return results;
  }
  void Use(std::shared_ptr<FakeSession> session) {
    session_ = std::move(session);
    control_ = session_->NewRunControl();
  }

  std::shared_ptr<FakeSession> session_ = FakeSession::WithOneInput();
  std::unique_ptr<session::RunControl> control_ = session_->NewRunControl();
  BatchRunOptions options_;
  Counters counters_;
  BatchEnd end_;
};

TEST_F(BatchRunTest, GivesEachJobItsOwnRowsFromOneRun) {
  const auto results = Run({FloatJob(1, {{1, 2}}), FloatJob(2, {{3, 4, 5, 6}}), FloatJob(1, {{7, 8}})});
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{4}));
  EXPECT_TRUE(end_.in_one_go);
  EXPECT_EQ(FloatsOf(results[0].outputs.at(0)), (std::vector<float>{1, 2}));
  EXPECT_EQ(FloatsOf(results[1].outputs.at(0)), (std::vector<float>{3, 4, 5, 6}));
  EXPECT_EQ(results[1].outputs[0].dims, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(FloatsOf(results[2].outputs.at(0)), (std::vector<float>{7, 8}));
  const CounterSnapshot counts = counters_.Snapshot();
  EXPECT_EQ(counts.execution_count, 1u);
  EXPECT_EQ(counts.batches.at(4).compute_infer.count, 1u);
  EXPECT_EQ(counts.bytes_received, 32u);
  EXPECT_EQ(counts.bytes_copied, 32u);
}

TEST_F(BatchRunTest, CountsWhatWasCopiedBeforeTheEngineSawIt) {
  const auto job = FloatJob(1, {{1, 2}});
  job->bytes_copied_before = 8;
  Run({job});
  EXPECT_EQ(counters_.Snapshot().bytes_received, 8u);
  EXPECT_EQ(counters_.Snapshot().bytes_copied, 16u);
}

TEST_F(BatchRunTest, RunsTheUnionOfOutputsAndGivesEachJobWhatItAskedForInItsOrder) {
  session::Signature signature;
  for (const char* name : {"a", "b", "c"}) signature.inputs.push_back({name, DataType::kFp32, {-1, 1}, {"", ""}});
  for (const char* name : {"u", "v", "w"}) signature.outputs.push_back({name, DataType::kFp32, {-1, 1}, {"", ""}});
  Use(std::make_shared<FakeSession>(signature));
  size_t made = 0;
  session_->AlterResults([&made](std::vector<session::Tensor>* results) { made = results->size(); });
  const auto backwards = FloatJob(1, {{1}, {2}, {3}});
  backwards->outputs = {2, 0};
  const auto one = FloatJob(1, {{4}, {5}, {6}});
  one->outputs = {2};
  const auto none = FloatJob(1, {{7}, {8}, {9}});
  none->outputs = {};
  const auto results = Run({backwards, one, none});
  EXPECT_EQ(made, 2u) << "nobody asked for output v";
  ASSERT_EQ(results[0].outputs.size(), 2u);
  EXPECT_EQ(FloatsOf(results[0].outputs[0]), (std::vector<float>{3}));
  EXPECT_EQ(FloatsOf(results[0].outputs[1]), (std::vector<float>{1}));
  ASSERT_EQ(results[1].outputs.size(), 1u);
  EXPECT_EQ(FloatsOf(results[1].outputs[0]), (std::vector<float>{6}));
  EXPECT_TRUE(results[2].status.ok());
  EXPECT_TRUE(results[2].outputs.empty());
}

TEST_F(BatchRunTest, SplitsBytesByTheirFraming) {
  Use(FakeSession::WithOneInput(DataType::kBytes, {-1, 1}));
  std::vector<std::shared_ptr<Job>> jobs;
  const std::vector<std::vector<std::string>> contents = {{"alpha"}, {"", "b"}, {"gamma delta"}};
  for (const auto& elements : contents) {
    auto job = std::make_shared<Job>();
    job->rows = static_cast<int64_t>(elements.size());
    job->inputs.push_back({DataType::kBytes, {job->rows, 1}, memory::SliceChain(OwnedSlice(Framed(elements))), false});
    job->outputs = {0};
    jobs.push_back(std::move(job));
  }
  const auto results = Run(jobs);
  for (size_t i = 0; i < contents.size(); ++i) {
    const memory::Slice& bytes = results[i].outputs.at(0).bytes;
    EXPECT_EQ(std::vector<uint8_t>(bytes.data, bytes.data + bytes.size), Framed(contents[i]));
  }
}

TEST_F(BatchRunTest, OnlyTheGuiltyGetTheError) {
  session_->JudgeRuns([](const std::vector<session::Tensor>& inputs) {
    return Holds(inputs[0], 666) ? Status(StatusCode::kModelRun, "bad value 666") : Status::Ok();
  });
  std::vector<std::shared_ptr<Job>> jobs;
  for (int i = 0; i < 8; ++i) jobs.push_back(FloatJob(1, {{i == 2 || i == 5 ? 666.0f : static_cast<float>(i), 0.5f}}));
  const auto results = Run(jobs);
  for (int i = 0; i < 8; ++i) {
    const JobResult& result = results[static_cast<size_t>(i)];
    if (i == 2 || i == 5) {
      EXPECT_EQ(result.status.message(), "bad value 666");
      EXPECT_TRUE(result.outputs.empty());
    } else {
      ASSERT_TRUE(result.status.ok()) << i;
      EXPECT_EQ(FloatsOf(result.outputs.at(0)), (std::vector<float>{static_cast<float>(i), 0.5f})) << "bitwise its own";
    }
  }
  EXPECT_FALSE(end_.in_one_go);
  EXPECT_LE(session_->started(), 15u);
  EXPECT_EQ(counters_.Snapshot().bytes_received, 64u) << "received once, however often it ran";
}

TEST_F(BatchRunTest, ABatchThatDoesNotFitIntoMemoryRunsInHalves) {
  session_->JudgeRuns([](const std::vector<session::Tensor>& inputs) {
    return inputs[0].dims[0] > 2 ? Status(StatusCode::kMemory, "too large") : Status::Ok();
  });
  const auto results = Run({FloatJob(1, {{1}}), FloatJob(1, {{2}}), FloatJob(1, {{3}}), FloatJob(1, {{4}})});
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(FloatsOf(results[i].outputs.at(0)), (std::vector<float>{static_cast<float>(i + 1)}));
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{4, 2, 2}));
}

TEST_F(BatchRunTest, ABatchThatDoesNotFitIntoAGpuRunsInHalvesAndSaysHowMuchWasTooMuch) {
  session_->JudgeRuns([](const std::vector<session::Tensor>& inputs) {
    return inputs[0].dims[0] > 2 ? Status(StatusCode::kGpuMemory, "no room") : Status::Ok();
  });
  std::vector<std::shared_ptr<Job>> jobs;
  for (int i = 0; i < 8; ++i) jobs.push_back(FloatJob(1, {{static_cast<float>(i)}}));
  const auto results = Run(jobs);
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(FloatsOf(results[i].outputs.at(0)), (std::vector<float>{static_cast<float>(i)}));
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{8, 4, 2, 2, 4, 2, 2}));
  EXPECT_EQ(end_.rows_out_of_memory, 4);
  EXPECT_EQ(session_->spare_memory_releases(), 3u) << "one for each run that failed";
  EXPECT_FALSE(end_.in_one_go);
}

TEST_F(BatchRunTest, ARowThatDoesNotFitIntoAGpuEndsAlone) {
  session_->JudgeRuns([](const std::vector<session::Tensor>& inputs) {
    return Holds(inputs[0], 666) ? Status(StatusCode::kGpuMemory, "no room") : Status::Ok();
  });
  const auto results = Run({FloatJob(1, {{1}}), FloatJob(1, {{666}}), FloatJob(1, {{3}})});
  EXPECT_TRUE(results[0].status.ok());
  EXPECT_EQ(results[1].status.code(), StatusCode::kGpuMemory);
  EXPECT_TRUE(results[2].status.ok());
}

TEST_F(BatchRunTest, AGpuThatIsGoneEndsTheWholeBatchAtOnce) {
  for (const StatusCode code : {StatusCode::kGpuFault, StatusCode::kGpuLost}) {
    Use(FakeSession::WithOneInput());
    session_->FailWith(Status(code, "illegal address"));
    for (const JobResult& result : Run({FloatJob(1, {{1}}), FloatJob(1, {{2}}), FloatJob(1, {{3}})})) EXPECT_EQ(result.status.code(), code);
    EXPECT_EQ(session_->started(), 1u);
    EXPECT_EQ(session_->spare_memory_releases(), 0u);
  }
}

TEST_F(BatchRunTest, AGpuThatGoesWhileHalvesRunEndsThoseThatAreLeft) {
  session_->JudgeRuns([](const std::vector<session::Tensor>& inputs) {
    return inputs[0].dims[0] > 2 ? Status(StatusCode::kGpuMemory, "no room") : Status(StatusCode::kGpuFault, "illegal address");
  });
  for (const JobResult& result : Run({FloatJob(1, {{1}}), FloatJob(1, {{2}}), FloatJob(1, {{3}}), FloatJob(1, {{4}})})) {
    EXPECT_EQ(result.status.code(), StatusCode::kGpuFault);
  }
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{4, 2}));
}

TEST_F(BatchRunTest, AGatherThatDoesNotFitIntoMemoryRunsInHalves) {
  const auto row = std::vector<float>(256, 1.0f);  // 1024 bytes
  const std::vector<std::shared_ptr<Job>> jobs = {FloatJob(1, {row}), FloatJob(1, {row})};
  for (const auto& job : jobs) job->outputs.clear();
  memory::BlockPool::Process().set_limit_bytes(memory::BlockPool::Process().live_bytes() + 2047);
  const auto results = Run(jobs);
  memory::BlockPool::Process().set_limit_bytes(0);
  EXPECT_TRUE(results[0].status.ok()) << results[0].status.message();
  EXPECT_TRUE(results[1].status.ok()) << "the first half has given its memory back: " << results[1].status.message();
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{1, 1}));
}

TEST_F(BatchRunTest, TerminationIsNotRetried) {
  control_->Terminate();
  const auto results = Run({FloatJob(1, {{1}}), FloatJob(1, {{2}})});
  EXPECT_EQ(results[0].status.code(), StatusCode::kRequestCancelled);
  EXPECT_EQ(results[1].status.code(), StatusCode::kRequestCancelled);
  EXPECT_EQ(session_->started(), 1u);
}

TEST_F(BatchRunTest, HalvesLeaveOutWhoWasCancelledMeanwhile) {
  const auto unwanted = FloatJob(1, {{1}});
  session_->JudgeRuns([&unwanted](const std::vector<session::Tensor>& inputs) {
    unwanted->cancelled = true;
    return inputs[0].dims[0] > 2 ? Status(StatusCode::kModelRun, "no") : Status::Ok();
  });
  const auto results = Run({unwanted, FloatJob(1, {{2}}), FloatJob(1, {{3}}), FloatJob(1, {{4}})});
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{4, 1, 2}));
  EXPECT_EQ(results[0].status.code(), StatusCode::kRequestCancelled);
  EXPECT_EQ(FloatsOf(results[1].outputs.at(0)), (std::vector<float>{2}));
}

TEST_F(BatchRunTest, AnOutputWithoutTheRowsOfTheBatchIsTheModelsFaultAloneAndInCompany) {
  session_->AlterResults([](std::vector<session::Tensor>* results) { (*results)[0].dims = {7, 1}; });
  for (const auto& result : Run({FloatJob(1, {{1}}), FloatJob(1, {{2}})})) {
    EXPECT_EQ(result.status.code(), StatusCode::kModelRun);
    EXPECT_EQ(result.status.message(), "output \"y\": found 7 rows after a run of a batch, expected 1 rows");
  }
}

TEST_F(BatchRunTest, PadsABatchAndGivesEachJobItsOwnRowsOnly) {
  session_->PadToPowersOfTwo();
  options_.pad_up_to_rows = 8;
  std::vector<float> seen;
  session_->OnRun([&seen](const std::vector<session::Tensor>& inputs) { seen = FloatsOf(inputs[0]); });
  const auto results = Run({FloatJob(2, {{1, 2, 3, 4}}), FloatJob(1, {{5, 6}})});
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{4}));
  EXPECT_EQ(seen, (std::vector<float>{1, 2, 3, 4, 5, 6, 0, 0}));
  EXPECT_EQ(FloatsOf(results[0].outputs.at(0)), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(results[1].outputs.at(0).dims, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(FloatsOf(results[1].outputs.at(0)), (std::vector<float>{5, 6}));
  const CounterSnapshot counts = counters_.Snapshot();
  EXPECT_EQ(counts.batches.at(3).compute_infer.count, 1u) << "three real rows";
  EXPECT_EQ(counts.bytes_received, 24u);
  EXPECT_EQ(counts.bytes_copied, 24u);
}

TEST_F(BatchRunTest, NeverPadsBeyondTheLargestBatch) {
  session_->PadToPowersOfTwo();
  options_.pad_up_to_rows = 6;
  for (const int64_t rows : {1, 3, 4, 5, 6}) {
    const auto results = Run({FloatJob(rows, {std::vector<float>(static_cast<size_t>(rows), 1.0f)})});
    EXPECT_EQ(results[0].outputs.at(0).dims[0], rows);
  }
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{1, 4, 4, 6, 6}));
}

TEST_F(BatchRunTest, PadsAlsoWhereEveryRequestRunsAlone) {
  session_->PadToPowersOfTwo();
  options_.pad_up_to_rows = 8;
  const auto results = Run({FloatJob(3, {{1, 2, 3}})}, false);
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{4}));
  EXPECT_EQ(FloatsOf(results[0].outputs.at(0)), (std::vector<float>{1, 2, 3}));
}

TEST_F(BatchRunTest, LeavesBatchesAloneWhereNothingSaysThatTheyMayBePadded) {
  session_->PadToPowersOfTwo();
  Run({FloatJob(3, {{1, 2, 3}})});
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{3}));
}

TEST_F(BatchRunTest, SplitsPaddedBytesByTheirFraming) {
  Use(FakeSession::WithOneInput(DataType::kBytes, {-1, 1}));
  session_->PadToPowersOfTwo();
  options_.pad_up_to_rows = 8;
  auto job = std::make_shared<Job>();
  job->rows = 3;
  job->inputs.push_back({DataType::kBytes, {3, 1}, memory::SliceChain(OwnedSlice(Framed({"x", "", "yz"}))), false});
  job->outputs = {0};
  const auto results = Run({job});
  const memory::Slice& bytes = results[0].outputs.at(0).bytes;
  EXPECT_EQ(std::vector<uint8_t>(bytes.data, bytes.data + bytes.size), Framed({"x", "", "yz"}));
}

TEST_F(BatchRunTest, APaddedRunWhoseOutputHasOtherRowsIsTheModelsFault) {
  session_->PadToPowersOfTwo();
  options_.pad_up_to_rows = 8;
  session_->AlterResults([](std::vector<session::Tensor>* results) { (*results)[0].dims[0] -= 1; });
  const auto results = Run({FloatJob(3, {{1, 2, 3}})});
  EXPECT_EQ(results[0].status.code(), StatusCode::kModelRun);
  EXPECT_EQ(results[0].status.message(), "output \"y\": found 3 rows after a run of a batch, expected 4 rows");
}

TEST_F(BatchRunTest, JobsThatAreNeverMergedPassThroughUntouched) {
  session_->AlterResults([](std::vector<session::Tensor>* results) { (*results)[0].dims = {}; });
  const auto results = Run({FloatJob(1, {{1}})}, false);
  ASSERT_TRUE(results[0].status.ok());
  EXPECT_TRUE(results[0].outputs.at(0).dims.empty());
}

std::shared_ptr<const Ragged> LengthsOfTheFirstInput() {
  return std::make_shared<const Ragged>(Ragged{{{0, 1, FloatBytes({9})}}, {{0, {1}}}});
}

TEST_F(BatchRunTest, GivesRowsOfDifferentLengthBackAsLongAsTheyCame) {
  options_.ragged = LengthsOfTheFirstInput();
  std::vector<float> seen;
  session_->OnRun([&seen](const std::vector<session::Tensor>& inputs) { seen = FloatsOf(inputs[0]); });
  const auto results = Run({FloatJob(1, {{1, 2}}), FloatJob(2, {{3, 4, 5, 6, 7, 8}}), FloatJob(2, {{1, 2, 3, 4}})});
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{5}));
  EXPECT_EQ(seen, (std::vector<float>{1, 2, 9, 3, 4, 5, 6, 7, 8, 1, 2, 9, 3, 4, 9}));
  EXPECT_EQ(results[0].outputs.at(0).dims, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(FloatsOf(results[0].outputs[0]), (std::vector<float>{1, 2}));
  EXPECT_EQ(FloatsOf(results[1].outputs.at(0)), (std::vector<float>{3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(results[2].outputs.at(0).dims, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(FloatsOf(results[2].outputs[0]), (std::vector<float>{1, 2, 3, 4}));
  const CounterSnapshot counts = counters_.Snapshot();
  EXPECT_EQ(counts.bytes_copied, 12u * sizeof(float));
  EXPECT_EQ(counts.output_bytes_copied, 4u * sizeof(float)) << "only two short rows of one job do not lie side by side";
}

TEST_F(BatchRunTest, LeavesOutputsAloneThatAreNotAsLongAsTheRows) {
  options_.ragged = std::make_shared<const Ragged>(Ragged{LengthsOfTheFirstInput()->inputs, {}});
  const auto results = Run({FloatJob(1, {{1}}), FloatJob(1, {{3, 4}})});
  EXPECT_EQ(FloatsOf(results[0].outputs.at(0)), (std::vector<float>{1, 9}));
}

TEST_F(BatchRunTest, RunsEachOfThoseAloneWhoseCommonOutputHasAnotherLength) {
  options_.ragged = LengthsOfTheFirstInput();
  session_->AlterResults([](std::vector<session::Tensor>* results) {
    std::vector<int64_t>& dims = results->at(0).dims;
    if (dims[0] == 2) dims = {2, dims[1] / 2, 2};
  });
  const auto results = Run({FloatJob(1, {{1, 2, 3}}), FloatJob(1, {{4, 5, 6, 7}})});
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{2, 1, 1}));
  EXPECT_FALSE(end_.in_one_go);
  EXPECT_EQ(FloatsOf(results[0].outputs.at(0)), (std::vector<float>{1, 2, 3})) << "unpadded";
  EXPECT_EQ(FloatsOf(results[1].outputs.at(0)), (std::vector<float>{4, 5, 6, 7}));
}

TEST_F(BatchRunTest, ChargesTheCopyOfALargeOutputThatWasCut) {
  options_.ragged = LengthsOfTheFirstInput();
  int64_t charged = 0;
  options_.charge = [&charged](uint64_t bytes) {
    charged += static_cast<int64_t>(bytes);
    return memory::Owner(&charged, [bytes](const int64_t* sum) { *const_cast<int64_t*>(sum) -= static_cast<int64_t>(bytes); });
  };
  constexpr size_t kLong = 16 * 1024;  // a row of so many is charged
  auto results = Run({FloatJob(2, {std::vector<float>(2 * (kLong - 1))}), FloatJob(1, {std::vector<float>(kLong)})});
  EXPECT_EQ(charged, static_cast<int64_t>(4 * (3 * kLong + 2 * (kLong - 1))));
  results[1] = {};
  EXPECT_EQ(charged, static_cast<int64_t>(4 * 2 * (kLong - 1))) << "the copy does not keep what it was cut from";
  results[0] = {};
  EXPECT_EQ(charged, 0);
}

}  // namespace
}  // namespace penstock::pipeline
