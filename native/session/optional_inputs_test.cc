#include "device/test_driver.h"
#include "session/converting_session.h"
#include "session/ort_test_fixture.h"

namespace penstock::session {
namespace {

class OptionalInputsTest : public OrtTest {
 protected:
  std::shared_ptr<Session> OpenScaled(bool on_gpu = false) const {
    SessionOptions options;
    options.model_path = FixtureModel("optional_models/scaled");
    options.cuda.kernel_image = "image";
    if (on_gpu) options.gpus = {driver_.First()};
    return OpenOrtSession(options).value();
  }

  const device::FakeDriver driver_;
};

TEST_F(OptionalInputsTest, AreThoseWithAValueInTheFileAndFollowTheRequired) {
  const std::shared_ptr<Session> session = OpenScaled();
  ASSERT_NE(session, nullptr);
  const std::vector<TensorSpec>& inputs = session->signature().inputs;
  ASSERT_EQ(inputs.size(), 3u);
  EXPECT_EQ(inputs[0].name, "x");
  EXPECT_FALSE(inputs[0].optional);
  EXPECT_EQ(inputs[1].name, "scale");
  EXPECT_EQ(inputs[1].dtype, DataType::kFp32);
  EXPECT_EQ(inputs[1].dims, (std::vector<int64_t>{-1, 1}));
  EXPECT_TRUE(inputs[1].optional);
  EXPECT_EQ(inputs[2].name, "turns");
  EXPECT_TRUE(inputs[2].optional);
}

TEST_F(OptionalInputsTest, AreNotThoseOfTypesThatNoClientCanSend) {
  constexpr uint64_t kFloat8 = 17;
  const std::string identity = Field(1, std::string("x")) + Field(2, std::string("y")) + Field(4, std::string("Identity"));
  const std::string cast = Field(1, std::string("eighth")) + Field(2, std::string("z")) + Field(4, std::string("Cast")) +
                           Field(5, Field(1, std::string("to")) + Field(3, uint64_t{1}) + Field(20, uint64_t{2}));
  const std::string weights = Field(1, uint64_t{1}) + Field(1, uint64_t{3}) + Field(2, kFloat8) + Field(8, std::string("eighth")) +
                              Field(9, std::string("\x38\x40\x38", 3));
  const std::string graph = Field(1, identity) + Field(1, cast) + Field(5, weights) + Field(11, TensorInfo("x", 1)) +
                            Field(11, TensorInfo("eighth", kFloat8)) + Field(12, TensorInfo("y", 1)) + Field(12, TensorInfo("z", 1));
  const std::shared_ptr<Session> session = Open(WriteModel(ModelBytes(graph)));
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->signature().inputs.size(), 1u);
  std::vector<Tensor> results;
  const Status status = Run(*session, {Floats({1, 3}, {1, 2, 3})}, &results);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(BytesOf(results[1]), BytesOf(std::vector<float>{1, 2, 1}));
}

// What a run gets, and what it gives.
struct Case {
  std::vector<Tensor> inputs;
  std::vector<float> expected;
};

TEST_F(OptionalInputsTest, HaveTheFilesValuesWhereTheyAreLeftOut) {
  const Tensor x = Floats({2, 2}, {1, 2, 3, 4});
  const Tensor scale = Floats({2, 1}, {10, -1});
  const Tensor turns = MakeTensor(DataType::kInt64, {2, 1}, BytesOf(std::vector<int64_t>{0, 1}));
  const std::vector<float> by_default = {3, 6, 9, 12};
  const std::vector<float> as_asked = {10, 20, -3, -4};
  const Case cases[] = {{{x}, by_default},            {{x, scale}, as_asked},        {{x, {}, {}}, by_default},
                        {{x, {}, turns}, by_default}, {{x, scale, turns}, as_asked}, {{x, scale, {}}, as_asked}};
  for (const bool on_gpu : {false, true}) {
    const FakeOrt ort;
    const std::shared_ptr<Session> session = OpenScaled(on_gpu);
    const std::unique_ptr<RunControl> control = session->NewRunControl();
    uint64_t given = 0;
    for (const Case& one : cases) {
      std::vector<Tensor> results;
      const Status status = session->Run(one.inputs, {0}, *control, &results);
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(BytesOf(results[0]), BytesOf(one.expected)) << "whatever the lane has run before";
      for (const Tensor& input : one.inputs) given += input.left_out() ? 0 : 1;
    }
    EXPECT_EQ(ort.Calls("BindInput"), on_gpu ? given : 0);
  }
}

TEST_F(OptionalInputsTest, AreConvertedWhereTheyAreGiven) {
  for (const bool on_gpu : {false, true}) {
    const auto converting = WithConversions(OpenScaled(on_gpu), {{"scale", {DataType::kUint8, {2.0F}, {-1.0F}, 1}}});
    ASSERT_TRUE(converting.ok()) << converting.status().message();
    const Tensor x = Floats({2, 1}, {1, 2});
    const Case cases[] = {
        {{x}, {3, 6}}, {{x, MakeTensor(DataType::kUint8, {2, 1}, "\3\4"), {}}, {5, 14}}, {{x, {}, {}}, {3, 6}}};
    for (const Case& one : cases) {
      std::vector<Tensor> results;
      ASSERT_TRUE(Run(*converting.value(), one.inputs, &results).ok());
      EXPECT_EQ(BytesOf(results[0]), BytesOf(one.expected));
    }
  }
}

}  // namespace
}  // namespace penstock::session
