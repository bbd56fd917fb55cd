#include "serving/model_version.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "serving/test_model.h"

namespace penstock::serving {
namespace {

// The same version without a batch dimension.
VersionSpec Whole(VersionSpec spec) {
  spec.max_batch_size = 0;
  return spec;
}

// What Create says to a specification changed after the session was made for it.
Status CreateWith(const std::function<void(VersionSpec*)>& change) {
  VersionSpec spec = EchoSpec();
  const auto session = FakeFor(spec);
  change(&spec);
  return ModelVersion::Create(session, spec, nullptr).status();
}

TEST(ModelVersion, RefusesASpecThatDisagreesWithTheModelFile) {
  const std::vector<std::pair<std::function<void(VersionSpec*)>, std::string>> cases = {
      {[](VersionSpec* spec) { spec->inputs[0].name = "z"; }, "inputs[0].name: found \"z\""},
      {[](VersionSpec* spec) { spec->inputs.clear(); }, "inputs: missing input \"x\""},
      {[](VersionSpec* spec) { spec->inputs.push_back(spec->inputs[0]); }, "inputs[1].name: found \"x\" again"},
      {[](VersionSpec* spec) { spec->inputs[0].dtype = DataType::kInt8; }, "inputs[0].datatype: found INT8, the model file has FP32"},
      {[](VersionSpec* spec) { spec->inputs[0].dims = {2, 4}; }, "expected the batch dimension -1 first"},
      {[](VersionSpec* spec) { spec->inputs[0].dims = {}; }, "expected the batch dimension -1 first"},
      {[](VersionSpec* spec) { spec->inputs[0].dims = {-1, -2}; }, "inputs[0].dims: found [-1,-2]"},
      {[](VersionSpec* spec) { spec->inputs[0].optional = true; },
       "inputs[0].optional: found true, expected false, as the model file has no value for input \"x\""},
      {[](VersionSpec* spec) { spec->outputs[0].name = "z"; }, "outputs[0].name: found \"z\""},
      {[](VersionSpec* spec) { spec->outputs.clear(); }, "outputs: found none"},
      {[](VersionSpec* spec) { spec->max_batch_size = -1; }, "max_batch_size: found -1"},
      {[](VersionSpec* spec) { spec->pipeline.batching.lanes = 0; }, "lanes: found 0"},
      {[](VersionSpec* spec) { *spec = Whole(*spec), spec->pipeline.batching.merge = true; }, "batching: found batches to be merged"},
  };
  for (const auto& [change, part] : cases) {
    const Status status = CreateWith(change);
    EXPECT_EQ(status.code(), StatusCode::kModelConfig) << part;
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
}

// As EchoSpec, with rows of any length that are padded with zeros.
VersionSpec RaggedSpec() {
  VersionSpec spec = EchoSpec();
  spec.inputs[0].dims = spec.outputs[0].dims = {-1, -1};
  spec.padded_inputs = {{"x", 1, std::vector<uint8_t>(4)}};
  spec.cut_outputs = {{"y", {1}}};
  spec.pipeline.batching.merge = true;
  return spec;
}

TEST(ModelVersion, RefusesPaddingThatDoesNotFitItsTensors) {
  const std::vector<std::pair<std::function<void(VersionSpec*)>, std::string>> cases = {
      {[](VersionSpec* spec) { spec->padded_inputs[0].input = "z"; }, "padded_inputs[0].input: found \"z\""},
      {[](VersionSpec* spec) { spec->padded_inputs[0].dim = 0; }, "padded_inputs[0].dim: found 0, expected the only open dimension"},
      {[](VersionSpec* spec) { spec->padded_inputs[0].dim = 2; }, "padded_inputs[0].dim: found 2"},
      {[](VersionSpec* spec) { spec->inputs[0].dims = {-1, 4}; }, "padded_inputs[0].dim: found 1"},
      {[](VersionSpec* spec) { spec->inputs[0].dims = {-1, -1, -1}; }, "padded_inputs[0].dim: found 1"},
      {[](VersionSpec* spec) { spec->padded_inputs[0].value.pop_back(); }, "padded_inputs[0].value: found 3 bytes, expected one element"},
      {[](VersionSpec* spec) { spec->cut_outputs[0].output = "x"; }, "cut_outputs[0].output: found \"x\""},
      {[](VersionSpec* spec) { spec->cut_outputs[0].dims = {}; }, "cut_outputs[0].dims: found []"},
      {[](VersionSpec* spec) { spec->cut_outputs[0].dims = {0}; }, "cut_outputs[0].dims: found [0]"},
      {[](VersionSpec* spec) { spec->cut_outputs[0].dims = {2}; }, "cut_outputs[0].dims: found [2]"},
      {[](VersionSpec* spec) { *spec = Whole(*spec), spec->pipeline.batching.merge = false; }, "padded_inputs: found some"},
  };
  for (const auto& [change, part] : cases) {
    VersionSpec spec = RaggedSpec();
    change(&spec);
    const Status status = ModelVersion::Create(FakeFor(spec), spec, nullptr).status();
    EXPECT_EQ(status.code(), StatusCode::kModelConfig) << part;
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
}

TEST(ModelVersion, PadsWhereItIsToldThatRowsMayMeetAndOtherwiseWhereAPaddedRowAgreesWithItselfAlone) {
  VersionSpec spec = RaggedSpec();
  ASSERT_NE(MakeVersion(spec)->ragged(), nullptr);
  EXPECT_EQ(MakeVersion(spec)->ragged()->outputs[0].dims, (std::vector<size_t>{1}));
  EXPECT_TRUE(MakeVersion(spec)->inputs_to_match().empty());

  spec.warm_up = spec.merge_if_rows_are_independent = true;
  EXPECT_NE(MakeVersion(spec)->ragged(), nullptr);
  const auto session = FakeFor(spec);
  session->AlterResults([](std::vector<session::Tensor>* results) {
    if (results->at(0).dims == std::vector<int64_t>{1, 5}) results->at(0).dims = {1, 5, 1};
  });
  VersionReport report;
  const auto version = ModelVersion::Create(session, spec, &report).value();
  EXPECT_EQ(version->ragged(), nullptr);
  EXPECT_TRUE(report.merges) << "rows of one length";
  EXPECT_FALSE(report.pads);
  EXPECT_EQ(version->inputs_to_match(), (std::vector<size_t>{0}));
  EXPECT_EQ(report.notes.size(), 1u);

  spec.pipeline.batching.merge = spec.merge_if_rows_are_independent = false;
  EXPECT_EQ(MakeVersion(spec)->ragged(), nullptr) << "nothing shares a batch";
}

TEST(ModelVersion, PadsWhateverThatDoesToAnOutputThatNobodyCanAskFor) {
  VersionSpec spec = RaggedSpec();
  spec.warm_up = spec.merge_if_rows_are_independent = true;
  session::Signature signature = SignatureOf(spec);
  signature.outputs.push_back({"hidden", DataType::kFp32, {-1, -1}, {"", ""}});
  VersionReport report;
  ASSERT_TRUE(ModelVersion::Create(std::make_shared<session::FakeSession>(signature), spec, &report).ok());
  EXPECT_TRUE(report.pads) << (report.notes.empty() ? "" : report.notes[0]);
}

TEST(ModelVersion, MayHideOutputsOfTheModelFile) {
  VersionSpec spec = EchoSpec();
  session::Signature signature = SignatureOf(spec);
  signature.outputs.insert(signature.outputs.begin(), {"hidden", DataType::kFp32, {-1}, {""}});
  const auto version = ModelVersion::Create(std::make_shared<session::FakeSession>(signature), spec, nullptr);
  ASSERT_TRUE(version.ok()) << version.status().message();
  EXPECT_EQ(version.value()->session_output(0), 1u);
}

TEST(ModelVersion, MayHideOptionalInputsOfTheModelFileAndMayAskForThemAlways) {
  VersionSpec spec = EchoSpec();
  session::Signature signature = SignatureOf(spec);
  signature.inputs.push_back({"used", DataType::kFp32, {-1, 1}, {"", ""}, true});
  signature.inputs.push_back({"hidden", DataType::kFp32, {3}, {""}, true});
  const auto without = ModelVersion::Create(std::make_shared<session::FakeSession>(signature), spec, nullptr);
  ASSERT_TRUE(without.ok()) << without.status().message();
  EXPECT_EQ(without.value()->job_inputs(), 1u);
  spec.inputs.push_back({"used", DataType::kFp32, {-1, 1}});
  const auto with = ModelVersion::Create(std::make_shared<session::FakeSession>(signature), spec, nullptr);
  ASSERT_TRUE(with.ok()) << with.status().message();
  EXPECT_EQ(with.value()->job_inputs(), 2u);
  EXPECT_TRUE(with.value()->optional_inputs().empty());
}

// Rows that run together spoil each other: every output is the first row.
class MixingSession : public session::FakeSession {
 public:
  MixingSession() : FakeSession(SignatureOf(EchoSpec())) {}
  Status Run(const std::vector<session::Tensor>& inputs, const std::vector<size_t>& outputs, session::RunControl& control,
             std::vector<session::Tensor>* results) const override {
    PENSTOCK_RETURN_IF_ERROR(FakeSession::Run(inputs, outputs, control, results));
    for (session::Tensor& result : *results) {
      auto bytes = std::make_shared<std::string>();
      for (int64_t row = 0; row < result.dims[0]; ++row) bytes->append(reinterpret_cast<const char*>(result.bytes.data), 16);
      result.bytes = OwnedSlice(*bytes);
    }
    return Status::Ok();
  }
};

VersionSpec MergingSpec() {
  VersionSpec spec = EchoSpec();
  spec.pipeline.batching.merge = true;
  return spec;
}

// What Create reports of `spec` on `session`.
VersionReport ReportOf(VersionSpec spec, std::shared_ptr<const session::Session> session) {
  VersionReport report;
  const auto version = ModelVersion::Create(std::move(session), std::move(spec), &report);
  EXPECT_TRUE(version.ok()) << version.status().message();
  EXPECT_EQ(version.value()->spec().pipeline.batching.merge, report.merges) << "the report says what is done";
  EXPECT_EQ(version.value()->spec().pipeline.batching.lanes, report.lanes);
  return report;
}

TEST(ModelVersion, MergesWithoutAskingWhereItIsToldTo) {
  const auto session = FakeFor(EchoSpec());
  const VersionReport report = ReportOf(MergingSpec(), session);
  EXPECT_TRUE(report.merges);
  EXPECT_TRUE(report.notes.empty());
  EXPECT_EQ(session->started(), 0u) << "nobody asked for a warm-up";
}

TEST(ModelVersion, ToBeCheckedMergesWhereRowsAreIndependent) {
  VersionSpec spec = MergingSpec();
  spec.merge_if_rows_are_independent = spec.warm_up = true;
  EXPECT_TRUE(ReportOf(spec, FakeFor(spec)).merges);
}

TEST(ModelVersion, ToBeCheckedDoesNotMergeWhereRowsDependOnEachOtherAndSaysSo) {
  VersionSpec spec = MergingSpec();
  spec.merge_if_rows_are_independent = spec.warm_up = true;
  const VersionReport report = ReportOf(spec, std::make_shared<MixingSession>());
  EXPECT_FALSE(report.merges);
  ASSERT_FALSE(report.notes.empty());
  EXPECT_NE(report.notes.front().find("rows cannot share a batch"), std::string::npos) << report.notes.front();
}

TEST(ModelVersion, ToBeCheckedNeverMergesUnchecked) {
  VersionSpec spec = MergingSpec();
  spec.merge_if_rows_are_independent = true;
  EXPECT_FALSE(ReportOf(spec, FakeFor(spec)).merges);
}

bool Pads(VersionSpec spec, const std::shared_ptr<session::FakeSession>& session) {
  session->RunOnGpus({"GPU-0"});
  return ModelVersion::Create(session, std::move(spec), nullptr).value()->spec().pipeline.pad;
}

TEST(ModelVersion, PadsOnlyRowsThatMayHaveCompany) {
  VersionSpec merging = MergingSpec();
  EXPECT_TRUE(Pads(merging, FakeFor(merging))) << "whoever asks for batches says so";
  merging.merge_if_rows_are_independent = merging.warm_up = true;
  EXPECT_TRUE(Pads(merging, FakeFor(merging)));
  EXPECT_FALSE(Pads(merging, std::make_shared<MixingSession>()));
  VersionSpec alone = EchoSpec();
  EXPECT_FALSE(Pads(alone, FakeFor(alone))) << "nobody has looked";
  alone.warm_up = true;
  EXPECT_TRUE(Pads(alone, FakeFor(alone)));
  EXPECT_FALSE(Pads(alone, std::make_shared<MixingSession>()));
  VersionSpec unbatched = EchoSpec();
  unbatched.max_batch_size = 0;
  unbatched.warm_up = true;
  EXPECT_FALSE(Pads(unbatched, FakeFor(unbatched)));
}

TEST(ModelVersion, FillsInWhatTheWarmUpHasMeasured) {
  VersionSpec spec = EchoSpec();
  spec.warm_up = true;
  const auto version = ModelVersion::Create(FakeFor(spec), spec, nullptr).value();
  EXPECT_FALSE(version->spec().pipeline.run_samples.empty());
  EXPECT_EQ(version->spec().pipeline.batching.max_batch_rows, 8);
}

TEST(ModelVersion, HasItsMemoryMeasuredOnceWithLanesAndWarmUpDone) {
  VersionSpec spec = EchoSpec();
  spec.warm_up = true;
  const auto session = FakeFor(spec);
  const auto version = ModelVersion::Create(session, spec, nullptr).value();
  EXPECT_EQ(session->memory_measurements(), 1u);
  EXPECT_EQ(version->spec().pipeline.model, "echo version 1");
}

TEST(ModelVersion, AsksForLanesThatMayCostMemoryAndSaysWhatTheSessionNotes) {
  VersionSpec spec = EchoSpec();
  spec.warm_up = true;
  spec.pipeline.batching.lanes = 1;
  const auto session = FakeFor(spec);
  session->Note("a lane goes without");
  VersionReport report;
  const auto version = ModelVersion::Create(session, spec, &report).value();
  EXPECT_EQ(session->lane_controls(), 2u) << "the warm-up's, which is timed, and the lane's";
  EXPECT_EQ(report.notes.back(), "a lane goes without");
}

TEST(ModelVersion, TellsOnceWhatItsSessionNotesLater) {
  const auto session = FakeFor(EchoSpec());
  session->Note("at load");
  VersionReport report;
  const auto version = ModelVersion::Create(session, EchoSpec(), &report).value();
  EXPECT_EQ(report.notes, std::vector<std::string>{"at load"});
  EXPECT_TRUE(version->TakeNotes().empty());
  session->Note("while serving");
  EXPECT_EQ(version->TakeNotes(), std::vector<std::string>{"while serving"});
  EXPECT_TRUE(version->TakeNotes().empty());
}

TEST(ModelVersion, SaysWhyItHasNoCanary) {
  VersionSpec spec = EchoSpec();
  spec.warm_up = spec.canary = true;
  const auto session = FakeFor(spec);
  session->RunOnGpus({"GPU-0"});
  uint8_t run = 0;
  session->AlterResults([&run](std::vector<session::Tensor>* results) { const_cast<uint8_t*>((*results)[0].bytes.data)[0] = run++; });
  const VersionReport report = ReportOf(spec, session);
  ASSERT_FALSE(report.notes.empty());
  EXPECT_EQ(report.notes.back().rfind("its answers cannot be checked at intervals: ", 0), 0u) << report.notes.back();
}

// Runs twenty times as long on any other thread than the one that made it: a second lane cannot pay, however busy the machine is.
class OneThreadSession : public session::FakeSession {
 public:
  OneThreadSession() : FakeSession(SignatureOf(EchoSpec())) {}
  Status Run(const std::vector<session::Tensor>& inputs, const std::vector<size_t>& outputs, session::RunControl& control,
             std::vector<session::Tensor>* results) const override {
    std::this_thread::sleep_for(std::chrono::milliseconds(std::this_thread::get_id() == maker_ ? 1 : 20));
    return FakeSession::Run(inputs, outputs, control, results);
  }

 private:
  const std::thread::id maker_ = std::this_thread::get_id();
};

TEST(ModelVersion, KeepsOneLaneWhereASecondOneDoesNotPay) {
  VersionSpec spec = EchoSpec();
  spec.pipeline.batching.lanes = 2;
  spec.lanes_if_faster = spec.warm_up = true;
  const VersionReport report = ReportOf(spec, std::make_shared<OneThreadSession>());
  EXPECT_EQ(report.lanes, 1);
  ASSERT_FALSE(report.notes.empty());
  EXPECT_EQ(report.notes.back().rfind("one lane runs;", 0), 0u) << report.notes.back();
}

TEST(ModelVersion, KeepsConfiguredLanesThatDoNotPayAndSaysSo) {
  VersionSpec spec = EchoSpec();
  spec.pipeline.batching.lanes = 3;
  spec.warm_up = true;
  const VersionReport report = ReportOf(spec, std::make_shared<OneThreadSession>());
  EXPECT_EQ(report.lanes, 3);
  ASSERT_FALSE(report.notes.empty());
  EXPECT_EQ(report.notes.back().rfind("3 lanes run as configured, although ", 0), 0u) << report.notes.back();
}

TEST(ModelVersion, KeepsOneLaneWhereNothingWasMeasured) {
  VersionSpec spec = EchoSpec();
  spec.pipeline.batching.lanes = 2;
  spec.lanes_if_faster = true;
  EXPECT_EQ(ReportOf(spec, FakeFor(spec)).lanes, 1);
}

}  // namespace
}  // namespace penstock::serving
