#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "loadgen/reply_reader.h"

namespace penstock::loadgen {
namespace {

using State = ReplyReader::State;

const ExpectedBody kAnything;

// The state after each way of cutting the bytes in two, which must be one and the same.
State ReadCut(std::string_view bytes, ReplyReader* reader) {
  reader->Reset();
  const State whole = reader->Read(bytes);
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    reader->Reset();
    State state = reader->Read(bytes.substr(0, cut));
    if (state == State::kMore) state = reader->Read(bytes.substr(cut));
    // Behind the end nothing may follow, and the cut may be just there.
    EXPECT_TRUE(state == whole || (whole == State::kBroken && state == State::kDone)) << cut << " of " << bytes;
  }
  reader->Reset();
  EXPECT_EQ(reader->Read(bytes), whole);
  return whole;
}

TEST(ReplyReader, ReadsABodyOfKnownLength) {
  const ExpectedBody expected{"hello", true};
  ReplyReader reader(&expected);
  EXPECT_EQ(ReadCut("HTTP/1.1 200 OK\r\ncontent-LENGTH:  5\r\nX: y\r\n\r\nhello", &reader), State::kDone);
  EXPECT_EQ(reader.status(), 200);
  EXPECT_TRUE(reader.keeps_open());
  EXPECT_TRUE(reader.body_is_expected());
}

TEST(ReplyReader, ReadsChunks) {
  const ExpectedBody expected{"hello world, hello", true};
  ReplyReader reader(&expected);
  EXPECT_EQ(ReadCut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "5\r\nhello\r\nD;x=1\r\n world, hello\r\n0\r\nT: u\r\n\r\n",
                    &reader),
            State::kDone);
  EXPECT_TRUE(reader.body_is_expected());
}

TEST(ReplyReader, TellsWrongBodies) {
  const ExpectedBody whole{"hello", true};
  const ExpectedBody prefix{"hello", false};
  const auto agrees = [](const ExpectedBody& expected, const std::string& body) {
    ReplyReader reader(&expected);
    EXPECT_EQ(ReadCut("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body, &reader), State::kDone);
    return reader.body_is_expected();
  };
  EXPECT_FALSE(agrees(whole, "hellO"));
  EXPECT_FALSE(agrees(whole, "hello!"));
  EXPECT_FALSE(agrees(whole, ""));
  EXPECT_FALSE(agrees(prefix, "hell"));
  EXPECT_FALSE(agrees(prefix, "jello!"));
  EXPECT_TRUE(agrees(prefix, "hello!"));
  EXPECT_TRUE(agrees(kAnything, "whatever"));
}

TEST(ReplyReader, PassesOverInterimAnswers) {
  ReplyReader reader(&kAnything);
  EXPECT_EQ(ReadCut("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", &reader),
            State::kDone);
  EXPECT_EQ(reader.status(), 503);
  EXPECT_FALSE(reader.keeps_open());
}

TEST(ReplyReader, TakesABodyWithoutLengthUpToTheEndOfTheConnection) {
  ReplyReader reader(&kAnything);
  EXPECT_EQ(ReadCut("HTTP/1.0 200 OK\r\n\r\nsome", &reader), State::kMore);
  EXPECT_EQ(reader.End(), State::kDone);
  EXPECT_FALSE(reader.keeps_open());
  EXPECT_EQ(ReadCut("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", &reader), State::kMore);
  EXPECT_EQ(reader.End(), State::kBroken);
}

TEST(ReplyReader, RefusesWhatIsNoAnswer) {
  ReplyReader reader(&kAnything);
  for (const char* bytes : {
           "HTTP/2 200 OK\r\n\r\n",
           "HTTP/1.1 2x0 OK\r\n\r\n",
           "HTTP/1.1 2000 OK\r\n\r\n",
           "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
       }) {
    EXPECT_EQ(ReadCut(bytes, &reader), State::kBroken) << bytes;
  }
}

TEST(ReplyReader, RefusesAHeadWithoutEnd) {
  ReplyReader reader(&kAnything);
  const std::string endless = "HTTP/1.1 200 OK\r\nX: " + std::string(ReplyReader::kMaxHeadBytes, 'x');
  EXPECT_EQ(reader.Read(endless), State::kBroken);
}

}  // namespace
}  // namespace penstock::loadgen
