#include "pipeline/made_up_inputs.h"

#include <gtest/gtest.h>

#include <cmath>

#include "pipeline/job_maker.h"

namespace penstock::pipeline {
namespace {

session::Signature Of(DataType dtype, std::vector<int64_t> dims) {
  session::Signature signature;
  signature.inputs = {{"x", dtype, dims, std::vector<std::string>(dims.size())}};
  return signature;
}

session::Tensor Make(DataType dtype, std::vector<int64_t> dims, MadeUpShape shape) {
  return std::move(MakeUpInputs(Of(dtype, std::move(dims)), shape).value().at(0));
}

std::vector<uint8_t> BytesOf(const session::Tensor& tensor) { return {tensor.bytes.data, tensor.bytes.data + tensor.bytes.size}; }

TEST(MakeUpInputs, FillsTheBatchAndTheOpenDimensions) {
  const session::Tensor tensor = Make(DataType::kFp32, {-1, 3, -1}, {true, 4, 0, 8});
  EXPECT_EQ(tensor.dims, (std::vector<int64_t>{4, 3, 8}));
  for (const float value : FloatsOf(tensor)) {
    EXPECT_GE(value, 0.0f);
    EXPECT_LT(value, 1.0f);
  }
}

TEST(MakeUpInputs, GivesARowTheSameContentsAloneAndInABatchAndOthersToItsNeighbour) {
  for (const DataType dtype : {DataType::kFp32, DataType::kFp16, DataType::kInt64, DataType::kUint8, DataType::kBool, DataType::kBytes}) {
    const std::vector<uint8_t> both = BytesOf(Make(dtype, {-1, 5}, {true, 2, 0, 1}));
    const std::vector<uint8_t> second = BytesOf(Make(dtype, {-1, 5}, {true, 1, 1, 1}));
    const size_t half = both.size() / 2;
    EXPECT_EQ(std::vector<uint8_t>(both.begin() + static_cast<std::ptrdiff_t>(half), both.end()), second);
    EXPECT_NE(std::vector<uint8_t>(both.begin(), both.begin() + static_cast<std::ptrdiff_t>(half)), second);
  }
}

TEST(MakeUpInputs, KeepsIntegersInsideAnyEmbeddingTable) {
  for (const uint8_t value : BytesOf(Make(DataType::kUint8, {-1, 7}, {true, 3, 0, 1}))) EXPECT_LE(value, 1);
}

TEST(MakeUpInputs, LeavesOptionalInputsOutUnlessTheyAreAskedFor) {
  session::Signature signature = Of(DataType::kFp32, {-1, 2});
  signature.inputs.push_back({"a", DataType::kInt8, {-1}, {""}, true});
  signature.inputs.push_back({"b", DataType::kInt16, {-1}, {""}, true});
  const auto without = MakeUpInputs(signature, {true, 3, 0, 1}).value();
  ASSERT_EQ(without.size(), 3u);
  EXPECT_EQ(without[0].dims, (std::vector<int64_t>{3, 2}));
  EXPECT_TRUE(without[1].left_out());
  EXPECT_TRUE(without[2].left_out());
  const auto with = MakeUpInputs(signature, {true, 3, 0, 1}, {2}).value();
  EXPECT_TRUE(with[1].left_out());
  EXPECT_EQ(with[2].dtype, DataType::kInt16);
  EXPECT_EQ(with[2].dims, (std::vector<int64_t>{3}));
}

TEST(MakeUpInputs, RefusesSizesThatOverflow) {
  const auto inputs = MakeUpInputs(Of(DataType::kFp64, {-1, INT64_MAX / 4}), {true, 3, 0, 1});
  EXPECT_EQ(inputs.status().code(), StatusCode::kMemory);
}

session::Tensor Floats(const std::vector<float>& values) {
  return {DataType::kFp32, {static_cast<int64_t>(values.size())}, OwnedSlice(FloatBytes(values))};
}

template <typename T>
session::Tensor One(DataType dtype, T value) {
  std::vector<uint8_t> bytes(sizeof(T));
  std::memcpy(bytes.data(), &value, sizeof(T));
  return {dtype, {1}, OwnedSlice(bytes)};
}

TEST(Agree, AllowsFloatsTheRoundingOfAnotherBatchSize) {
  EXPECT_TRUE(Agree(Floats({100.0f, 0.0f}), Floats({100.09f, 0.000009f})));
  EXPECT_FALSE(Agree(Floats({100.0f}), Floats({100.2f})));
  EXPECT_FALSE(Agree(Floats({0.0f}), Floats({0.0001f})));
  EXPECT_TRUE(Agree(Floats({NAN, INFINITY}), Floats({NAN, INFINITY})));
  EXPECT_FALSE(Agree(Floats({NAN}), Floats({1.0f})));
  EXPECT_FALSE(Agree(Floats({INFINITY}), Floats({-INFINITY})));
}

TEST(Agree, ReadsEveryFloatWidth) {
  EXPECT_TRUE(Agree(One<uint16_t>(DataType::kFp16, 0x3c00), One<uint16_t>(DataType::kFp16, 0x3c01))) << "1 and the next number";
  EXPECT_FALSE(Agree(One<uint16_t>(DataType::kFp16, 0x3c00), One<uint16_t>(DataType::kFp16, 0xbc00))) << "1 and -1";
  EXPECT_FALSE(Agree(One<uint16_t>(DataType::kFp16, 0x7c00), One<uint16_t>(DataType::kFp16, 0x7bff))) << "infinity and the largest number";
  EXPECT_TRUE(Agree(One<uint16_t>(DataType::kBf16, 0x3f80), One<uint16_t>(DataType::kBf16, 0x3f81)));
  EXPECT_FALSE(Agree(One<uint16_t>(DataType::kBf16, 0x3f80), One<uint16_t>(DataType::kBf16, 0x4000))) << "1 and 2";
  EXPECT_TRUE(Agree(One<double>(DataType::kFp64, 1.0), One<double>(DataType::kFp64, 1.0005)));
  EXPECT_FALSE(Agree(One<double>(DataType::kFp64, 1.0), One<double>(DataType::kFp64, 1.01)));
}

TEST(Agree, ComparesEverythingElseExactly) {
  EXPECT_FALSE(Agree(One<int32_t>(DataType::kInt32, 100000), One<int32_t>(DataType::kInt32, 100001)));
  EXPECT_FALSE(Agree({DataType::kBytes, {1}, OwnedSlice(Framed({"a"}))}, {DataType::kBytes, {1}, OwnedSlice(Framed({"b"}))}));
  session::Tensor other_dims = Floats({1, 2});
  other_dims.dims = {2, 1};
  EXPECT_FALSE(Agree(Floats({1, 2}), other_dims));
}

}  // namespace
}  // namespace penstock::pipeline
