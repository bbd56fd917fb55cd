// Requests over HTTP/1.1 whose bodies are compressed.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "frontend/http_connection.h"
#include "frontend/test_compressed.h"
#include "frontend/test_http_front_end.h"

namespace penstock::frontend {
namespace {

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
std::string GzipInferOf(const std::string& body) { return InferOf(Gzipped(body), "Content-Encoding: gzip\r\n"); }

class HttpCompressedBodyTest : public HttpFrontEndTest {};

TEST_F(HttpCompressedBodyTest, AreAnsweredNatively) {
  HttpPeer client = Connect();
  const std::string deflated = InferOf(Deflated(JsonBody(8)), "Content-Encoding: Deflate\r\n");
  ASSERT_TRUE(client.Send(GzipInferOf(JsonBody(7)) + deflated + InferOf(JsonBody(9))));
  for (const int first : {7, 8, 9}) EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(first))) << first;
  EXPECT_EQ(script_->taken(), 0u);
}

TEST_F(HttpCompressedBodyTest, MayComeInChunks) {
  HttpPeer client = Connect();
  const std::string body = Gzipped(JsonBody(7));
  std::string request = "POST /v2/models/echo/infer HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char c : body) request += std::string("1\r\n") + c + "\r\n";
  ASSERT_TRUE(client.Send(request + "0\r\n\r\n"));
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(7)));
  EXPECT_EQ(script_->taken(), 0u);
}

TEST_F(HttpCompressedBodyTest, MayBeLargeAndHoldNobodyUp) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(GzipInferOf(JsonBody(7) + std::string(32 << 20, ' '))));
  HttpPeer other = Connect();
  ASSERT_TRUE(other.Send(InferOf(JsonBody(8))));
  EXPECT_TRUE(Has(other.ReadAnswer(), AnswerData(8)));
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(7)));
}

TEST_F(HttpCompressedBodyTest, BrokenOrTooLargeAreRefusedAndTheConnectionGoesOn) {
  options_.max_request_bytes = 100'000;
  HttpPeer client = Connect();
  const std::string whole = Gzipped(JsonBody());
  struct Case {
    std::string request;
    std::string message;
  };
  const Case cases[] = {
      {InferOf(JsonBody(), "Content-Encoding: gzip\r\n"), "the body is not valid gzip data: incorrect header check"},
      {InferOf(whole.substr(0, 30), "Content-Encoding: gzip\r\n"), "the body is not valid gzip data: unexpected end of file"},
      {InferOf("", "Content-Encoding: deflate\r\n"), "the body is not valid deflate data: unexpected end of file"},
      {GzipInferOf(std::string(100'001, ' ')), "the decompressed body is larger than the limit of 100000 bytes"},
      {GzipInferOf(std::string(10 << 20, ' ')), "the decompressed body is larger than the limit of 100000 bytes"},
  };
  for (const Case& one : cases) {
    ASSERT_TRUE(client.Send(one.request));
    const std::string answer = client.ReadAnswer();
    EXPECT_TRUE(Has(answer, "HTTP/1.1 400 Bad Request\r\n")) << one.message;
    EXPECT_TRUE(Has(answer, "Connection: keep-alive\r\n")) << one.message;
    EXPECT_TRUE(Has(answer, one.message)) << answer;
  }
  ASSERT_TRUE(client.Send(GzipInferOf(JsonBody(7))));
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(7)));
  const std::vector<RequestEvent> events = Events();
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events[0].code, StatusCode::kRequestCompressed);
}

TEST_F(HttpCompressedBodyTest, CountAgainstTheBudgetAndGiveItBack) {
  options_.max_receiving_bytes = 1 << 20;
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(GzipInferOf(JsonBody() + std::string(2 << 20, ' '))));
  EXPECT_TRUE(Has(client.ReadAnswer(), "--max-receiving-bytes"));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(client.Send(GzipInferOf(JsonBody(i) + std::string(700'000, ' '))));
    EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(i))) << i;
  }
}

TEST_F(HttpCompressedBodyTest, OfAClientThatLeavesAreForNobody) {
  options_.max_receiving_bytes = 64 << 20;
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(GzipInferOf(JsonBody() + std::string(60 << 20, ' '))));
  client.Break();
  EXPECT_TRUE(Eventually([this] { return ended_ == 1; }));
  HttpPeer other = Connect();
  ASSERT_TRUE(other.Send(GzipInferOf(JsonBody(8) + std::string(60 << 20, ' '))));
  EXPECT_TRUE(Has(other.ReadAnswer(), AnswerData(8)));
}

}  // namespace
}  // namespace penstock::frontend
