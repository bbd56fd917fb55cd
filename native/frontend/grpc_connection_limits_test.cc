// What a gRPC client cannot do to the others: hold memory, time or work without end.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/clock.h"
#include "frontend/test_grpc_front_end.h"
#include "memory/block.h"
#include "transport/receive_buffer.h"

namespace penstock::frontend {
namespace {

class GrpcConnectionLimitsTest : public GrpcFrontEndTest {
 protected:
  std::vector<RequestEvent> Events() {
    uint64_t lost = 0;
    return events_->Take(&lost);
  }
  static uint64_t LiveBytes() { return memory::BlockPool::Process().live_bytes(); }
};

std::string Frame(uint8_t type, uint8_t flags, uint8_t stream, const std::string& payload) {
  std::string frame;
  for (int shift = 16; shift >= 0; shift -= 8) frame += static_cast<char>(payload.size() >> shift & 0xff);
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  return frame + std::string(3, '\0') + static_cast<char>(stream) + payload;
}

// A field that is not indexed (RFC 7541, 6.2.2); both texts are shorter than 127 bytes.
std::string LiteralField(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + static_cast<char>(name.size()) + name + static_cast<char>(value.size()) + value;
}

TEST_F(GrpcConnectionLimitsTest, EndsACallWhoseMessageDoesNotComeAndGivesItsBudgetBack) {
  FrontEndOptions options;
  options.max_receiving_bytes = 4000;
  options.request_timeout_ns = kNsPerSecond / 2;
  Serve(options);
  auto client = Client();
  const int32_t stalled = client->Begin(Framed(std::string(5000, 'x')).substr(0, 3900), GrpcTestClient::InferHead(), false);
  ASSERT_TRUE(client->UntilEnded(stalled));
  EXPECT_EQ(client->Of(stalled).head.at("grpc-status"), "4");
  EXPECT_EQ(client->Of(stalled).head.at("grpc-message"), "the%20request%20did%20not%20arrive%20in%20time");
  const std::vector<RequestEvent> events = Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].status, "DEADLINE_EXCEEDED");
  EXPECT_EQ(client->Infer(Framed(EchoMessage(200))).trailers.at("grpc-status"), "0");
}

TEST_F(GrpcConnectionLimitsTest, LetsTheEngineTakeLongerThanAMessageMayTakeToCome) {
  FrontEndOptions options;
  options.request_timeout_ns = kNsPerSecond / 5;
  Serve(options);
  engine_.session->ShutGate();
  auto client = Client();
  const int32_t running = client->Begin(Framed(EchoMessage()));
  ASSERT_TRUE(client->SendBytes(client->Unsent()));
  engine_.session->WaitForStarted(1);
  // The limit of this one begins later, and ends it.
  const int32_t stalled = client->Begin(std::string(3, '\0'), GrpcTestClient::InferHead(), false);
  ASSERT_TRUE(client->UntilEnded(stalled));
  EXPECT_FALSE(client->Of(running).has_head);
  engine_.session->OpenGate();
  ASSERT_TRUE(client->UntilEnded(running));
  EXPECT_EQ(client->Of(running).trailers.at("grpc-status"), "0");
}

TEST_F(GrpcConnectionLimitsTest, ResetsAnAnswerThatIsNotTakenWhileOthersAre) {
  FrontEndOptions options;
  options.request_timeout_ns = kNsPerSecond;
  Serve(options);
  auto client = Client(0);
  const int32_t untaken = client->Begin(Framed(EchoMessage()));
  int32_t taken = 0;
  ASSERT_TRUE(client->Until([&] {
    poll(nullptr, 0, 20);
    if (taken > 0) client->OpenWindow(taken, 100'000);
    taken = client->Begin(Framed(EchoMessage()));
    return client->Of(untaken).is_closed;
  }));
  EXPECT_EQ(client->Of(untaken).error, transport::kHttp2Cancel);
  EXPECT_EQ(client->Of(untaken).body.size(), 0u);
  EXPECT_EQ(ended_.count(), 0u);
}

TEST_F(GrpcConnectionLimitsTest, LogsACallThatItRefusesForTheWorkOfOthers) {
  FrontEndOptions options;
  options.max_concurrent_streams = 1;
  Serve(options);
  engine_.session->ShutGate();
  auto client = Client();
  const int32_t first = client->Begin(Framed(EchoMessage()));
  ASSERT_TRUE(client->SendBytes(client->Unsent()));
  engine_.session->WaitForStarted(1);
  const int32_t queued = client->Begin(Framed(EchoMessage()));  // leaves when the first one is over
  client->Reset(first);
  ASSERT_TRUE(client->Until([&] { return client->Of(queued).is_closed; }));
  EXPECT_EQ(client->Of(queued).error, transport::kHttp2RefusedStream);
  const std::vector<RequestEvent> events = Events();
  ASSERT_EQ(events.size(), 4u);  // two of the call that was cancelled
  EXPECT_EQ(events[2].kind, RequestEvent::Kind::kFailed);
  EXPECT_EQ(events[2].code, StatusCode::kInFlightFull);
  EXPECT_EQ(events[3].kind, RequestEvent::Kind::kEnded);
  EXPECT_EQ(events[3].status, "UNAVAILABLE");
}

TEST_F(GrpcConnectionLimitsTest, LogsACallThatNobodyTakes) {
  Serve();
  auto client = Client();
  const std::string path = "/inference.GRPCInferenceService/ServerLive";
  ASSERT_TRUE(client->Infer(Framed(""), GrpcTestClient::InferHeadWith(":path", path)).has_ended);
  const std::vector<RequestEvent> events = Events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].kind, RequestEvent::Kind::kFailed);
  EXPECT_EQ(events[0].path, path);
  EXPECT_EQ(events[0].code, StatusCode::kServerExiting);
  EXPECT_EQ(events[1].kind, RequestEvent::Kind::kEnded);
  EXPECT_EQ(events[1].status, "UNAVAILABLE");
}

