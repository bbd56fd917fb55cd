#include "pipeline/warm_up.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <thread>

#include "pipeline/job_maker.h"
#include "session/fake_session.h"

namespace penstock::pipeline {
namespace {

using session::FakeSession;

WarmUpOptions Batched(int64_t max_batch_rows) {
  WarmUpOptions options;
  options.batched = true;
  options.max_batch_rows = max_batch_rows;
  return options;
}

WarmUpOptions Checked() {
  WarmUpOptions options = Batched(2);
  options.check_rows = true;
  return options;
}

TEST(WarmUp, TimesSizesOneTwoFourAndTheLargestThreeTimesEach) {
  const auto session = FakeSession::WithOneInput();
  const WarmUpReport report = WarmUp(*session, Batched(6));
  std::vector<int64_t> sizes;
  for (const RunSample& sample : report.samples) {
    EXPECT_EQ(sample.busy, 1);
    EXPECT_GE(sample.ns, 0);
    sizes.push_back(sample.rows);
  }
  EXPECT_EQ(sizes, (std::vector<int64_t>{1, 1, 1, 2, 2, 2, 4, 4, 4, 6, 6, 6}));
  EXPECT_TRUE(report.notes.empty());
}

TEST(WarmUp, RunsEverySizeThatPaddingToPowersOfTwoGives) {
  for (int64_t largest = 1; largest <= 40; ++largest) {
    const auto session = FakeSession::WithOneInput();
    session->PadToPowersOfTwo();
    WarmUp(*session, Batched(largest));
    const std::vector<int64_t> warm = session->rows_per_run();
    for (int64_t rows = 1; rows <= largest; ++rows) {
      const int64_t padded = std::min(session->PaddedRows(rows), largest);
      EXPECT_NE(std::find(warm.begin(), warm.end(), padded), warm.end()) << rows << " of " << largest;
    }
  }
}

TEST(WarmUp, RunsEverySizeOnEachGpuBeforeItIsTimed) {
  const auto session = FakeSession::WithOneInput();
  session->RunOnGpus({"GPU-a", "GPU-b", "GPU-c"});
  const WarmUpReport report = WarmUp(*session, Batched(2));
  EXPECT_EQ(report.samples.size(), 6u);
  // One row to begin with; then each size on three GPUs and three times more on the first.
  EXPECT_EQ(session->runs_per_gpu(), (std::map<std::string, size_t>{{"GPU-a", 9}, {"GPU-b", 2}, {"GPU-c", 2}}));
}

TEST(WarmUp, TriesSizesForOpenDimensionsUntilOneRuns) {
  const auto session = FakeSession::WithOneInput(DataType::kFp32, {-1, 3, -1, -1});
  session->JudgeRuns([](const std::vector<session::Tensor>& inputs) {
    return inputs[0].dims[3] == 32 ? Status::Ok() : Status(StatusCode::kModelRun, "an image has 32 columns");
  });
  const WarmUpReport report = WarmUp(*session, Batched(1));
  EXPECT_EQ(report.samples.size(), 3u);
}

TEST(WarmUp, SaysWhyAModelThatRefusesMadeUpInputsWasNotMeasured) {
  const auto session = FakeSession::WithOneInput();
  session->FailWith(Status(StatusCode::kModelRun, "index out of bounds"));
  WarmUpOptions options = Checked();
  options.try_two_lanes = true;
  const WarmUpReport report = WarmUp(*session, options);
  EXPECT_TRUE(report.samples.empty());
  EXPECT_FALSE(report.rows_are_independent);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_NE(report.notes[0].find("index out of bounds"), std::string::npos);
  EXPECT_EQ(session->started(), 1u) << "all dimensions are known: no size to try";
}

TEST(WarmUp, SurvivesARunThatThrowsBadAlloc) {
  const auto session = FakeSession::WithOneInput();
  session->ThrowBadAlloc(true);
  EXPECT_TRUE(WarmUp(*session, Batched(1)).samples.empty());
}

TEST(WarmUp, NamesTheModelWhoseFirstRunsBreakTheContextOfAGpu) {
  const auto session = FakeSession::WithOneInput();
  session->RunOnGpus({"GPU-a", "GPU-b"});
  session->JudgeRuns([](const std::vector<session::Tensor>& inputs) {
    return inputs[0].dims[0] > 2 ? Status(StatusCode::kGpuFault, "CUDA_ERROR_ILLEGAL_ADDRESS") : Status::Ok();
  });
  WarmUpOptions options = Batched(4);
  options.watchdog = std::make_shared<Watchdog>(WatchdogOptions{});
  options.model = "resnet version 2";
  WarmUp(*session, options);
  EXPECT_EQ(options.watchdog->activity("GPU-a").suspect, "resnet version 2");
  EXPECT_EQ(options.watchdog->activity("GPU-b").suspect, "");
}

TEST(WarmUp, StopsAtABatchSizeThatFailsAndKeepsTheSmallerOnes) {
  const auto session = FakeSession::WithOneInput();
  session->JudgeRuns([](const std::vector<session::Tensor>& inputs) {
    return inputs[0].dims[0] > 2 ? Status(StatusCode::kMemory, "no memory") : Status::Ok();
  });
  const WarmUpReport report = WarmUp(*session, Batched(32));
  EXPECT_EQ(report.samples.size(), 6u);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_EQ(report.notes[0], "a batch of 4 rows failed in the warm-up: no memory");
}

TEST(WarmUp, BeginsNoNewSizeWhenItsTimeIsUp) {
  const auto session = FakeSession::WithOneInput();
  WarmUpOptions options = Batched(32);
  options.budget_ns = 0;
  const WarmUpReport report = WarmUp(*session, options);
  EXPECT_TRUE(report.samples.empty());
  EXPECT_EQ(report.notes.size(), 1u);
}

TEST(WarmUp, BeginsNoNewSizeThatWouldTakeTooMuchMemory) {
  const auto session = FakeSession::WithOneInput();  // 16 bytes a row, in and out
  WarmUpOptions options = Batched(32);
  options.budget_bytes = 4 * 2 * 16;
  const WarmUpReport report = WarmUp(*session, options);
  EXPECT_EQ(report.samples.size(), 9u);  // of 1, 2 and 4 rows
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_EQ(report.notes[0], "the warm-up ended for lack of memory after batches of 4 rows, 32 rows were wanted");
}

TEST(WarmUp, RunsAnUnbatchedModelOnly) {
  const auto session = FakeSession::WithOneInput(DataType::kFp32, {});
  WarmUpOptions options;
  options.max_batch_rows = 8;
  EXPECT_EQ(WarmUp(*session, options).samples.size(), 3u);
}

TEST(WarmUp, FindsRowsThatDoNotDependOnEachOther) {
  for (const DataType dtype : {DataType::kFp32, DataType::kInt64, DataType::kBytes}) {
    const WarmUpReport report = WarmUp(*FakeSession::WithOneInput(dtype, {-1, 4}), Checked());
    EXPECT_TRUE(report.rows_are_independent) << DataTypeName(dtype) << ": " << (report.notes.empty() ? "" : report.notes[0]);
  }
}

TEST(WarmUp, FindsARowThatChangesItsNeighbour) {
  const auto session = FakeSession::WithOneInput();
  session->AlterResults([](std::vector<session::Tensor>* results) {
    std::vector<float> values = FloatsOf(results->at(0));
    float sum = 0;
    for (const float value : values) sum += value;
    for (float& value : values) value /= sum;  // normalised over the whole batch
    results->at(0).bytes = OwnedSlice(FloatBytes(values));
  });
  const WarmUpReport report = WarmUp(*session, Checked());
  EXPECT_FALSE(report.rows_are_independent);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_EQ(report.notes[0],
            "rows cannot share a batch: output \"y\" of two rows run together differs from that of the same rows run apart");
  EXPECT_EQ(report.samples.size(), 6u) << "it is timed all the same";
}

// An input "x", one "o" that may be left out, and an output like x.
std::shared_ptr<FakeSession> WithAnOptionalInput() {
  session::Signature signature = FakeSession::WithOneInput()->signature();
  signature.inputs.push_back({"o", DataType::kFp32, {-1, -1}, {"", ""}, true});
  return std::make_shared<FakeSession>(std::move(signature));
}

TEST(WarmUp, TimesRunsWithoutOptionalInputsAndChecksRowsWithThemToo) {
  const auto session = WithAnOptionalInput();
  size_t with = 0;
  size_t without = 0;
  session->OnRun([&](const std::vector<session::Tensor>& inputs) { ++(inputs.at(1).left_out() ? without : with); });
  WarmUpOptions options = Checked();
  options.optional_inputs = {1};
  const WarmUpReport report = WarmUp(*session, options);
  EXPECT_TRUE(report.rows_are_independent);
  EXPECT_EQ(with, 3u) << "two rows together, and each apart";
  EXPECT_EQ(without, 1u + 3u + 6u) << "the first, those of the check, and three of each size";
}

TEST(WarmUp, FindsRowsThatDependOnEachOtherOnlyWhereAnOptionalInputIsGiven) {
  const auto session = WithAnOptionalInput();
  session->JudgeRuns([](const std::vector<session::Tensor>& inputs) {
    const bool mixes = !inputs.at(1).left_out() && inputs[0].dims[0] > 1;
    return mixes ? Status(StatusCode::kModelRun, "one row at a time") : Status::Ok();
  });
  WarmUpOptions options = Checked();
  options.optional_inputs = {1};
  const WarmUpReport report = WarmUp(*session, options);
  EXPECT_FALSE(report.rows_are_independent);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_EQ(report.notes[0],
            "rows cannot share a batch: with every optional input given, a batch of 2 rows failed: one row at a time");
  EXPECT_EQ(report.samples.size(), 6u) << "it is served all the same";
}

TEST(WarmUp, FindsAnOutputWithoutTheBatchDimension) {
  const auto session = FakeSession::WithOneInput();
  session->AlterResults([](std::vector<session::Tensor>* results) { results->at(0).dims = {1, 8}; });
  const WarmUpReport report = WarmUp(*session, Checked());
  EXPECT_FALSE(report.rows_are_independent);
  ASSERT_FALSE(report.notes.empty());
  EXPECT_NE(report.notes[0].find("found 1 rows"), std::string::npos) << report.notes[0];
}

WarmUpOptions CheckedWithPadding(float value) {
  WarmUpOptions options = Checked();
  options.ragged = std::make_shared<const Ragged>(Ragged{{{0, 1, FloatBytes({value})}}, {{0, {1}}}});
  options.outputs = {0};
  return options;
}

TEST(WarmUp, FindsRowsThatDoNotFeelWhatTheyArePaddedWith) {
  const auto session = FakeSession::WithOneInput(DataType::kFp32, {-1, -1});
  std::vector<std::vector<int64_t>> shapes;
  session->OnRun([&shapes](const std::vector<session::Tensor>& inputs) { shapes.push_back(inputs[0].dims); });
  const WarmUpReport report = WarmUp(*session, CheckedWithPadding(7));
  EXPECT_TRUE(report.rows_may_be_padded) << (report.notes.empty() ? "" : report.notes[0]);
  EXPECT_TRUE(report.notes.empty());
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{1, 5}, {1, 8}, {2, 8}}) {
    EXPECT_NE(std::find(shapes.begin(), shapes.end(), shape), shapes.end());
  }
}

