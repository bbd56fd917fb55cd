#include <atomic>
#include <chrono>
#include <thread>

#include "session/ort_test_fixture.h"

namespace penstock::session {
namespace {

class OrtSessionTest : public OrtTest {
 protected:
  static Status OpenStatus(const std::string& path) { return OpenOrtSession({path, 0}).status(); }

  static Tensor Iterations(int64_t count) { return MakeTensor(DataType::kInt64, {1}, BytesOf(std::vector<int64_t>{count})); }
};

TEST_F(OrtSessionTest, ReadsWhatTheModelDeclares) {
  const std::string identity = Field(1, std::string("x")) + Field(2, std::string("y")) + Field(4, std::string("Identity"));
  const std::string custom = Field(1, std::string("owner")) + Field(2, std::string("team A"));
  const std::string bytes =
      ModelBytes(Field(1, identity) + Field(11, TensorInfo("x", 7)) + Field(12, TensorInfo("y", 7)),
                 Field(2, std::string("maker")) + Field(4, std::string("org.example")) + Field(5, uint64_t{12}) +
                     Field(6, std::string("says what comes in")) + Field(14, custom));
  const std::shared_ptr<Session> session = Open(WriteModel(bytes));
  ASSERT_NE(session, nullptr);
  const Signature& signature = session->signature();
  ASSERT_EQ(signature.inputs.size(), 1u);
  EXPECT_EQ(signature.inputs[0].name, "x");
  EXPECT_EQ(signature.inputs[0].dtype, DataType::kInt64);
  EXPECT_EQ(signature.inputs[0].dims, (std::vector<int64_t>{-1, 3}));
  EXPECT_EQ(signature.inputs[0].symbolic_dims, (std::vector<std::string>{"rows", ""}));
  ASSERT_EQ(signature.outputs.size(), 1u);
  EXPECT_EQ(signature.outputs[0].name, "y");
  const std::map<std::string, std::string> expected = {{"producer_name", "maker"},
                                                       {"graph_name", "graph of a test"},
                                                       {"domain", "org.example"},
                                                       {"description", "says what comes in"},
                                                       {"version", "12"},
                                                       {"owner", "team A"}};
  EXPECT_EQ(signature.metadata, expected);
}

TEST_F(OrtSessionTest, RefusesTypesThatTheProtocolLacks) {
  constexpr int kFloat8 = 17;
  const Status status =
      OpenStatus(WriteModel(ModelBytes(Field(11, TensorInfo("eighth", kFloat8)) + Field(12, TensorInfo("eighth", kFloat8)))));
  EXPECT_EQ(status.code(), StatusCode::kModelLoad);
  EXPECT_EQ(status.message().find("input 'eighth' is a tensor of float8e4m3fn"), 0u) << status.message();
}

TEST_F(OrtSessionTest, RefusesBrokenFilesWithoutTellingWhereTheyLie) {
  const std::string missing = (folder_ / "model.onnx").string();
  for (const std::string& path : {FixtureModel("bad_models/not_onnx"), FixtureModel("bad_models/truncated"), missing}) {
    const Status status = OpenStatus(path);
    EXPECT_EQ(status.code(), StatusCode::kModelLoad);
    EXPECT_NE(status.message().find("model.onnx"), std::string::npos) << status.message();
    EXPECT_EQ(status.message().find('/'), std::string::npos) << status.message();
  }
}

TEST_F(OrtSessionTest, LoadsWeightsFromTheFileBesideTheModel) {
  const std::shared_ptr<Session> session = Open(FixtureModel("external"));
  std::vector<float> one_hot(160, 0.0F);
  one_hot[2] = 1.0F;
  std::vector<Tensor> results;
  ASSERT_TRUE(Run(*session, {Floats({1, 160}, one_hot)}, &results).ok());
  std::vector<float> row;
  for (int j = 0; j < 160; ++j) row.push_back(static_cast<float>((2 + 3 * j) % 17 - 8) / 8);
  EXPECT_EQ(BytesOf(results[0]), BytesOf(row));
}

TEST_F(OrtSessionTest, ReturnsShapesThatOnlyTheRunKnows) {
  const std::shared_ptr<Session> session = Open(FixtureModel("nonzero"));
  std::vector<Tensor> results;
  ASSERT_TRUE(Run(*session, {Floats({2, 2}, {0, 5, 7, 0})}, &results).ok());
  EXPECT_EQ(results[0].dims, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<int64_t>{0, 1, 1, 0}));
  ASSERT_TRUE(Run(*session, {Floats({2, 2}, {0, 0, 0, 0})}, &results).ok());
  EXPECT_EQ(results[0].dims, (std::vector<int64_t>{2, 0}));
}

TEST_F(OrtSessionTest, RunsOnlyTheOutputsAskedFor) {
  const std::shared_ptr<Session> session = Open(FixtureModel("identity_fixed"), 2);
  std::vector<Tensor> results(3);
  ASSERT_TRUE(session->Run({Floats({2, 3}, {1, 2, 3, 4, 5, 6})}, {0}, *session->NewRunControl(), &results).ok());
  EXPECT_EQ(results.size(), 1u);
}

TEST_F(OrtSessionTest, FailsARunWithTheReasonAndRunsAgain) {
  const std::shared_ptr<Session> session = Open(FixtureModel("fails_at_run"));
  std::vector<Tensor> results;
  const Status failed = Run(*session, {MakeTensor(DataType::kInt64, {1, 1}, BytesOf(std::vector<int64_t>{9}))}, &results);
  EXPECT_EQ(failed.code(), StatusCode::kModelRun);
  EXPECT_NE(failed.message().find("idx=9"), std::string::npos) << failed.message();
  ASSERT_TRUE(Run(*session, {MakeTensor(DataType::kInt64, {1, 1}, BytesOf(std::vector<int64_t>{3}))}, &results).ok());
  EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{30}));
}

