#include "transport/http1_chunk_reader.h"

#include <gtest/gtest.h>

#include <string>

namespace penstock::transport {
namespace {

using Read = Http1ChunkReader::Read;

struct Taken {
  std::string data;
  std::string lines;  // as the reader has them
  size_t bytes = 0;
  Read last = Read::kLines;
};

// All of `body` in pieces of `step` bytes, as far as the reader takes them.
Taken ReadAll(const std::string& body, size_t step) {
  Http1ChunkReader reader;
  Taken taken;
  while (taken.bytes < body.size() && taken.last != Read::kEnd && taken.last != Read::kRefused) {
    size_t now = 0;
    taken.last = reader.Next(body.substr(taken.bytes, step), &now);
    if (taken.last == Read::kData) taken.data += body.substr(taken.bytes, now);
    taken.bytes += now;
  }
  taken.lines = reader.lines();
  return taken;
}

TEST(Http1ChunkReader, GivesTheDataAndNothingElse) {
  const std::string body = "5;a=b\r\nhello\r\n00A\r\n, chunked \r\n7\r\nw\r\nrld!\r\n0\r\nX-Trailer: a b\r\n\r\n";
  for (size_t step = 1; step <= body.size(); ++step) {
    const Taken taken = ReadAll(body + "GET", step);
    EXPECT_EQ(taken.last, Read::kEnd) << step;
    EXPECT_EQ(taken.data, "hello, chunked w\r\nrld!");
    EXPECT_EQ(taken.bytes, body.size());
  }
}

// Whoever is given the data as one chunk, the lines and the rest sees the same message.
TEST(Http1ChunkReader, KnowsWhatAnotherReaderNeedsOfARefusedBody) {
  struct Case {
    std::string body;
    std::string lines;
    std::string rest;
  };
  const Case cases[] = {
      {"5\r\nhello\r\n5;;\r\nworld", "\r\n5;", ";\r\nworld"},
      {"5\r\nhelloX", "", "X"},
      {"5\r\nhello\rX", "\r", "X"},
      {"5;a=\"b\"\r\nhello", "5;a=", "\"b\"\r\nhello"},
      {"zz", "", "zz"},
      {"5\r\nhello\r\n0\r\nA: b\r\n c", "\r\n0\r\nA: b\r\n", " c"},
      {"5\r\nhello\r\n0\r\nA: b\r\nConnection: close\r\n\r\nGET", "\r\n0\r\nA: b\r\nConnection: close\r\n\r\n", "GET"},
  };
  for (const Case& one : cases) {
    for (const size_t step : {size_t{1}, size_t{3}, one.body.size()}) {
      const Taken taken = ReadAll(one.body, step);
      EXPECT_EQ(taken.last, Read::kRefused) << one.body;
      EXPECT_EQ(taken.lines, one.lines) << one.body;
      EXPECT_EQ(one.body.substr(taken.bytes), one.rest) << one.body;
    }
  }
}

TEST(Http1ChunkReader, RefusesTrailersThatWouldMeanSomething) {
  for (const std::string name : {"Content-Length", "transfer-encoding", "CONNECTION", "Upgrade", "Proxy-Connection"}) {
    EXPECT_EQ(ReadAll("0\r\nA: b\r\n" + name + ": 1\r\n\r\n", 5).last, Read::kRefused) << name;
    EXPECT_EQ(ReadAll("0\r\n" + name + "s: 1\r\nX: " + name + ": 1\r\n\r\n", 5).last, Read::kEnd) << name;
  }
}

TEST(Http1ChunkReader, KnowsHowMuchOfAChunkIsToCome) {
  Http1ChunkReader reader;
  size_t taken = 0;
  EXPECT_EQ(reader.data_left(), 0u);
  EXPECT_EQ(reader.Next("100000\r\nabc", &taken), Read::kLines);
  EXPECT_EQ(taken, 8u);
  EXPECT_EQ(reader.data_left(), 0x100000u);
  EXPECT_EQ(reader.Next("abc", &taken), Read::kData);
  EXPECT_EQ(reader.data_left(), 0x100000u - 3);
}

TEST(Http1ChunkReader, SkipsToTheEndOrToWhatIsWrong) {
  Http1ChunkReader reader;
  EXPECT_FALSE(reader.Skip("5\r\nhel"));
  EXPECT_FALSE(reader.Skip("lo\r\n0\r\n"));
  EXPECT_TRUE(reader.Skip("\r\nmore"));
  Http1ChunkReader other;
  EXPECT_TRUE(other.Skip("5\r\nhello, world"));
}

}  // namespace
}  // namespace penstock::transport
