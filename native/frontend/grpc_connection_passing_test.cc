// Calls of gRPC clients that JavaScript answers, beside those that it does not.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "frontend/grpc_test_peer.h"
#include "frontend/test_grpc_front_end.h"

namespace penstock::frontend {
namespace {

class GrpcConnectionPassingTest : public GrpcFrontEndTest {
 protected:
  void SetUp() override {
    GrpcFrontEndTest::SetUp();
    if (http2_ == nullptr) return;
    peer_ = std::make_shared<GrpcTestPeer>(http2_);
    hand_off_->Attach(peer_, 0);
    Serve();
  }
  static std::vector<HeaderField> HeadFor(const std::string& path) { return GrpcTestClient::InferHeadWith(":path", path); }

  std::shared_ptr<GrpcTestPeer> peer_;
};

TEST_F(GrpcConnectionPassingTest, PassesCallsAndAnswersOthersItself) {
  auto client = Client();
  const std::string body(300'000, 'b');
  const GrpcTestClient::Reply passed = client->Infer(body, HeadFor("/echo"));
  ASSERT_TRUE(passed.has_ended);
  EXPECT_EQ(passed.head.at(":status"), "200");
  EXPECT_TRUE(passed.body == body);
  EXPECT_EQ(passed.trailers.count("grpc-status"), 1u);
  EXPECT_EQ(peer_->last_fields().at("te"), "trailers");
  EXPECT_EQ(client->Infer(Framed(EchoMessage())).trailers.at("grpc-status"), "0");
  EXPECT_EQ(client->Infer("", HeadFor("/status")).head.at("grpc-status"), "5");
  EXPECT_EQ(client->Infer("", HeadFor("/echo")).has_ended, true);
  EXPECT_EQ(client->Infer("x", HeadFor("/plain")).body, "here");
  EXPECT_EQ(peer_->connections_made(), 1u);
  EXPECT_EQ(peer_->calls_come(), 4u);
}

TEST_F(GrpcConnectionPassingTest, PassesAModelInferWhoseHeadIsNotPlain) {
  auto client = Client();
  const auto is_passed = [&](const std::vector<HeaderField>& head) {
    const size_t before = peer_->calls_come();
    const int32_t call = client->Begin(Framed(EchoMessage()), head);
    const bool has_come = client->Until([&] { return peer_->calls_come() > before || client->Of(call).has_ended; });
    client->Reset(call);
    return has_come && peer_->calls_come() > before;
  };
  EXPECT_TRUE(is_passed(GrpcTestClient::InferHeadWith("grpc-encoding", "snappy")));
  EXPECT_TRUE(is_passed(GrpcTestClient::InferHeadWith("grpc-encoding", "Gzip")));
  EXPECT_TRUE(is_passed(GrpcTestClient::InferHeadWith("grpc-timeout", "soon")));
  EXPECT_TRUE(is_passed(GrpcTestClient::InferHeadWith("content-type", "application/grpc+json")));
  EXPECT_TRUE(is_passed(GrpcTestClient::InferHeadWith(":method", "PUT")));
  for (const char* const encoding : {"identity", "gzip", "deflate"}) {
    EXPECT_FALSE(is_passed(GrpcTestClient::InferHeadWith("grpc-encoding", encoding))) << encoding;
  }
  EXPECT_FALSE(is_passed(GrpcTestClient::InferHeadWith("grpc-timeout", "10S")));
  EXPECT_FALSE(is_passed(GrpcTestClient::InferHeadWith("content-type", "application/grpc+proto")));
}

TEST_F(GrpcConnectionPassingTest, SendsAnAnswerOnlyAsTheClientTakesIt) {
  auto client = Client(1000);
  std::vector<HeaderField> head = HeadFor("/bytes");
  head.push_back({"x-bytes", "20000000"});
  const int32_t call = client->Begin("", head);
  ASSERT_TRUE(client->Until([&] { return client->Of(call).body.size() == 1000; }));
  EXPECT_EQ(client->Infer(Framed("x"), HeadFor("/status")).head.at("grpc-status"), "5");
  EXPECT_LT(peer_->body_bytes_sent(), 5'000'000u);
  client->OpenWindow(call, 30'000'000);
  ASSERT_TRUE(client->UntilEnded(call));
  EXPECT_EQ(client->Of(call).body.size(), 20'000'000u);
}

TEST_F(GrpcConnectionPassingTest, PassesResetsBothWays) {
  auto client = Client();
  const int32_t reset = client->Begin("x", HeadFor("/reset"));
  ASSERT_TRUE(client->Until([&] { return client->Of(reset).is_closed; }));
  EXPECT_EQ(client->Of(reset).error, transport::kHttp2EnhanceYourCalm);
  const int32_t call = client->Begin("x", HeadFor("/head"), false);
  ASSERT_TRUE(client->Until([&] { return client->Of(call).has_head; }));
  client->Reset(call);
  EXPECT_TRUE(client->Until([&] { return peer_->last_error() == transport::kHttp2Cancel; }));
}

TEST_F(GrpcConnectionPassingTest, CancelsTheCallsOfAClientThatLeaves) {
  auto client = Client();
  const int32_t call = client->Begin("x", HeadFor("/head"), false);
  ASSERT_TRUE(client->Until([&] { return client->Of(call).has_head; }));
  client.reset();
  EXPECT_TRUE(ended_.WaitFor(1));
}

TEST_F(GrpcConnectionPassingTest, ConnectsAgainWhenJavaScriptGoesAway) {
  auto client = Client();
  EXPECT_EQ(client->Infer("x", HeadFor("/status")).head.at("grpc-status"), "5");
  const int32_t waiting = client->Begin("x", HeadFor("/head"), false);
  ASSERT_TRUE(client->Until([&] { return client->Of(waiting).has_head; }));
  peer_->GoAway();
  // A call that crosses the news is refused, so that its client makes it again.
  const auto is_answered = [&] {
    const GrpcTestClient::Reply reply = client->Infer("x", HeadFor("/status"));
    if (reply.has_ended) return reply.head.at("grpc-status") == "5";
    EXPECT_EQ(reply.error, transport::kHttp2RefusedStream);
    return false;
  };
  ASSERT_TRUE(client->Until([&] { return is_answered() && peer_->connections_made() == 2; }));
  EXPECT_FALSE(client->Of(waiting).is_closed);
  peer_->Die();
  EXPECT_TRUE(client->Until([&] { return client->Of(waiting).is_closed; }));
  EXPECT_TRUE(client->Until(is_answered));
  EXPECT_EQ(client->Infer(Framed(EchoMessage())).trailers.at("grpc-status"), "0");
}

}  // namespace
}  // namespace penstock::frontend
