#include <gtest/gtest.h>

#include <string>

#include "loadgen/grpc_reply.h"
#include "transport/nghttp2_api.h"

namespace penstock::loadgen {
namespace {

using std::string_literals::operator""s;

const ExpectedBody kExpected{"yes", true};

// Of an answer that came in pieces of this size.
Outcome OutcomeOf(const std::string& status, const std::string& body, size_t piece) {
  GrpcReply reply(&kExpected);
  reply.TakeField(":status", "200");
  for (size_t at = 0; at < body.size(); at += piece) reply.TakeBody(std::string_view(body).substr(at, piece));
  reply.TakeField("grpc-status", status);
  reply.End();
  return reply.outcome(transport::kHttp2NoError);
}

TEST(GrpcReply, ComparesTheMessageHoweverItIsCut) {
  for (size_t piece = 1; piece <= 9; ++piece) {
    EXPECT_EQ(OutcomeOf("0", "\0\0\0\0\3yes"s, piece), Outcome::kAnswered) << piece;
    EXPECT_EQ(OutcomeOf("0", "\0\0\0\0\3yet"s, piece), Outcome::kWrong) << piece;
    EXPECT_EQ(OutcomeOf("0", "\0\0\0\0\4yes"s, piece), Outcome::kWrong) << piece;
    EXPECT_EQ(OutcomeOf("0", "\0\0\0\0\3yes!"s, piece), Outcome::kWrong) << piece;
  }
  EXPECT_EQ(OutcomeOf("0", "", 1), Outcome::kWrong);
  EXPECT_EQ(OutcomeOf("0", "\0\0\0"s, 1), Outcome::kWrong);
}

TEST(GrpcReply, ReadsTheStatusStrictly) {
  EXPECT_EQ(OutcomeOf("14", "", 1), Outcome::kShed);
  EXPECT_EQ(OutcomeOf("8", "", 1), Outcome::kShed);
  EXPECT_EQ(OutcomeOf("4", "", 1), Outcome::kFailed);
  EXPECT_EQ(OutcomeOf("", "\0\0\0\0\3yes"s, 9), Outcome::kFailed);
  EXPECT_EQ(OutcomeOf("0x0", "\0\0\0\0\3yes"s, 9), Outcome::kFailed);
}

TEST(GrpcReply, TakesTheStatusOfHttpWhereThereIsNoneOfGrpc) {
  for (const auto& [status, outcome] : {std::pair("503", Outcome::kShed), {"429", Outcome::kShed}, {"200", Outcome::kFailed}}) {
    GrpcReply reply(&kExpected);
    reply.TakeField(":status", status);
    reply.End();
    EXPECT_EQ(reply.outcome(transport::kHttp2NoError), outcome) << status;
  }
}

TEST(GrpcReply, IsNoAnswerWhenTheStreamIsResetBeforeItsEnd) {
  GrpcReply reply(&kExpected);
  reply.TakeField(":status", "200");
  reply.TakeBody("\0\0\0\0\3yes"s);
  EXPECT_EQ(reply.outcome(transport::kHttp2Cancel), Outcome::kFailed);
  EXPECT_EQ(reply.outcome(transport::kHttp2NoError), Outcome::kFailed);
  EXPECT_EQ(reply.outcome(transport::kHttp2RefusedStream), Outcome::kShed);
  EXPECT_EQ(reply.outcome(transport::kHttp2EnhanceYourCalm), Outcome::kShed);
}

}  // namespace
}  // namespace penstock::loadgen
