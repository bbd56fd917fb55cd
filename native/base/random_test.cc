#include "base/random.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace penstock {
namespace {

TEST(Random, IsNeverZeroNorOneWhateverTheBits) {
  EXPECT_GT(UniformOf(0), 0);
  EXPECT_LT(UniformOf(UINT64_MAX), 1);
  EXPECT_DOUBLE_EQ(UniformOf(uint64_t{1} << 63), 0.5);
}

// As an index: the last of n is n - 1.
TEST(Random, StaysBelowAnyNumberThatItIsMultipliedWith) {
  for (const int64_t count : {1, 2, 3, 7, 20'000, 1'000'003}) {
    EXPECT_EQ(static_cast<int64_t>(UniformOf(UINT64_MAX) * static_cast<double>(count)), count - 1);
  }
}

}  // namespace
}  // namespace penstock