TEST(WarmUp, FindsARowThatFeelsItsPadding) {
  const auto session = FakeSession::WithOneInput(DataType::kFp32, {-1, -1});
  session->AlterResults([](std::vector<session::Tensor>* results) {  // less the mean of its row
    std::vector<float> values = FloatsOf(results->at(0));
    const auto columns = static_cast<size_t>(results->at(0).dims[1]);
    for (size_t row = 0; row < values.size(); row += columns) {
      float sum = 0;
      for (size_t i = 0; i < columns; ++i) sum += values[row + i];
      for (size_t i = 0; i < columns; ++i) values[row + i] -= sum / static_cast<float>(columns);
    }
    results->at(0).bytes = OwnedSlice(FloatBytes(values));
  });
  const WarmUpReport report = WarmUp(*session, CheckedWithPadding(0));
  EXPECT_TRUE(report.rows_are_independent) << "of rows of one length";
  EXPECT_FALSE(report.rows_may_be_padded);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_EQ(report.notes[0],
            "rows of different length cannot share a batch: output \"y\" of a row padded to the longest of its batch differs from that of "
            "the same row alone");
}

TEST(WarmUp, ChecksThePaddingOfAnOptionalInputWhereItIsGiven) {
  const auto session = WithAnOptionalInput();
  std::vector<std::vector<int64_t>> shapes;
  session->OnRun([&shapes](const std::vector<session::Tensor>& inputs) { shapes.push_back(inputs.at(1).dims); });
  WarmUpOptions options = Checked();
  options.optional_inputs = {1};
  options.ragged = std::make_shared<const Ragged>(Ragged{{{1, 1, FloatBytes({0})}}, {}});
  options.outputs = {0};
  EXPECT_TRUE(WarmUp(*session, options).rows_may_be_padded);
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{1, 5}, {1, 8}, {2, 8}}) {
    EXPECT_NE(std::find(shapes.begin(), shapes.end(), shape), shapes.end());
  }
}

