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
  static Result<std::shared_ptr<Session>> Converting(const std::string& model, const std::vector<NamedConversion>& conversions,
                                                     std::vector<std::shared_ptr<device::Gpu>> gpus = {}, const void* kernels = nullptr) {
    SessionOptions options;
    options.model_path = FixtureModel(model);
    options.gpus = std::move(gpus);
    options.cuda.kernel_image = kernels;
    return WithConversions(OpenOrtSession(options).value(), conversions);
  }
};

TEST_F(ConvertingSessionTest, ShowsAndTakesTheTypeThatClientsSend) {
  const device::FakeDriver driver;
  for (const bool on_gpu : {false, true}) {
    std::vector<std::shared_ptr<device::Gpu>> gpus;
    if (on_gpu) gpus.push_back(driver.First());
    const std::shared_ptr<Session> session = Converting("identity_fp32", {FromBytes("INPUT0")}, gpus).value();
    EXPECT_EQ(session->signature().inputs[0].dtype, DataType::kUint8);
    EXPECT_EQ(session->signature().outputs[0].dtype, DataType::kFp32);
    EXPECT_EQ(session->gpus().size(), gpus.size());
    std::vector<Tensor> results;
    const Tensor bytes = MakeTensor(DataType::kUint8, {2, 6}, std::string("\0\1\2\0\1\2\xFF\3\4\xFF\3\4", 12));
    ASSERT_TRUE(Run(*session, {bytes}, &results).ok());
    EXPECT_EQ(results[0].dims, (std::vector<int64_t>{2, 6}));
    EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{-1, 1, 3, 10, 10.5, 11, 509, 5, 7, 137.5, 11.5, 12}));
  }
}

// Bytes of every value, over three channels of two elements.
TEST_F(ConvertingSessionTest, ConvertsOnTheGpuToTheBitsOfTheCpu) {
  device::FakeDriver driver;
  for (const DataType from : {DataType::kUint8, DataType::kFp16, DataType::kFp32}) {
    const NamedConversion conversion{"INPUT0", {from, {0.0171F, -0.3F, 1e30F}, {-2.11F, 0.1F, 3}, 2}};
    std::string bytes;
    for (size_t i = 0; i < 16 * 6 * DataTypeSize(from); ++i) bytes += static_cast<char>(i * 37);
    const Tensor input = MakeTensor(from, {16, 6}, bytes);
    std::vector<Tensor> expected;
    ASSERT_TRUE(Run(*Converting("identity_fp32", {conversion}).value(), {input}, &expected).ok());

    driver.Say("");
    const std::shared_ptr<Session> session = Converting("identity_fp32", {conversion}, {driver.First()}, "image").value();
    EXPECT_EQ(session->signature().inputs[0].dtype, from);
    const std::unique_ptr<RunControl> control = session->NewRunControl();
    for (const int64_t rows : {1, 16, 3}) {
      const std::string part = bytes.substr(0, static_cast<size_t>(rows) * 6 * DataTypeSize(from));
      std::vector<Tensor> results;
      const Status status = session->Run({MakeTensor(from, {rows, 6}, part)}, {0}, *control, &results);
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(BytesOf(results[0]), BytesOf(expected[0]).substr(0, static_cast<size_t>(rows) * 6 * sizeof(float)));
    }
    EXPECT_EQ(driver.Calls("cuLaunchKernel"), 3u);
    std::vector<Tensor> results;
    ASSERT_TRUE(session->Run({MakeTensor(from, {0, 6}, "")}, {0}, *control, &results).ok());
    EXPECT_EQ(results[0].dtype, DataType::kFp32);
  }
}

TEST_F(ConvertingSessionTest, CarriesOneConversionToEveryGpuAndLeavesOtherInputsAsTheyCome) {
  device::FakeDriver driver("gpus 2");
  const std::string second = Open(FixtureModel("two_in_one_out"))->signature().inputs[1].name;
  const std::vector<NamedConversion> conversions = {{second, {DataType::kUint8, {2.0F}, {1.0F}, 1}}};
  const std::vector<std::shared_ptr<device::Gpu>> gpus = device::FindGpus(device::FakeDriver::Options()).list;
  ASSERT_EQ(gpus.size(), 2u);
  const std::shared_ptr<Session> session = Converting("two_in_one_out", conversions, gpus, "image").value();
  EXPECT_EQ(session->gpus().size(), 2u);
  for (int lane = 0; lane < 2; ++lane) {
    std::vector<Tensor> results;
    ASSERT_TRUE(Run(*session, {Floats({1, 1}, {0.5F}), MakeTensor(DataType::kUint8, {1, 2}, "\7\x9")}, &results).ok());
    EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{0.5F, 15, 19}));
  }
  EXPECT_EQ(driver.Calls("cuLaunchKernel"), 2u);
}

TEST_F(ConvertingSessionTest, ConvertsOnTheCpuWhereTheDriverRefusesTheKernels) {
  device::FakeDriver driver("fail cuModuleLoadData 209");
  const std::shared_ptr<Session> session = Converting("identity_fp32", {FromBytes("INPUT0")}, {driver.First()}, "image").value();
  std::vector<Tensor> results;
  ASSERT_TRUE(Run(*session, {MakeTensor(DataType::kUint8, {1, 6}, std::string("\0\1\2\0\1\2", 6))}, &results).ok());
  EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{-1, 1, 3, 10, 10.5, 11}));
  EXPECT_EQ(driver.Calls("cuLaunchKernel"), 0u);
}

TEST_F(ConvertingSessionTest, SaysWhyTheTablesCannotBePutOnTheGpu) {
  device::FakeDriver driver;
  const std::shared_ptr<device::Gpu> gpu = driver.First();
  SessionOptions options;
  options.model_path = FixtureModel("identity_fp32");
  options.gpus = {gpu};
  options.cuda.kernel_image = "image";
  const std::shared_ptr<Session> session = OpenOrtSession(options).value();
  driver.Say("fail cuMemAlloc_v2 2");
  EXPECT_EQ(WithConversions(session, {FromBytes("INPUT0")}).status().code(), StatusCode::kGpuMemory);
}

TEST_F(ConvertingSessionTest, LeavesOtherInputsAlone) {
  const std::shared_ptr<Session> plain = Open(FixtureModel("two_in_one_out"));
  const std::string second = plain->signature().inputs[1].name;
  const std::shared_ptr<Session> session =
      Converting("two_in_one_out", {{second, {DataType::kUint8, {1.0F}, {0.0F}, 1}}}).value();
  EXPECT_EQ(session->signature().inputs[0].dtype, DataType::kFp32);
  std::vector<Tensor> results;
  ASSERT_TRUE(Run(*session, {Floats({1, 1}, {0.5F}), MakeTensor(DataType::kUint8, {1, 2}, "\7\x9")}, &results).ok());
  EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{0.5F, 7, 9}));
}

TEST_F(ConvertingSessionTest, RefusesConversionsThatCannotBe) {
  const auto refusal = [](const std::string& model, const std::vector<NamedConversion>& conversions) {
    const Status status = Converting(model, conversions).status();
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
