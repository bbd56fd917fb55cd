#include <gtest/gtest.h>

#include <string>

#include "transport/http1_head.h"

namespace penstock::transport {
namespace {

Http1ResponseHead Whole(const std::string& text) {
  Http1ResponseHead head;
  EXPECT_EQ(ParseHttp1Response(text, &head), Http1Parsed::kWhole) << text;
  return head;
}

Http1Parsed Parsed(const std::string& text) {
  Http1ResponseHead head;
  return ParseHttp1Response(text, &head);
}

std::string Ok(const std::string& lines) { return "HTTP/1.1 200 OK\r\n" + lines + "\r\n"; }

TEST(Http1Response, SaysWhereTheAnswerEnds) {
  const std::string text =
      "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 21\r\nDate: x\r\nConnection: keep-alive\r\n\r\n";
  const Http1ResponseHead head = Whole(text + "{}");
  EXPECT_EQ(head.status, 404);
  EXPECT_EQ(head.bytes, text.size());
  EXPECT_TRUE(head.has_length);
  EXPECT_EQ(head.content_length, 21u);
  EXPECT_FALSE(head.is_chunked);
  EXPECT_TRUE(head.keeps_alive);
}

TEST(Http1Response, TellsChunksAndAnEndByClosing) {
  EXPECT_TRUE(Whole(Ok("Transfer-Encoding: chunked\r\n")).is_chunked);
  EXPECT_FALSE(Whole(Ok("Transfer-Encoding: chunked\r\n")).has_length);
  EXPECT_FALSE(Whole(Ok("Connection: close\r\n")).has_length);
  EXPECT_FALSE(Whole(Ok("Connection: close\r\n")).is_chunked);
  EXPECT_FALSE(Whole(Ok("Connection: close\r\n")).keeps_alive);
  EXPECT_FALSE(Whole(Ok("Connection: upgrade\r\n")).keeps_alive);
}

TEST(Http1Response, KnowsTheStatusesWithoutABody) {
  for (const char* const status : {"100", "101", "204", "304"}) {
    const Http1ResponseHead head = Whole("HTTP/1.1 " + std::string(status) + " \r\nContent-Length: 9\r\n\r\n");
    EXPECT_TRUE(head.has_length) << status;
    EXPECT_EQ(head.content_length, 0u) << status;
  }
  EXPECT_FALSE(Whole("HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n").is_chunked);
}

TEST(Http1Response, WaitsForTheRestOfEveryPrefix) {
  const std::string text = Ok("Content-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n");
  for (size_t size = 0; size < text.size(); ++size) EXPECT_EQ(Parsed(text.substr(0, size)), Http1Parsed::kPart) << size;
  EXPECT_EQ(Parsed(text), Http1Parsed::kWhole);
}

TEST(Http1Response, RefusesWhatItDoesNotKnow) {
  for (const char* const line :
       {"HTTP/1.0 200 OK", "HTTP/2 200 OK", "HTTP/1.1  200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 OK", "HTTP/1.1 200",
        "HTTP/1.1 2x0 OK", "HTTP/1.1 200 O\x01K", "http/1.1 200 OK", "GET / HTTP/1.1", ""}) {
    EXPECT_EQ(Parsed(std::string(line) + "\r\n\r\n"), Http1Parsed::kRefused) << line;
  }
  for (const char* const line : {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n",
                                 "Content-Length: x\r\n", "Transfer-Encoding: gzip\r\n", "X : y\r\n", "X: y\r\n z\r\n", "X: y\n"}) {
    EXPECT_EQ(Parsed(Ok(line)), Http1Parsed::kRefused) << line;
  }
  EXPECT_EQ(Parsed(Ok("X: " + std::string(kMaxHttp1HeadBytes, 'x'))), Http1Parsed::kRefused);
}

}  // namespace
}  // namespace penstock::transport
