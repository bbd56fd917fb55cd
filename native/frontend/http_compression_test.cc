#include <gtest/gtest.h>

#include <future>
#include <random>
#include <string>
#include <vector>

#include "frontend/answer_compression.h"
#include "frontend/http_connection.h"
#include "frontend/test_http_front_end.h"

namespace penstock::frontend {
namespace {

constexpr const char* kGzip = "Accept-Encoding: gzip, deflate, br\r\n";

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Binary rows of "echo" that hardly shrink, finite as floats.
std::string BinaryInfer(size_t bytes) {
  std::minstd_rand random(1);
  std::string data(bytes, '\0');
  for (char& byte : data) byte = static_cast<char>(random() >> 8 & 0x3f);
  std::string request = BinaryInferOf(data);
  return request.insert(request.find("Host:"), kGzip);
}

class HttpCompressionTest : public HttpFrontEndTest {
 protected:
  // Calls `look` on the loop's thread, in each turn until it is false.
  void EachTurn(const std::function<bool()>& look) {
    std::promise<void> ended;
    std::function<void()> turn = [&] {
      if (look()) {
        loop_->events_loop().Post(turn);
      } else {
        ended.set_value();
      }
    };
    loop_->events_loop().Post(turn);
    ended.get_future().wait();
  }
  uint64_t Charged() const { return engine_.admission().bytes(); }
};

TEST_F(HttpCompressionTest, AnswersInTheEncodingThatIsAskedFor) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(InferOf(JsonBody(), kGzip) + InferOf(JsonBody(), "Accept-Encoding: deflate\r\n") + InferOf(JsonBody(3))));
  const std::string gzip = client.ReadAnswer();
  EXPECT_EQ(gzip.substr(0, 65), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ");
  EXPECT_TRUE(Has(gzip, "\r\nContent-Encoding: gzip\r\nDate: ")) << gzip;
  EXPECT_TRUE(Has(gzip, "\r\n\r\n\x1f\x8b"));  // RFC 1952, section 2.3.1
  const std::string deflate = client.ReadAnswer();
  EXPECT_TRUE(Has(deflate, "\r\nContent-Encoding: deflate\r\nDate: ")) << deflate;
  EXPECT_TRUE(Has(deflate, "\r\n\r\n\x78\x01"));  // RFC 1950, section 2.2: the fastest level
  const std::string plain = client.ReadAnswer();
  EXPECT_TRUE(Has(plain, AnswerData(3)));
  EXPECT_FALSE(Has(plain, "Content-Encoding"));
  EXPECT_EQ(script_->taken(), 0u);
}

TEST_F(HttpCompressionTest, LeavesErrorsAsTheyAre) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(InferOf(JsonBody(), kGzip, "nothing") + InferOf("{", kGzip)));
  for (int i = 0; i < 2; ++i) {
    const std::string answer = client.ReadAnswer();
    EXPECT_FALSE(Has(answer, "Content-Encoding"));
    EXPECT_TRUE(Has(answer, "{\"error\":")) << answer;
  }
  EXPECT_EQ(script_->taken(), 0u);
}

TEST_F(HttpCompressionTest, CompressesALargeAnswerOverManyTurns) {
  constexpr size_t kBytes = 4 << 20;
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(BinaryInfer(kBytes)));
  size_t turns = 0;
  // Between the moment it has its outputs and the one when the first bytes leave.
  EachTurn([&] {
    turns += served_.Counted().output_bytes_handed_out > 0 ? 1 : 0;
    return client.IsSilent();
  });
  EXPECT_GE(turns, kBytes / AnswerCompression::kTurnBytes - 1);
  const std::string answer = client.ReadAnswer();
  EXPECT_TRUE(Has(answer, "Content-Encoding: gzip\r\n"));
  EXPECT_TRUE(Eventually([&] { return Charged() == 0; }));
  EXPECT_EQ(script_->taken(), 0u);
}

TEST_F(HttpCompressionTest, StopsForAClientThatLeaves) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(BinaryInfer(8 << 20)));
  size_t turns = 0;
  EachTurn([&] {
    turns += served_.Counted().output_bytes_handed_out > 0 ? 1 : 0;
    if (turns < 5) return true;
    client.Break();
    return false;
  });
  EXPECT_TRUE(Eventually([&] { return ended_ == 1; }));
  EXPECT_TRUE(Eventually([&] { return Charged() == 0; }));
  const std::vector<RequestEvent> events = Events();
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().status, "aborted");
}

}  // namespace
}  // namespace penstock::frontend
