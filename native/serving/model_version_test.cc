#include "serving/model_version.h"

#include <gtest/gtest.h>

#include <functional>

#include "serving/test_model.h"

namespace penstock::serving {
namespace {

// What Create says to a specification changed after the session was made for it.
Status CreateWith(const std::function<void(VersionSpec*)>& change) {
  VersionSpec spec = EchoSpec();
  const auto session = FakeFor(spec);
  change(&spec);
  return ModelVersion::Create(session, spec).status();
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
      {[](VersionSpec* spec) { spec->outputs[0].name = "z"; }, "outputs[0].name: found \"z\""},
      {[](VersionSpec* spec) { spec->outputs.clear(); }, "outputs: found none"},
      {[](VersionSpec* spec) { spec->max_batch_size = -1; }, "max_batch_size: found -1"},
      {[](VersionSpec* spec) { spec->pipeline.lanes = 0; }, "lanes: found 0"},
  };
  for (const auto& [change, part] : cases) {
    const Status status = CreateWith(change);
    EXPECT_EQ(status.code(), StatusCode::kModelConfig) << part;
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
}

TEST(ModelVersion, MayHideOutputsOfTheModelFile) {
  VersionSpec spec = EchoSpec();
  session::Signature signature = SignatureOf(spec);
  signature.outputs.insert(signature.outputs.begin(), {"hidden", DataType::kFp32, {-1}, {""}});
  const auto version = ModelVersion::Create(std::make_shared<session::FakeSession>(signature), spec);
  ASSERT_TRUE(version.ok()) << version.status().message();
  EXPECT_EQ(version.value()->session_output(0), 1u);
}

}  // namespace
}  // namespace penstock::serving
