// Expected texts were written by src/frontend/grpc/{status,retry-info}.ts and grpc-js 1.14.
#include "frontend/grpc_text.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace penstock::frontend {
namespace {

int64_t TimeoutOf(std::string_view text) {
  int64_t nanoseconds = -1;
  return ParseGrpcTimeout(text, &nanoseconds) ? nanoseconds : -1;
}

std::string Repeated(const std::string& text, size_t times) {
  std::string repeated;
  for (size_t i = 0; i < times; ++i) repeated += text;
  return repeated;
}

TEST(GrpcTextTest, ReadsTimeoutsOfEveryUnit) {
  EXPECT_EQ(TimeoutOf("2H"), 7'200'000'000'000);
  EXPECT_EQ(TimeoutOf("3M"), 180'000'000'000);
  EXPECT_EQ(TimeoutOf("4S"), 4'000'000'000);
  EXPECT_EQ(TimeoutOf("5m"), 5'000'000);
  EXPECT_EQ(TimeoutOf("6u"), 6'000);
  EXPECT_EQ(TimeoutOf("00000007n"), 7);
  EXPECT_EQ(TimeoutOf("0S"), 0);
  EXPECT_EQ(TimeoutOf("99999999H"), std::numeric_limits<int64_t>::max());
}

TEST(GrpcTextTest, TakesNothingElseForATimeout) {
  for (const char* text : {"", "S", "5", "5s", "5h", "-5S", "+5S", " 5S", "5 S", "5S ", "123456789S", "1.5S", "0x5S"}) {
    EXPECT_EQ(TimeoutOf(text), -1) << text;
  }
}

TEST(GrpcTextTest, EncodesMessagesAsEncodeUriDoes) {
  std::string all;
  for (char c = 0; c < 127; ++c) all.push_back(c);
  EXPECT_EQ(GrpcMessage(all + "\x7f"),
            "%00%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%13%14%15%16%17%18%19%1A%1B%1C%1D%1E%1F%20!%22#$%25&'()*+,-./"
            "0123456789:;%3C=%3E?@ABCDEFGHIJKLMNOPQRSTUVWXYZ%5B%5C%5D%5E_%60abcdefghijklmnopqrstuvwxyz%7B%7C%7D~%7F");
  EXPECT_EQ(GrpcMessage("n\xc3\xb6pe"), "n%C3%B6pe");
}

TEST(GrpcTextTest, ClipsMessagesWhereJavaScriptDoes) {
  const std::string face = "\xf0\x9f\x98\x80";  // two of the units that JavaScript counts in
  EXPECT_EQ(GrpcDetails(Repeated("x", 800)), Repeated("x", 800));
  EXPECT_EQ(GrpcDetails(Repeated("\xc3\xa9", 801)), Repeated("\xc3\xa9", 800) + "...");
  EXPECT_EQ(GrpcMessage(Repeated("\xc3\xa9", 801)).size(), 4803u);
  EXPECT_EQ(GrpcDetails(Repeated("x", 798) + face), Repeated("x", 798) + face);
  EXPECT_EQ(GrpcMessage(Repeated("x", 799) + face), Repeated("x", 799) + "%EF%BF%BD...");
}

TEST(GrpcTextTest, TellsOfARetryAsJavaScriptDoes) {
  EXPECT_EQ(RetryDetails(14, "queue full, try later \xc3\xbc", 1500.25),
            "CA4SGHF1ZXVlIGZ1bGwsIHRyeSBsYXRlciDDvBo2Cih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuUmV0cnlJbmZvEgoKCAgBEJDrxO4B");
  EXPECT_EQ(RetryDetails(14, "", 2000), "CA4SABoyCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuUmV0cnlJbmZvEgYKBAgCEAA=");
}

TEST(GrpcTextTest, NamesStatuses) {
  EXPECT_STREQ(GrpcStatusName(0), "OK");
  EXPECT_STREQ(GrpcStatusName(8), "RESOURCE_EXHAUSTED");
  EXPECT_STREQ(GrpcStatusName(16), "UNAUTHENTICATED");
  EXPECT_STREQ(GrpcStatusName(17), "UNKNOWN");
}

}  // namespace
}  // namespace penstock::frontend