TEST(WarmUp, GrantsNoPaddingWhereNoOtherLengthCouldBeTried) {
  const auto session = FakeSession::WithOneInput(DataType::kFp32, {-1, -1});
  session->JudgeRuns([](const std::vector<session::Tensor>& inputs) {
    return inputs[0].dims[1] == 1 ? Status::Ok() : Status(StatusCode::kModelRun, "one column");
  });
  const WarmUpReport report = WarmUp(*session, CheckedWithPadding(0));
  EXPECT_TRUE(report.rows_are_independent);
  EXPECT_FALSE(report.rows_may_be_padded);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_EQ(report.notes[0], "rows of different length cannot share a batch: the model did not run on rows of 8");
}

TEST(WarmUp, RunsTwoLanesAtOnceAndScalesAllSizesByWhatItFinds) {
  const auto session = FakeSession::WithOneInput();
  session->JudgeRuns([](const std::vector<session::Tensor>&) {
    // Long enough that each lane runs once a round.
    std::this_thread::sleep_for(std::chrono::milliseconds(6));
    return Status::Ok();
  });
  WarmUpOptions options = Batched(2);
  options.try_two_lanes = true;
  const WarmUpReport report = WarmUp(*session, options);
  EXPECT_GE(session->threads().size(), 2u);
  EXPECT_EQ(session->started(), 1u + 6u + 5u + 10u) << "to find a size, two sizes, one lane, two lanes";
  EXPECT_GT(report.joint_speed, 0);
  ASSERT_EQ(report.samples.size(), 12u);
  for (size_t i = 0; i < 6; ++i) {
    const RunSample& alone = report.samples[i];
    const RunSample& beside = report.samples[i + 6];
    EXPECT_EQ(beside.busy, 2);
    EXPECT_EQ(beside.rows, alone.rows);
    EXPECT_NEAR(static_cast<double>(beside.ns), static_cast<double>(alone.ns) * 2 / report.joint_speed, 2);
  }
  EXPECT_EQ(report.notes.size(), 1u) << "the log says how fast";
}

TEST(JointSpeed, IsOneForLanesThatTakeTurnsAndTwoForThoseThatDoNotFeelEachOther) {
  EXPECT_DOUBLE_EQ(JointSpeed({10, 10, 10}, {20, 20, 20}), 1.0);
  EXPECT_DOUBLE_EQ(JointSpeed({10, 10, 10}, {10, 10, 10}), 2.0);
  EXPECT_DOUBLE_EQ(JointSpeed({10, 900, 9}, {25, 24, 700}), 0.75) << "of the shortest: slow runs change nothing";
}

}  // namespace
}  // namespace penstock::pipeline
