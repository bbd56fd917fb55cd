#include "pipeline/split.h"

#include <gtest/gtest.h>

#include "pipeline/job_maker.h"

namespace penstock::pipeline {
namespace {

session::Tensor BytesTensor(std::vector<int64_t> dims, const std::vector<std::string>& elements) {
  return {DataType::kBytes, std::move(dims), OwnedSlice(Framed(elements))};
}

std::vector<uint8_t> BytesOf(const session::Tensor& tensor) { return {tensor.bytes.data, tensor.bytes.data + tensor.bytes.size}; }

TEST(CutRows, GivesViewsOfTheSameMemory) {
  const session::Tensor batch{DataType::kFp32, {3, 2}, OwnedSlice(FloatBytes({1, 2, 3, 4, 5, 6}))};
  const auto parts = CutRows(batch, {1, 2}, "y").value();
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].dims, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(parts[1].dims, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(parts[1].bytes.data, batch.bytes.data + 8);
  EXPECT_EQ(FloatsOf(parts[1]), (std::vector<float>{3, 4, 5, 6}));
  EXPECT_EQ(parts[1].bytes.owner, batch.bytes.owner);
}

TEST(CutRows, WalksTheFramingOfBytesElements) {
  const session::Tensor batch = BytesTensor({3, 2}, {"a", "", "long element", "b", "cc", "d"});
  const auto parts = CutRows(batch, {1, 2}, "y").value();
  EXPECT_EQ(BytesOf(parts[0]), Framed({"a", ""}));
  EXPECT_EQ(BytesOf(parts[1]), Framed({"long element", "b", "cc", "d"}));
}

TEST(CutRows, CutsTensorsWithoutElements) {
  const session::Tensor batch{DataType::kFp32, {3, 0}, {}};
  const auto parts = CutRows(batch, {2, 1}, "y").value();
  EXPECT_EQ(parts[0].dims, (std::vector<int64_t>{2, 0}));
  EXPECT_EQ(parts[1].bytes.size, 0u);
}

TEST(CutRows, SaysWhichOutputHasHowManyRows) {
  const session::Tensor batch{DataType::kFp32, {3}, OwnedSlice(FloatBytes({1, 2, 3}))};
  const Status status = CutRows(batch, {1, 1}, "score").status();
  EXPECT_EQ(status.code(), StatusCode::kModelRun);
  EXPECT_EQ(status.message(), "output \"score\": found 3 rows after a run of a batch, expected 2 rows");
  const session::Tensor scalar{DataType::kFp32, {}, OwnedSlice(FloatBytes({1}))};
  EXPECT_EQ(CutRows(scalar, {1}, "loss").status().message(),
            "output \"loss\": found a scalar after a run of a batch, expected 1 rows");
}

TEST(CutRows, RefusesBytesThatDoNotFillTheShape) {
  session::Tensor cut_short = BytesTensor({2}, {"a", "bc"});
  cut_short.bytes.size -= 1;
  EXPECT_EQ(CutRows(cut_short, {1, 1}, "y").status().code(), StatusCode::kModelRun);
  EXPECT_EQ(CutRows(BytesTensor({2}, {"a", "bc", "d"}), {1, 1}, "y").status().code(), StatusCode::kModelRun) << "one element too many";
  const session::Tensor short_floats{DataType::kFp32, {2, 2}, OwnedSlice(FloatBytes({1, 2, 3}))};
  EXPECT_EQ(CutRows(short_floats, {1, 1}, "y").status().code(), StatusCode::kModelRun);
  const session::Tensor absurd{DataType::kFp32, {1, INT64_MAX}, OwnedSlice(FloatBytes({1}))};
  EXPECT_EQ(CutRows(absurd, {1}, "y").status().code(), StatusCode::kModelRun) << "sizes that overflow";
}

}  // namespace
}  // namespace penstock::pipeline
