#include "session/ort_tensor.h"

#include "memory/block.h"
#include "session/ort_test_fixture.h"

namespace penstock::session {
namespace {

std::string Framed(const std::vector<std::string>& texts) {
  std::string bytes;
  for (const std::string& text : texts) {
    const auto length = static_cast<uint32_t>(text.size());
    bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
    bytes += text;
  }
  return bytes;
}

class OrtTensorTest : public OrtTest {
 protected:
  static Tensor Identity(const std::string& model, const Tensor& input) {
    const std::shared_ptr<Session> session = Open(FixtureModel(model));
    if (session == nullptr) return {};
    EXPECT_EQ(session->signature().inputs[0].dtype, input.dtype);
    std::vector<Tensor> results;
    const Status status = Run(*session, {input}, &results);
    EXPECT_TRUE(status.ok()) << status.message();
    return results.empty() ? Tensor{} : results[0];
  }
};

TEST_F(OrtTensorTest, CarriesEveryDtypeBitForBit) {
  const std::pair<const char*, DataType> cases[] = {
      {"bool", DataType::kBool},     {"uint8", DataType::kUint8}, {"uint16", DataType::kUint16}, {"uint32", DataType::kUint32},
      {"uint64", DataType::kUint64}, {"int8", DataType::kInt8},   {"int16", DataType::kInt16},   {"int32", DataType::kInt32},
      {"int64", DataType::kInt64},   {"fp16", DataType::kFp16},   {"bf16", DataType::kBf16},     {"fp32", DataType::kFp32},
      {"fp64", DataType::kFp64},
  };
  for (const auto& [name, dtype] : cases) {
    SCOPED_TRACE(name);
    std::string bytes;
    // Ends of the range, NaNs and infinities are among these patterns; BOOL knows only 0 and 1.
    const size_t size = 6 * DataTypeSize(dtype);
    for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(dtype == DataType::kBool ? i % 2 : (i % 5 == 0 ? 0xFF : 0x7F - 13 * i));
    const Tensor output = Identity(std::string("identity_") + name, MakeTensor(dtype, {2, 3}, bytes));
    EXPECT_EQ(output.dtype, dtype);
    EXPECT_EQ(output.dims, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(BytesOf(output), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(output.bytes.data) % memory::BlockPool::kAlignment, 0u);
  }
}

TEST_F(OrtTensorTest, CarriesStringsWithNulAndEmptyOnes) {
  const std::string bytes = Framed({"", std::string("a\0b", 3), "", "\xF0\x9F\x9A\xB0 water", std::string(70000, 'x'), ""});
  const Tensor output = Identity("identity_string", MakeTensor(DataType::kBytes, {3, 2}, bytes));
  EXPECT_EQ(output.dtype, DataType::kBytes);
  EXPECT_EQ(output.dims, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(BytesOf(output), bytes);
}

TEST_F(OrtTensorTest, CarriesTensorsWithoutElementsAndWithoutAnAddress) {
  const Tensor none{DataType::kFp32, {0, 4}, memory::Slice{}};
  const Tensor output = Identity("identity_fp32", none);
  EXPECT_EQ(output.dims, (std::vector<int64_t>{0, 4}));
  EXPECT_EQ(output.bytes.size, 0u);
  const Tensor no_text{DataType::kBytes, {2, 0}, memory::Slice{}};
  const Tensor no_texts = Identity("identity_string", no_text);
  EXPECT_EQ(no_texts.dims, (std::vector<int64_t>{2, 0}));
  EXPECT_EQ(no_texts.bytes.size, 0u);
}

TEST_F(OrtTensorTest, CarriesScalars) {
  const std::shared_ptr<Session> session = Open(FixtureModel("scalar"));
  std::vector<Tensor> results;
  ASSERT_TRUE(Run(*session, {Floats({}, {2.5F})}, &results).ok());
  EXPECT_TRUE(results[0].dims.empty());
  EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{-2.5F}));
}

TEST_F(OrtTensorTest, RefusesBytesThatDoNotFillTheShape) {
  const std::shared_ptr<Session> text = Open(FixtureModel("identity_string"));
  const std::string good = Framed({"ab", "c"});
  std::vector<Tensor> results;
  const std::string huge_length = std::string(4, '\xFF') + "ab" + Framed({"c"});
  for (const std::string& bad : {good.substr(0, good.size() - 1), good + "x", Framed({"ab"}), huge_length}) {
    EXPECT_EQ(Run(*text, {MakeTensor(DataType::kBytes, {1, 2}, bad)}, &results).code(), StatusCode::kModelRun);
  }
  EXPECT_EQ(Run(*text, {MakeTensor(DataType::kBytes, {1LL << 40, 1LL << 40}, good)}, &results).code(), StatusCode::kModelRun);
  const std::shared_ptr<Session> numbers = Open(FixtureModel("identity_fp32"));
  EXPECT_EQ(Run(*numbers, {Floats({2, 2}, {1, 2, 3})}, &results).code(), StatusCode::kModelRun);
}

TEST_F(OrtTensorTest, RefusesATextOutputBeyondTheLimitOnTensorMemory) {
  const std::shared_ptr<Session> session = Open(FixtureModel("identity_string"));
  const Tensor input = MakeTensor(DataType::kBytes, {1, 1}, Framed({std::string(1000, 'x')}));
  memory::BlockPool& pool = memory::BlockPool::Process();
  std::vector<Tensor> results;
  pool.set_limit_bytes(500);
  const Status refused = Run(*session, {input}, &results);
  pool.set_limit_bytes(0);
  EXPECT_EQ(refused.code(), StatusCode::kMemory) << refused.message();
  EXPECT_EQ(pool.live_blocks(), 0u);
}

TEST_F(OrtTensorTest, LeavesOutputsValidAfterInputsAndSessionAreGone) {
  const std::vector<float> values(100000, 1.5F);
  std::vector<Tensor> results;
  {
    const std::shared_ptr<Session> session = Open(FixtureModel("identity_fp32"));
    const Tensor input = Floats({10, 10000}, values);
    ASSERT_TRUE(Run(*session, {input}, &results).ok());
    EXPECT_NE(results[0].bytes.data, input.bytes.data);
  }
  EXPECT_EQ(BytesOf(results[0]), BytesOf(values));
}

TEST_F(OrtTensorTest, CopiesAnInputThatAModelHandsThrough) {
  const std::shared_ptr<Session> session = Open(WriteModel(ModelBytes(Field(11, TensorInfo("x", 1)) + Field(12, TensorInfo("x", 1)))));
  ASSERT_NE(session, nullptr);
  std::vector<Tensor> results;
  {
    const Tensor input = Floats({1, 3}, {1, 2, 3});
    ASSERT_TRUE(Run(*session, {input}, &results).ok());
    EXPECT_NE(results[0].bytes.data, input.bytes.data);
  }
  EXPECT_EQ(BytesOf(results[0]), BytesOf(std::vector<float>{1, 2, 3}));
}

}  // namespace
}  // namespace penstock::session
