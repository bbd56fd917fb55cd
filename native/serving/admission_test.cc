#include "serving/admission.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace penstock::serving {
namespace {

TEST(Admission, HoldsRequestsAndBytesToTheirLimitsAndNamesThem) {
  Admission admission({2, 100});
  auto first = admission.Admit(60);
  ASSERT_TRUE(first.ok());
  const Status bytes = admission.Admit(41).status();
  EXPECT_EQ(bytes.code(), StatusCode::kInFlightFull);
  EXPECT_NE(bytes.message().find("limit of 100"), std::string::npos) << bytes.message();
  auto second = admission.Admit(40);
  ASSERT_TRUE(second.ok());
  const Status requests = admission.Admit(0).status();
  EXPECT_EQ(requests.code(), StatusCode::kInFlightFull);
  EXPECT_NE(requests.message().find("the limit is 2"), std::string::npos) << requests.message();
  EXPECT_EQ(admission.requests(), 2u);
  EXPECT_EQ(admission.bytes(), 100u);
}

TEST(Admission, ADroppedTicketGivesBackWhatItTook) {
  Admission admission({1, 0});
  auto ticket = admission.Admit(5).value();
  auto copy = ticket;
  ticket.reset();
  EXPECT_EQ(admission.requests(), 1u) << "until the last copy";
  copy.reset();
  EXPECT_EQ(admission.requests(), 0u);
  EXPECT_EQ(admission.bytes(), 0u);
}

TEST(Admission, AnswersThatAreStillHeldKeepNewRequestsOut) {
  Admission admission({1, 100});
  auto answer = admission.Charge(500);
  EXPECT_EQ(admission.requests(), 0u);
  EXPECT_EQ(admission.bytes(), 500u);
  EXPECT_EQ(admission.Admit(1).status().code(), StatusCode::kInFlightFull);
  answer.reset();
  EXPECT_TRUE(admission.Admit(1).ok());
}

TEST(Admission, ARequestThatCanNeverFitIsNotAskedToRetry) {
  Admission admission({0, 100});
  EXPECT_EQ(admission.Admit(101).status().code(), StatusCode::kRequestTooLarge);
}

TEST(Admission, StaysExactUnderManyThreads) {
  Admission admission({3, 50});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < 5000; ++i) {
        const auto ticket = admission.Admit(i % 40);
        EXPECT_LE(admission.requests(), 3u);
        EXPECT_LE(admission.bytes(), 50u);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(admission.requests(), 0u);
  EXPECT_EQ(admission.bytes(), 0u);
}

}  // namespace
}  // namespace penstock::serving
