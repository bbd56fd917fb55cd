// Clients of the native gRPC front end: real sockets, a real nghttp2 client, a real engine.
#include "frontend/grpc_connection.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "frontend/grpc_test_client.h"
#include "frontend/test_engine.h"
#include "transport/nghttp2_library.h"
#include "transport/test_peers.h"

namespace penstock::frontend {
namespace {

using transport::FileDescriptor;

class GrpcConnectionTest : public testing::Test {
 protected:
  void Serve(FrontEndOptions options = {}) {
    const auto found = transport::FindNghttp2();
    ASSERT_TRUE(found.ok()) << found.status().message();
    http2_ = found.value();
    auto loop = Loop::Start(options, &engine_.engine, codec::CodecLimits{}, {&MakeGrpcConnection, &MakeGrpcConnection}, events_, http2_, 0);
    ASSERT_TRUE(loop.ok());
    loop_ = loop.value();
    taker_ = loop_->TakerFor(Protocol::kGrpc, hand_off_, [this] { ended_.Add(); });
  }
  void TearDown() override {
    engine_.session->OpenGate();
    if (loop_ != nullptr) loop_->Destroy();
  }
  FileDescriptor Connect() {
    auto [ours, theirs] = transport::SocketPair();
    taker_->Take(std::move(theirs));
    return std::move(ours);
  }
  std::unique_ptr<GrpcTestClient> Client(int32_t window = transport::kHttp2MaxWindow) {
    return std::make_unique<GrpcTestClient>(http2_, Connect(), window);
  }
  size_t Pending() {
    size_t pending = 0;
    OnLoop(&loop_->events_loop(), [&] { pending = loop_->calls().pending(); });
    return pending;
  }
  bool HasNothingPending() {
    for (int tries = 0; tries < 3000; ++tries) {
      if (Pending() == 0) return true;
      poll(nullptr, 0, 10);
    }
    return false;
  }

  const transport::Nghttp2* http2_ = nullptr;
  TestEngine engine_;
  const std::shared_ptr<RequestEvents> events_ = std::make_shared<RequestEvents>(true, true, [] {});
  const std::shared_ptr<HandOff> hand_off_ = std::make_shared<HandOff>();
  Happenings ended_;
  std::shared_ptr<Loop> loop_;
  std::shared_ptr<transport::ConnectionTaker> taker_;
};

TEST_F(GrpcConnectionTest, AnswersACall) {
  Serve();
  auto client = Client();
  const GrpcTestClient::Reply& reply = client->Infer(Framed(EchoMessage(1, '\3', "one")));
  ASSERT_TRUE(reply.has_ended);
  EXPECT_EQ(reply.head.at(":status"), "200");
  EXPECT_EQ(reply.head.at("content-type"), "application/grpc+proto");
  EXPECT_EQ(reply.head.at("grpc-accept-encoding"), "identity,deflate,gzip");
  EXPECT_EQ(reply.head.at("grpc-encoding"), "identity");
  EXPECT_EQ(reply.head.at("date").size(), std::string("Sat, 21 Nov 2026 22:00:00 GMT").size());
  EXPECT_EQ(reply.head.size(), 5u);
  EXPECT_EQ(reply.trailers, (std::map<std::string, std::string>{{"grpc-status", "0"}, {"grpc-message", "OK"}}));
  ASSERT_GT(reply.body.size(), 21u);
  EXPECT_EQ(Framed(reply.body.substr(5)), reply.body);
  EXPECT_EQ(reply.body.substr(reply.body.size() - 16), std::string(16, '\3'));
}

TEST_F(GrpcConnectionTest, TellsWhatHappened) {
  Serve();
  auto client = Client();
  const std::string message = EchoMessage(1, '\1', "seven");
  const size_t bytes_out = client->Infer(Framed(message)).body.size() - 5;
  client->Infer(Framed(EchoMessage(1, '\1', "", "nobody")));
  uint64_t lost = 0;
  const std::vector<RequestEvent> events = events_->Take(&lost);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].kind, RequestEvent::Kind::kEnded);
  EXPECT_EQ(events[0].method, "GRPC");
  EXPECT_EQ(events[0].path, kModelInferPath);
  EXPECT_EQ(events[0].request_id, "seven");
  EXPECT_EQ(events[0].status, "OK");
  EXPECT_EQ(events[0].bytes_in, message.size());
  EXPECT_EQ(events[0].bytes_out, bytes_out);
  EXPECT_EQ(events[1].kind, RequestEvent::Kind::kFailed);
  EXPECT_EQ(events[1].code, StatusCode::kModelUnknown);
  EXPECT_EQ(events[2].status, "NOT_FOUND");
}

}  // namespace
}  // namespace penstock::frontend
