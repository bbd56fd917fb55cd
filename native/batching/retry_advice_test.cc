#include "batching/retry_advice.h"

#include <gtest/gtest.h>

namespace penstock::batching {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(RetryAdvice, SpreadsRefusedClientsOverTheTimeThatTheirRowsTake) {
  RetryAdvice advice;
  // 100 rows/s: each refused row moves the next client 10 ms back, beyond the overshoot of 50 ms.
  EXPECT_EQ(advice.Refused(1, kSecond / 20, 100, kSecond), 60);
  EXPECT_EQ(advice.Refused(1, kSecond / 20, 100, kSecond), 70);
  EXPECT_EQ(advice.Refused(8, kSecond / 20, 100, kSecond), 150);
}

TEST(RetryAdvice, ForgetsThoseWhoHaveComeBackMeanwhile) {
  RetryAdvice advice;
  for (int i = 0; i < 50; ++i) (void)advice.Refused(1, 0, 100, kSecond);
  EXPECT_EQ(advice.Refused(1, 0, 100, kSecond + kSecond / 4), 260);
  EXPECT_EQ(advice.Refused(1, 0, 100, 10 * kSecond), 10);
}

TEST(RetryAdvice, SaysAtLeastAMillisecondWhileNothingIsKnown) {
  RetryAdvice advice;
  EXPECT_EQ(advice.Refused(1, 0, 0, kSecond), 1);
  EXPECT_EQ(advice.Refused(1, -5, 0, kSecond), 1);
  EXPECT_EQ(advice.Refused(1, 2'500'000, 0, kSecond), 3);
}

TEST(RetryAdvice, DoesNotGrowForAsLongAsClientsIgnoreIt) {
  RetryAdvice advice;
  int64_t last = 0;
  for (int i = 0; i < 1'000'000; ++i) last = advice.Refused(1, 0, 100, kSecond);
  EXPECT_EQ(last, 30'000);
}

}  // namespace
}  // namespace penstock::batching
