#include <gtest/gtest.h>

#include <string>

#include "transport/http1_head.h"

namespace penstock::transport {
namespace {

using State = Http1ChunkScanner::State;

// All of `body` in pieces of `step` bytes, as far as the scanner takes them.
State Scan(const std::string& body, size_t step, size_t* taken) {
  Http1ChunkScanner scanner;
  State state = State::kMore;
  *taken = 0;
  while (*taken < body.size() && state == State::kMore) {
    size_t now = 0;
    const std::string piece = body.substr(*taken, step);
    state = scanner.Scan(piece, &now);
    *taken += now;
    EXPECT_TRUE(state != State::kMore || now == piece.size());
  }
  return state;
}

constexpr char kBody[] = "5\r\nhello\r\n00A\r\n, chunked \r\n7\r\nw\r\nrld!\r\n0\r\nX-Trailer: a b\r\nEmpty:\r\n\r\n";

TEST(Http1Chunks, AreFollowedToTheEndHoweverTheyCome) {
  const std::string body = std::string(kBody) + "HTTP/1.1 200 OK\r\n";
  for (size_t step = 1; step <= body.size(); ++step) {
    size_t taken = 0;
    ASSERT_EQ(Scan(body, step, &taken), State::kEnd) << step;
    EXPECT_EQ(taken, sizeof kBody - 1);
  }
}

TEST(Http1Chunks, TakeNothingBehindTheirEnd) {
  Http1ChunkScanner scanner;
  size_t taken = 0;
  EXPECT_EQ(scanner.Scan(kBody, &taken), State::kEnd);
  EXPECT_EQ(taken, sizeof kBody - 1);
  EXPECT_EQ(scanner.Scan("more", &taken), State::kEnd);
  EXPECT_EQ(taken, 0u);
}

TEST(Http1Chunks, TakeTheLargestSizeForWhatItIs) {
  Http1ChunkScanner scanner;
  size_t taken = 0;
  EXPECT_EQ(scanner.Scan("ffffffffffffffff\r\nabc", &taken), State::kMore);
  EXPECT_EQ(taken, 21u);
}

TEST(Http1Chunks, AreRefusedInEveryOtherForm) {
  const std::string bodies[] = {
      "\r\n",         "g\r\n",        "-1\r\n",       " 5\r\nhello\r\n", "5 \r\nhello\r\n",       "0x5\r\nhello\r\n",
      "5;\r\nhello",  "5\nhello\r\n", "5\rhello\r\n", "5\r\nhello\n",    "5\r\nhello0\r\n\r\n",   "5\r\nhello\rX",
      "0\r\n x: y",   "0\r\n: y\r\n", "0\r\nx y: z",  "0\r\nx\r\n",      "0\r\nx: \x01\r\n",      "0\r\nx: y\n",
      "0\r\nx: y\rX", "0\r\n\n",      "0\r\n\rX",     "0\n\r\n",         "00000000000000001\r\n", "5\r\nhello\r\n\r\n",
  };
  for (const std::string& body : bodies) {
    for (const size_t step : {size_t{1}, body.size()}) {
      size_t taken = 0;
      EXPECT_EQ(Scan(body, step, &taken), State::kRefused) << body;
      EXPECT_LT(taken, body.size()) << body;
    }
  }
}

TEST(Http1Chunks, MayHaveExtensionsOfPlainTokens) {
  const std::string body = "5;a=b\r\nhello\r\n5;a;b=c;d\r\nworld\r\n0;e\r\n\r\n";
  for (const size_t step : {size_t{1}, size_t{7}, body.size()}) {
    size_t taken = 0;
    EXPECT_EQ(Scan(body, step, &taken), State::kEnd) << step;
    EXPECT_EQ(taken, body.size());
  }
  size_t taken = 0;
  for (const std::string line : {"5;;a\r\n", "5;a=\r\n", "5;a=b=c\r\n", "5;a=\"b\"\r\n", "5; a\r\n", "5;a\n", ";a\r\n"}) {
    EXPECT_EQ(Scan(line, 1, &taken), State::kRefused) << line;
  }
}

TEST(Http1Chunks, HaveExtensionsOfBoundedLengthForEachOfThem) {
  const std::string most(Http1ChunkScanner::kMaxExtensionBytes - 2, 'a');
  size_t taken = 0;
  const std::string line = "1;" + most + "\r\nx\r\n";
  EXPECT_EQ(Scan(line + line + line + "0\r\n\r\n", 1000, &taken), State::kEnd);
  EXPECT_EQ(Scan("1;" + most + "a\r\nx\r\n", 1000, &taken), State::kMore);
  EXPECT_EQ(Scan("1;" + most + "aa\r\nx\r\n", 1000, &taken), State::kRefused);
}

TEST(Http1Chunks, HaveTrailersOfBoundedLength) {
  size_t taken = 0;
  std::string lines;
  while (lines.size() < kMaxHttp1HeadBytes) lines += "x: y\r\n";
  EXPECT_EQ(Scan("0\r\n" + lines, 1000, &taken), State::kRefused);
  EXPECT_EQ(taken, 3 + kMaxHttp1HeadBytes);
  EXPECT_EQ(Scan("0\r\n" + lines.substr(0, kMaxHttp1HeadBytes / 6 * 6) + "\r\n", 1000, &taken), State::kEnd);
}

}  // namespace
}  // namespace penstock::transport