TEST_F(GrpcConnectionLimitsTest, EndsAConnectionWhoseHeadHasNoEnd) {
  constexpr uint8_t kContinuation = 9;
  Serve();
  auto client = Client();
  ASSERT_EQ(client->Infer(Framed(EchoMessage())).trailers.at("grpc-status"), "0");
  const uint64_t before = LiveBytes();
  std::string fields;
  for (int i = 0; i < 100; ++i) fields += LiteralField("x-flood", std::string(100, 'x'));
  bool is_open = client->SendBytes(Frame(transport::kHttp2Headers, 0, 3, fields));
  for (int i = 0; i < 1000 && is_open; ++i) is_open = client->SendBytes(Frame(kContinuation, 0, 3, fields));
  EXPECT_TRUE(ended_.WaitFor(1));
  EXPECT_LE(LiveBytes(), before + 2 * transport::ReceiveBuffer::kBlockBytes);
  EXPECT_EQ(Client()->Infer(Framed(EchoMessage())).trailers.at("grpc-status"), "0");
}

TEST_F(GrpcConnectionLimitsTest, HoldsLittleMemoryForRapidResets) {
  FrontEndOptions options;
  options.max_concurrent_streams = 4;
  Serve(options);
  engine_.session->ShutGate();
  auto client = Client();
  const std::string body = Framed(EchoMessage(1024));
  client->Begin(body);
  ASSERT_TRUE(client->SendBytes(client->Unsent()));
  engine_.session->WaitForStarted(1);
  const uint64_t before = LiveBytes();
  uint64_t most = 0;
  bool is_open = true;  // newer releases of nghttp2 end the connection in the middle of it
  for (int call = 0; call < 2000 && is_open; ++call) {
    const int32_t id = client->Begin(body);
    std::string burst = client->Unsent();
    client->Reset(id);
    burst += client->Unsent();
    is_open = client->SendBytes(burst);
    most = std::max(most, LiveBytes());
  }
  // 32 MiB were sent. Each of the four has parts of two blocks, and as much again may be under way.
  EXPECT_LE(most, before + 16 * transport::ReceiveBuffer::kBlockBytes);
  client.reset();
  engine_.session->OpenGate();
  EXPECT_TRUE(HasNothingPending());
}

TEST_F(GrpcConnectionLimitsTest, ClosesManyConnectionsThatSayNothingWhileItServes) {
  FrontEndOptions options;
  options.headers_timeout_ns = kNsPerSecond;
  Serve(options);
  auto client = Client();
  EXPECT_EQ(client->Infer(Framed(EchoMessage())).trailers.at("grpc-status"), "0");
  const uint64_t before = LiveBytes();
  std::vector<transport::FileDescriptor> silent;
  for (int i = 0; i < 200; ++i) {
    silent.push_back(Connect());
    const size_t bytes = i % 2 == 0 ? 16 : 0;  // half of them begin
    EXPECT_EQ(send(silent.back().get(), "PRI * HTTP/2.0\r\n", bytes, MSG_NOSIGNAL), static_cast<ssize_t>(bytes));
  }
  EXPECT_EQ(client->Infer(Framed(EchoMessage())).trailers.at("grpc-status"), "0");
  EXPECT_LE(LiveBytes(), before + 2 * transport::ReceiveBuffer::kBlockBytes);
  EXPECT_TRUE(ended_.WaitFor(200));
  EXPECT_EQ(client->Infer(Framed(EchoMessage())).trailers.at("grpc-status"), "0");
  EXPECT_EQ(ended_.count(), 200u);
}

TEST_F(GrpcConnectionLimitsTest, AsksClientsThatSayNothingWhetherTheyLive) {
  FrontEndOptions options;
  options.headers_timeout_ns = 30 * kNsPerSecond;
  options.ping_after_ns = kNsPerSecond / 20;
  options.ping_timeout_ns = 2 * kNsPerSecond;
  Serve(options);
  auto client = Client();
  EXPECT_TRUE(client->Until([&] { return client->pings() >= 2; }));
  EXPECT_EQ(ended_.count(), 0u);
}

TEST_F(GrpcConnectionLimitsTest, ClosesClientsThatDoNotAnswerWhenTheyAreAsked) {
  FrontEndOptions options;
  options.headers_timeout_ns = 30 * kNsPerSecond;
  options.ping_after_ns = options.ping_timeout_ns = kNsPerSecond / 20;
  Serve(options);
  auto client = Client();
  ASSERT_TRUE(client->SendBytes(client->Unsent()));
  EXPECT_TRUE(ended_.WaitFor(1));
}

TEST_F(GrpcConnectionLimitsTest, DoesNotTakeAClientForDeadThatIsSlowToTakeItsAnswer) {
  FrontEndOptions options;
  options.headers_timeout_ns = 30 * kNsPerSecond;
  options.ping_after_ns = kNsPerSecond / 5;
  options.ping_timeout_ns = 2 * options.ping_after_ns;
  Serve(options);
  auto client = Client();
  const int32_t call = client->Begin(Framed(EchoMessage(1 << 19)));
  ASSERT_TRUE(client->Until([&] { return client->Of(call).body.size() > 100'000; }));
  // The rest is more than the socket takes: there is nothing to read of whoever is not written to.
  poll(nullptr, 0, 1200);
  EXPECT_EQ(ended_.count(), 0u);
}

}  // namespace
}  // namespace penstock::frontend
