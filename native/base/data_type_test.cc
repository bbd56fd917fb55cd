#include "base/data_type.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(DataType, EveryNameLeadsBackToItsType) {
  for (uint8_t i = 1; i < kDataTypeCount; ++i) {
    const auto type = static_cast<DataType>(i);
    EXPECT_EQ(DataTypeFromName(DataTypeName(type)), type);
  }
}

TEST(DataType, RefusesNamesThatAreNotTheProtocols) {
  for (const char* name : {"", "fp32", "FLOAT", "STRING", "INVALID", "INT", "FP32 "}) {
    EXPECT_EQ(DataTypeFromName(name), DataType::kInvalid) << name;
  }
}

TEST(DataType, KnowsTheBytesOfAnElement) {
  EXPECT_EQ(DataTypeSize(DataType::kBool), 1u);
  EXPECT_EQ(DataTypeSize(DataType::kBf16), 2u);
  EXPECT_EQ(DataTypeSize(DataType::kFp32), 4u);
  EXPECT_EQ(DataTypeSize(DataType::kUint64), 8u);
  EXPECT_EQ(DataTypeSize(DataType::kBytes), 0u) << "BYTES elements vary";
}

}  // namespace
}  // namespace penstock
