// Requests over HTTP/1.1 whose bodies come in chunks.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "frontend/http_connection.h"
#include "frontend/test_http_front_end.h"

namespace penstock::frontend {
namespace {

constexpr const char* kHead = "POST /v2/models/echo/infer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n";

std::string ChunkOf(const std::string& data) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + data + "\r\n";
}
std::string ChunksOf(const std::string& body, size_t step) {
  std::string chunks;
  for (size_t at = 0; at < body.size(); at += step) chunks += ChunkOf(body.substr(at, step));
  return chunks;
}
std::string ChunkedInferOf(const std::string& body, size_t step, const std::string& fields = "") {
  return kHead + fields + "\r\n" + ChunksOf(body, step) + "0\r\n\r\n";
}
bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class HttpChunksTest : public HttpFrontEndTest {};

TEST_F(HttpChunksTest, AreAnsweredNatively) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(ChunkedInferOf(JsonBody(7), 10) + InferOf(JsonBody(8)) + ChunkedInferOf(JsonBody(9), 1000)));
  for (const int first : {7, 8, 9}) EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(first))) << first;
  EXPECT_EQ(script_->taken(), 0u);
}

TEST_F(HttpChunksTest, AreTakenHoweverTheyCome) {
  const std::string request = ChunkedInferOf(JsonBody(7), 30);
  for (const size_t step : {size_t{1}, size_t{13}}) {
    HttpPeer client = Connect();
    for (size_t at = 0; at < request.size(); at += step) {
      ASSERT_TRUE(client.Send(request.substr(at, step)));
      Settle();
    }
    EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(7))) << step;
  }
  EXPECT_EQ(script_->taken(), 0u);
}

TEST_F(HttpChunksTest, MayBeLarge) {
  HttpPeer client = Connect();
  const std::string plain = BinaryInferOf(std::string(8 << 20, 'x'));
  const std::string body = plain.substr(plain.find("\r\n\r\n") + 4);
  const std::string json = "Inference-Header-Content-Length: " + std::to_string(body.size() - (8 << 20)) + "\r\n";
  ASSERT_TRUE(client.Send(ChunkedInferOf(body, 1 << 20, json)));
  const std::string answer = client.ReadAnswer();
  EXPECT_TRUE(Has(answer, "HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(answer.substr(answer.size() - (8 << 20)), std::string(8 << 20, 'x'));
}

TEST_F(HttpChunksTest, BeyondTheLimitAreRefusedAtOnceAndReadToTheirEnd) {
  options_.max_request_bytes = 1000;
  HttpPeer client = Connect();
  const std::string most = ChunksOf(std::string(1000, ' '), 500);
  ASSERT_TRUE(client.Send(kHead + std::string("\r\n") + most));
  Settle();
  ASSERT_TRUE(client.Send("1\r\n"));
  Settle();
  EXPECT_TRUE(client.IsSilent());
  ASSERT_TRUE(client.Send(" "));
  const std::string answer = client.ReadAnswer();
  EXPECT_TRUE(Has(answer, "HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_TRUE(Has(answer, "Connection: close\r\n"));
  EXPECT_TRUE(Has(answer, "the body is larger than the limit of 1000 bytes"));
  ASSERT_TRUE(client.Send("\r\n" + most + "0\r\n\r\n"));
  EXPECT_TRUE(client.IsEnded());
}

TEST_F(HttpChunksTest, CountAgainstTheBudgetWhileTheyArrive) {
  options_.max_receiving_bytes = 3000;
  HttpPeer first = Connect();
  ASSERT_TRUE(first.Send(kHead + std::string("\r\n") + ChunkOf(std::string(2000, ' '))));
  Settle();
  HttpPeer second = Connect();
  ASSERT_TRUE(second.Send(kHead + std::string("\r\n") + ChunkOf(std::string(1500, ' '))));
  EXPECT_TRUE(Has(second.ReadAnswer(), "taking in its part of --max-receiving-bytes already, 3000 bytes"));
  ASSERT_TRUE(first.Send(ChunkOf(JsonBody()) + "0\r\n\r\n"));
  EXPECT_TRUE(Has(first.ReadAnswer(), AnswerData(1)));
}

TEST_F(HttpChunksTest, GoToJavaScriptWithAllThatHasComeWhereTheyAreOdd) {
  struct Case {
    std::string sent;
    std::string passed;
  };
  const Case cases[] = {
      {"5\r\nhello\r\n3\r\nxyz\r\n5;a=\"b\"\r\nworld\r\n0\r\n\r\n", "8\r\nhelloxyz\r\n5;a=\"b\"\r\nworld\r\n0\r\n\r\n"},
      {"5\r\nhelloX", "5\r\nhelloX"},
      {"zz\r\n", "zz\r\n"},
      {"5\r\nhello\r\n0\r\nConnection: close\r\n\r\nGET", "5\r\nhello\r\n0\r\nConnection: close\r\n\r\nGET"},
  };
  for (const Case& one : cases) {
    HttpPeer client = Connect();
    ASSERT_TRUE(client.Send(kHead + std::string("\r\n") + one.sent));
    HttpPeer script = script_->Next();
    const std::string expected = kHead + std::string("\r\n") + one.passed;
    EXPECT_EQ(script.Read(expected.size()), expected);
    ASSERT_TRUE(client.Send("more"));
    EXPECT_EQ(script.Read(4), "more");
    ASSERT_TRUE(script.Send("whatever"));
    EXPECT_EQ(client.Read(8), "whatever");
  }
}

TEST_F(HttpChunksTest, CountUntilJavaScriptHasTakenThem) {
  options_.max_receiving_bytes = 8 << 20;
  HttpPeer client = Connect();
  const std::string data(6 << 20, 'x');
  ASSERT_TRUE(client.Send(kHead + std::string("\r\n") + ChunkOf(data) + "odd"));
  HttpPeer script = script_->Next();
  HttpPeer other = Connect();
  ASSERT_TRUE(other.Send(kHead + std::string("\r\n") + ChunkOf(std::string(3 << 20, ' '))));
  EXPECT_TRUE(Has(other.ReadAnswer(), "--max-receiving-bytes"));
  const std::string expected = kHead + std::string("\r\n") + "600000\r\n" + data + "\r\nodd";
  EXPECT_EQ(script.Read(expected.size()), expected);
  HttpPeer third = Connect();
  ASSERT_TRUE(third.Send(kHead + std::string("\r\n") + ChunkOf(JsonBody() + std::string(3 << 20, ' ')) + "0\r\n\r\n"));
  EXPECT_TRUE(Has(third.ReadAnswer(), AnswerData(1)));
}

TEST_F(HttpChunksTest, CutOffByAClientThatEndsGoToJavaScript) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(kHead + std::string("Expect: 100-continue\r\n\r\n")));
  EXPECT_EQ(client.Read(25), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(client.Send("5\r\nhel"));
  Settle();
  client.EndSending();
  HttpPeer script = script_->Next();
  const std::string expected = kHead + std::string("\r\n3\r\nhel");
  EXPECT_EQ(script.Read(expected.size()), expected);
  EXPECT_TRUE(script.IsEnded());
}

}  // namespace
}  // namespace penstock::frontend
