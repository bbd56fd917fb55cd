#include "frontend/error_reply.h"

#include <gtest/gtest.h>

namespace penstock::frontend {
namespace {

// test/contract/error-replies.test.ts compares the whole table with that of the JavaScript front ends.

TEST(ErrorReply, ShowsClientsTheMessageAndTheStatusOfItsClass) {
  const ErrorReply reply = ReplyFor(Status(StatusCode::kTensorShape, "the shape is wrong"));
  EXPECT_EQ(reply.http_status, 400);
  EXPECT_EQ(reply.grpc_status, 3);
  EXPECT_EQ(reply.message, "the shape is wrong");
  EXPECT_EQ(reply.retry_after_ms, 0);
  EXPECT_FALSE(reply.is_our_fault);
}

TEST(ErrorReply, HidesWhatSpeaksOfOurInsides) {
  const ErrorReply reply = ReplyFor(Status(StatusCode::kInternal, "the map has no such key"));
  EXPECT_EQ(reply.http_status, 500);
  EXPECT_EQ(reply.grpc_status, 13);
  EXPECT_EQ(reply.message, "internal error");
  EXPECT_TRUE(reply.is_our_fault);
  EXPECT_EQ(ReplyFor(Status(StatusCode::kModelRun, "the model says why")).message, "the model says why");
}

TEST(ErrorReply, PassesAdviceOnAndGivesItsOwnOnOverload) {
  EXPECT_EQ(ReplyFor(Status(StatusCode::kQueueFull, "full").WithRetryAfter(4200)).retry_after_ms, 4200);
  EXPECT_EQ(ReplyFor(Status(StatusCode::kQueueFull, "full")).retry_after_ms, 1000);
  EXPECT_EQ(ReplyFor(Status(StatusCode::kInFlightFull, "full")).retry_after_ms, 1000);
  EXPECT_EQ(ReplyFor(Status(StatusCode::kModelNotReady, "loading")).retry_after_ms, 0);
}

TEST(RetryDelay, SpreadsAdviceOutWithinItsBounds) {
  EXPECT_DOUBLE_EQ(RetryDelayMs(0, 0), 1000);
  EXPECT_DOUBLE_EQ(RetryDelayMs(4000, 0.5), 5000);
  EXPECT_DOUBLE_EQ(RetryDelayMs(1'000'000, 0), 20'000);
  EXPECT_LT(RetryDelayMs(1'000'000, 0.999), 30'000);
}

TEST(RetryDelay, RoundsUpToWholeSecondsAndBlursOnlyShortOnes) {
  EXPECT_EQ(RetryAfterSeconds(1000, 0, 0), 1);
  EXPECT_EQ(RetryAfterSeconds(1000, 0.1, 0), 2);
  EXPECT_EQ(RetryAfterSeconds(1999, 0, 0.9), 3);
  EXPECT_EQ(RetryAfterSeconds(2000, 0, 0.9), 2);
  EXPECT_EQ(RetryAfterSeconds(1'000'000, 0.999, 0), 30);
}

}  // namespace
}  // namespace penstock::frontend