TEST_F(OrtSessionTest, FailsARunWhoseOutputNoMachineCanHold) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer ends the process where operator new would throw";
#endif
  const std::shared_ptr<Session> session = Open(FixtureModel("big_out"));
  std::vector<Tensor> results;
  EXPECT_EQ(Run(*session, {Iterations(int64_t{1} << 50)}, &results).code(), StatusCode::kMemory);
  ASSERT_TRUE(Run(*session, {Iterations(5)}, &results).ok());
  EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>(5, 1.0F)));
}

TEST_F(OrtSessionTest, ServesTwoThreadsAtOnce) {
  const std::shared_ptr<Session> session = Open(FixtureModel("two_in_one_out"));
  const auto lane = [&](float value) {
    for (int i = 0; i < 500; ++i) {
      std::vector<Tensor> results;
      const Status status = Run(*session, {Floats({1, 1}, {value}), Floats({1, 2}, {value + 1, value + 2})}, &results);
      ASSERT_TRUE(status.ok()) << status.message();
      ASSERT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{value, value + 1, value + 2}));
    }
  };
  std::thread other(lane, 10.0F);
  lane(20.0F);
  other.join();
}

TEST_F(OrtSessionTest, StopsARunFromAnotherThread) {
  const std::shared_ptr<Session> session = Open(FixtureModel("slow"));
  const std::unique_ptr<RunControl> control = session->NewRunControl();
  const Tensor x = Floats({1, 64, 64}, std::vector<float>(64 * 64, 1.0F));
  std::vector<Tensor> results;
  std::atomic<bool> ended{false};
  Status status;
  std::thread lane([&] {
    status = session->Run({Iterations(1 << 30), x}, {0}, *control, &results);
    ended = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_FALSE(ended);
  const auto start = std::chrono::steady_clock::now();
  control->Terminate();
  lane.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
  EXPECT_EQ(status.code(), StatusCode::kRequestCancelled);

  // Still stopped until it is reset, then as good as new.
  EXPECT_EQ(session->Run({Iterations(1), x}, {0}, *control, &results).code(), StatusCode::kRequestCancelled);
  control->Reset();
  const Status again = session->Run({Iterations(1), x}, {0}, *control, &results);
  EXPECT_TRUE(again.ok()) << again.message();
}

TEST_F(OrtSessionTest, StopsOnlyTheRunsOfItsControl) {
  const std::shared_ptr<Session> session = Open(FixtureModel("scalar"));
  session->NewRunControl()->Terminate();
  std::vector<Tensor> results;
  EXPECT_TRUE(Run(*session, {Floats({}, {1})}, &results).ok());
}

TEST_F(OrtSessionTest, RefusesARunWithAWrongNumberOfInputs) {
  const std::shared_ptr<Session> session = Open(FixtureModel("scalar"));
  std::vector<Tensor> results;
  EXPECT_EQ(Run(*session, {}, &results).code(), StatusCode::kInternal);
  EXPECT_EQ(Run(*session, {Tensor{}}, &results).code(), StatusCode::kInternal) << "left out";
  EXPECT_EQ(Run(*session, {Floats({}, {1}), Floats({}, {1})}, &results).code(), StatusCode::kInternal);
}

}  // namespace
}  // namespace penstock::session
