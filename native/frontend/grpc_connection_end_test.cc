// How connections of gRPC clients end.
#include <gtest/gtest.h>

#include <string>

#include "base/clock.h"
#include "frontend/test_grpc_front_end.h"


namespace penstock::frontend {
namespace {

class GrpcConnectionEndTest : public GrpcFrontEndTest {};

TEST_F(GrpcConnectionEndTest, ClosesConnectionsThatSpeakNoHttp2) {
  Serve();
  const transport::FileDescriptor garbage = Connect();
  ASSERT_EQ(send(garbage.get(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, MSG_NOSIGNAL), 27);
  EXPECT_TRUE(ended_.WaitFor(1));
}

TEST_F(GrpcConnectionEndTest, ClosesConnectionsThatSayNothing) {
  FrontEndOptions options;
  options.headers_timeout_ns = kNsPerSecond;
  Serve(options);
  const transport::FileDescriptor silent = Connect();
  auto client = Client();
  EXPECT_EQ(client->Infer(Framed(EchoMessage())).trailers.at("grpc-status"), "0");
  EXPECT_TRUE(ended_.WaitFor(1));
  EXPECT_EQ(client->Infer(Framed(EchoMessage())).trailers.at("grpc-status"), "0");
  EXPECT_EQ(ended_.count(), 1u);
}

TEST_F(GrpcConnectionEndTest, ClosesClientsThatTakeNothingOfTheirAnswers) {
  FrontEndOptions options;
  options.request_timeout_ns = kNsPerSecond / 5;
  Serve(options);
  auto client = Client(0);
  const int32_t call = client->Begin(Framed(EchoMessage()));
  EXPECT_TRUE(client->UntilClosed());
  EXPECT_FALSE(client->Of(call).has_ended);
  EXPECT_TRUE(ended_.WaitFor(1));
}

TEST_F(GrpcConnectionEndTest, TellsClientsToGoAndStillServesThem) {
  Serve();
  auto client = Client();
  EXPECT_EQ(client->Infer(Framed(EchoMessage())).trailers.at("grpc-status"), "0");
  engine_.session->ShutGate();
  const int32_t call = client->Begin(Framed(EchoMessage()));
  ASSERT_TRUE(client->SendBytes(client->Unsent()));
  engine_.session->WaitForStarted(2);
  loop_->GoAway();
  ASSERT_TRUE(client->Until([&] { return client->goaways() == 1; }));
  engine_.session->OpenGate();
  ASSERT_TRUE(client->UntilEnded(call));
  EXPECT_EQ(client->Of(call).trailers.at("grpc-status"), "0");
  EXPECT_EQ(ended_.count(), 0u);
}

TEST_F(GrpcConnectionEndTest, DrainsWithTheLastAnswer) {
  Serve();
  auto busy = Client();
  auto idle = Client();
  const transport::FileDescriptor silent = Connect();
  EXPECT_EQ(idle->Infer(Framed(EchoMessage())).trailers.at("grpc-status"), "0");
  engine_.session->ShutGate();
  const int32_t call = busy->Begin(Framed(EchoMessage()));
  ASSERT_TRUE(busy->SendBytes(busy->Unsent()));
  engine_.session->WaitForStarted(2);
  Happenings drained;
  loop_->Drain([&] { drained.Add(); });
  EXPECT_TRUE(idle->UntilClosed());
  EXPECT_GE(idle->goaways(), 1u);  // once it has the first one nghttp2 reports no more
  idle.reset();
  EXPECT_TRUE(ended_.WaitFor(2));
  EXPECT_EQ(drained.count(), 0u);
  engine_.session->OpenGate();
  ASSERT_TRUE(busy->UntilEnded(call));
  EXPECT_EQ(busy->Of(call).trailers.at("grpc-status"), "0");
  EXPECT_TRUE(busy->UntilClosed());
  busy.reset();
  EXPECT_TRUE(drained.WaitFor(1));
}

TEST_F(GrpcConnectionEndTest, EndsEverythingAtOnceWhenItsLoopIsDestroyed) {
  Serve();
  auto client = Client();
  engine_.session->ShutGate();
  client->Begin(Framed(EchoMessage()));
  ASSERT_TRUE(client->SendBytes(client->Unsent()));
  engine_.session->WaitForStarted(1);
  loop_->Destroy();
  EXPECT_TRUE(client->UntilClosed());
  EXPECT_EQ(ended_.count(), 1u);
}

}  // namespace
}  // namespace penstock::frontend
