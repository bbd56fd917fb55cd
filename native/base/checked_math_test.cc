#include "base/checked_math.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(CheckedMath, AddsAndMultipliesUpToTheLargestValue) {
  uint64_t out = 0;
  ASSERT_TRUE(CheckedAdd(UINT64_MAX - 1, 1, &out));
  EXPECT_EQ(out, UINT64_MAX);
  ASSERT_TRUE(CheckedMul(UINT64_MAX / 5, 5, &out));
  EXPECT_EQ(out, UINT64_MAX / 5 * 5);
  ASSERT_TRUE(CheckedMul(0, UINT64_MAX, &out));
  EXPECT_EQ(out, 0u);
}

TEST(CheckedMath, LeavesTheResultAloneWhenItDoesNotFit) {
  uint64_t out = 7;
  EXPECT_FALSE(CheckedAdd(UINT64_MAX, 1, &out));
  EXPECT_FALSE(CheckedMul(1ull << 32, 1ull << 32, &out));
  EXPECT_EQ(out, 7u);
}

TEST(CheckedMath, CountsElementsOfAShape) {
  uint64_t count = 0;
  ASSERT_TRUE(ElementCount({2, 3, 4}, &count));
  EXPECT_EQ(count, 24u);
  ASSERT_TRUE(ElementCount({}, &count));
  EXPECT_EQ(count, 1u) << "a scalar has one element";
  ASSERT_TRUE(ElementCount({5, 0, 7}, &count));
  EXPECT_EQ(count, 0u);
  ASSERT_TRUE(ElementCount({INT64_MAX}, &count));
  EXPECT_EQ(count, static_cast<uint64_t>(INT64_MAX));
}

TEST(CheckedMath, RefusesShapesWhoseElementCountOverflowsEvenBesideAZero) {
  uint64_t count = 9;
  EXPECT_FALSE(ElementCount({-1, 2}, &count));
  EXPECT_FALSE(ElementCount({INT64_MAX, 2}, &count));
  EXPECT_FALSE(ElementCount({1ll << 32, 1ll << 31, 2}, &count));
  EXPECT_FALSE(ElementCount({0, INT64_MAX, INT64_MAX}, &count));
  EXPECT_EQ(count, 9u);
}

}  // namespace
}  // namespace penstock
