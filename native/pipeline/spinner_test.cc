#include "pipeline/spinner.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"

namespace penstock::pipeline {
namespace {

constexpr int64_t kSpin = 50'000;
constexpr int64_t kSecond = 1'000'000'000;

// Waits until the policy allows a spin again; the number of waits that were not allowed one, all at the same time.
int WaitsSatOut(SpinPolicy* policy, int64_t now_ns) {
  for (int waits = 0; waits < 5000; ++waits) {
    if (policy->Allowance(now_ns) != 0) return waits;
  }
  return -1;
}

TEST(SpinPolicy, GoesOnSpinningWhileSpinsFindWork) {
  SpinPolicy policy(kSpin);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(policy.Allowance(1), kSpin) << i;
    policy.Learn(kSpin, true, false);
  }
}

TEST(SpinPolicy, SitsOutTwiceAsManyWaitsAfterEachWastedSpin) {
  SpinPolicy policy(kSpin);
  int64_t now_ns = 1;
  for (const int expected : {0, 1, 3, 7, 15}) {
    now_ns += kSecond;  // the credit is full again
    EXPECT_EQ(WaitsSatOut(&policy, now_ns), expected);
    policy.Learn(kSpin, false, false);
  }
}

TEST(SpinPolicy, ARewardedSpinForgetsTheWastedOnes) {
  SpinPolicy policy(kSpin);
  policy.Allowance(1);
  policy.Learn(kSpin, false, false);
  EXPECT_EQ(WaitsSatOut(&policy, kSecond), 1);
  policy.Learn(10, true, false);
  EXPECT_EQ(policy.Allowance(kSecond), kSpin);
}

TEST(SpinPolicy, TakesAPreemptedSpinForWastedEvenWhenItFoundWork) {
  SpinPolicy policy(kSpin);
  policy.Allowance(1);
  policy.Learn(kSpin, true, true);
  EXPECT_EQ(WaitsSatOut(&policy, kSecond), 1);
}

TEST(SpinPolicy, WastesNoMoreThanItsShareOfTime) {
  // Worst case for the pauses: every wasted spin is followed by a rewarded one, a wait each 100 us, for ten seconds.
  SpinPolicy policy(kSpin);
  int64_t wasted_ns = 0;
  bool reward = false;
  int64_t now_ns = 1;
  for (; now_ns < 10 * kSecond; now_ns += 100'000) {
    if (policy.Allowance(now_ns) == 0) continue;
    policy.Learn(kSpin, reward, false);
    if (!reward) wasted_ns += kSpin;
    reward = !reward;
  }
  EXPECT_LE(wasted_ns, static_cast<int64_t>(static_cast<double>(now_ns) * SpinPolicy::kMaxWastedShare) + SpinPolicy::kBurstSpins * kSpin);
  EXPECT_GT(wasted_ns, kSecond / 10) << "the test must come near the bound";
}

TEST(SpinPolicy, NeverSpinsWhenOff) {
  SpinPolicy policy(0);
  EXPECT_EQ(policy.Allowance(1), 0);
}

TEST(Spinner, LeavesOneCoreOfTheProcessToOthers) {
  Spinner alone({kSpin, 1});
  EXPECT_FALSE(alone.Claim(MonotonicNs())) << "with one core none is spare";
  Spinner first({kSpin, 2});
  Spinner second({kSpin, 2});
  const std::atomic<uint64_t> news{0};
  ASSERT_TRUE(first.Claim(MonotonicNs()));
  EXPECT_FALSE(second.Claim(MonotonicNs()));
  first.Spin(news, 1);
  EXPECT_TRUE(second.Claim(MonotonicNs()));
  second.Spin(news, 1);
}

TEST(Spinner, StopsWhenNewsComes) {
  Spinner spinner({3600 * kSecond, 2});
  std::atomic<uint64_t> news{0};
  ASSERT_TRUE(spinner.Claim(MonotonicNs()));
  std::thread herald([&news] { ++news; });
  spinner.Spin(news, 0);  // an hour otherwise
  herald.join();
}

}  // namespace
}  // namespace penstock::pipeline
