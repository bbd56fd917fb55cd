#include "session/converting_session.h"

#include "device/test_driver.h"
#include "session/ort_test_fixture.h"

namespace penstock::session {
namespace {

class ConvertingSessionTest : public OrtTest {
 protected:
  // Bytes of pictures, to floats: each of two channels of three elements has its scale and offset.
  static NamedConversion FromBytes(const std::string& input) {
    return {input, {DataType::kUint8, {2.0F, 0.5F}, {-1.0F, 10.0F}, 3}};
  }
  static SessionOptions Options(const std::string& model, std::vector<NamedConversion> conversions) {
    SessionOptions options;
    options.model_path = FixtureModel(model);
    options.conversions = std::move(conversions);
    return options;
  }
};

TEST_F(ConvertingSessionTest, ShowsAndTakesTheTypeThatClientsSend) {
  const device::FakeDriver driver;
  for (const bool on_gpu : {false, true}) {
    SessionOptions options = Options("identity_fp32", {FromBytes("INPUT0")});
    if (on_gpu) options.gpus = {driver.First()};
    const std::shared_ptr<Session> session = OpenOrtSession(options).value();
    EXPECT_EQ(session->signature().inputs[0].dtype, DataType::kUint8);
    EXPECT_EQ(session->signature().outputs[0].dtype, DataType::kFp32);
    EXPECT_EQ(session->gpus().size(), on_gpu ? 1u : 0u);
    std::vector<Tensor> results;
    const Tensor bytes = MakeTensor(DataType::kUint8, {2, 6}, std::string("\0\1\2\0\1\2\xFF\3\4\xFF\3\4", 12));
    ASSERT_TRUE(Run(*session, {bytes}, &results).ok());
    EXPECT_EQ(results[0].dims, (std::vector<int64_t>{2, 6}));
    EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{-1, 1, 3, 10, 10.5, 11, 509, 5, 7, 137.5, 11.5, 12}));
  }
}

TEST_F(ConvertingSessionTest, LeavesOtherInputsAlone) {
  const std::shared_ptr<Session> plain = Open(FixtureModel("two_in_one_out"));
  const std::string second = plain->signature().inputs[1].name;
  const std::shared_ptr<Session> session =
      OpenOrtSession(Options("two_in_one_out", {{second, {DataType::kUint8, {1.0F}, {0.0F}, 1}}})).value();
  EXPECT_EQ(session->signature().inputs[0].dtype, DataType::kFp32);
  std::vector<Tensor> results;
  ASSERT_TRUE(Run(*session, {Floats({1, 1}, {0.5F}), MakeTensor(DataType::kUint8, {1, 2}, "\7\x9")}, &results).ok());
  EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{0.5F, 7, 9}));
}

TEST_F(ConvertingSessionTest, RefusesConversionsThatCannotBe) {
  const auto refusal = [](const std::string& model, std::vector<NamedConversion> conversions) {
    const Status status = OpenOrtSession(Options(model, std::move(conversions))).status();
    EXPECT_EQ(status.code(), StatusCode::kModelConfig);
    return status.message();
  };
  EXPECT_EQ(refusal("identity_fp32", {FromBytes("INPUT7")}), "conversion of input 'INPUT7': the model has no such input");
  EXPECT_EQ(refusal("identity_fp32", {FromBytes("INPUT0"), FromBytes("INPUT0")}), "conversion of input 'INPUT0': found twice");
  EXPECT_EQ(refusal("identity_int64", {FromBytes("INPUT0")}), "conversion of input 'INPUT0': the model wants INT64, expected FP32");
  NamedConversion uneven = FromBytes("INPUT0");
  uneven.conversion.offset.pop_back();
  EXPECT_EQ(refusal("identity_fp32", {uneven}).find("conversion of input 'INPUT0': "), 0u);
}

}  // namespace
}  // namespace penstock::session
