// Calls of gRPC clients that are answered natively: real sockets, a real nghttp2 client, a real engine.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "frontend/test_grpc_front_end.h"

namespace penstock::frontend {
namespace {

class GrpcConnectionTest : public GrpcFrontEndTest {};

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

TEST_F(GrpcConnectionTest, AnswersManyCallsOfOneWrite) {
  Serve();
  auto client = Client();
  std::vector<int32_t> calls;
  for (int i = 0; i < 100; ++i) calls.push_back(client->Begin(Framed(EchoMessage(1, static_cast<char>(i)))));
  ASSERT_TRUE(client->SendBytes(client->Unsent()));
  for (size_t i = 0; i < calls.size(); ++i) {
    ASSERT_TRUE(client->UntilEnded(calls[i]));
    const GrpcTestClient::Reply& reply = client->Of(calls[i]);
    EXPECT_EQ(reply.trailers.at("grpc-status"), "0");
    EXPECT_EQ(reply.body.substr(reply.body.size() - 16), std::string(16, static_cast<char>(i)));
  }
}

TEST_F(GrpcConnectionTest, ReadsACallThatComesByteByByte) {
  Serve();
  auto client = Client();
  const int32_t call = client->Begin(Framed(EchoMessage(2, '\5')));
  for (const char byte : client->Unsent()) ASSERT_TRUE(client->SendBytes({&byte, 1}));
  ASSERT_TRUE(client->UntilEnded(call));
  EXPECT_EQ(client->Of(call).body.substr(client->Of(call).body.size() - 32), std::string(32, '\5'));
}

TEST_F(GrpcConnectionTest, RefusesWhatIsNotOneMessage) {
  Serve();
  auto client = Client();
  const std::string message = Framed(EchoMessage());
  const auto expect = [&](const std::string& body, const std::string& status, const std::string& text) {
    const GrpcTestClient::Reply& reply = client->Infer(body);
    ASSERT_TRUE(reply.has_ended) << text;
    EXPECT_EQ(reply.body, "");
    EXPECT_EQ(reply.head.at("content-type"), "application/grpc+proto");
    EXPECT_EQ(reply.head.at("grpc-status"), status);
    EXPECT_EQ(reply.head.at("grpc-message"), text);
    EXPECT_EQ(reply.head.count("grpc-status-details-bin"), 0u);
    EXPECT_EQ(reply.head.count("date"), 1u);
  };
  const std::string none =
      "Received%20no%20request%20message%20for%20server%20streaming%20method%20/inference.GRPCInferenceService/ModelInfer";
  const std::string two =
      "Received%20a%20second%20request%20message%20for%20server%20streaming%20method%20/inference.GRPCInferenceService/ModelInfer";
  expect("", "12", none);
  expect(message.substr(0, 3), "12", none);
  expect(message.substr(0, message.size() - 1), "12", none);
  expect(message + message, "12", two);
  expect(Framed("") + message, "12", two);
  expect(Framed(""), "3", "model_name:%20found%20%22%22%20(0%20bytes),%20expected%201%20to%201024%20bytes");
  expect(std::string("\0\x80\0\0\0", 5), "8", "Received%20message%20larger%20than%20max%20(2147483648%20vs%202147483647)");
  // As grpc-js has it: without an agreed compression the flag means nothing, and a second message that is cut off is none.
  EXPECT_EQ(client->Infer(Framed(EchoMessage(), '\1')).trailers.at("grpc-status"), "0");
  EXPECT_EQ(client->Infer(message + message.substr(0, 9)).trailers.at("grpc-status"), "0");
}

TEST_F(GrpcConnectionTest, RefusesAMessageThatIsTooLargeBeforeItComes) {
  FrontEndOptions options;
  options.max_request_bytes = 1000;
  Serve(options);
  auto client = Client();
  std::string body = Framed(std::string(1001, 'x'));
  const int32_t call = client->Begin(body.substr(0, 5), GrpcTestClient::InferHead(), false);
  ASSERT_TRUE(client->UntilEnded(call));
  EXPECT_EQ(client->Of(call).head.at("grpc-status"), "8");
  EXPECT_EQ(client->Of(call).head.at("grpc-message"), "Received%20message%20larger%20than%20max%20(1001%20vs%201000)");
  // The client has not ended its side: it is told that nobody waits for it.
  ASSERT_TRUE(client->Until([&] { return client->Of(call).is_closed; }));
  EXPECT_EQ(client->Of(call).error, transport::kHttp2NoError);
}

TEST_F(GrpcConnectionTest, RefusesMessagesBeyondTheBudgetAndGivesItBack) {
  FrontEndOptions options;
  options.max_receiving_bytes = 4000;
  Serve(options);
  auto client = Client();
  const std::string large = Framed(EchoMessage(8));
  const int32_t held = client->Begin(Framed(std::string(5000, 'x')).substr(0, 3900), GrpcTestClient::InferHead(), false);
  ASSERT_TRUE(client->SendBytes(client->Unsent()));
  const GrpcTestClient::Reply refused = client->Infer(large);
  ASSERT_TRUE(refused.has_ended);
  EXPECT_EQ(refused.head.at("grpc-status"), "14");
  EXPECT_EQ(refused.head.at("grpc-message"),
            "this%20front-end%20thread%20is%20taking%20in%20its%20part%20of%20--max-receiving-bytes%20already,"
            "%204000%20bytes;%20try%20again%20later");
  EXPECT_EQ(refused.head.count("grpc-status-details-bin"), 1u);
  client->Reset(held);
  EXPECT_EQ(client->Infer(large).trailers.at("grpc-status"), "0");
}

TEST_F(GrpcConnectionTest, TakesAndGivesMessagesOfEightMegabytes) {
  FrontEndOptions options;
  options.max_receiving_bytes = 9 << 20;
  Serve(options);
  auto client = Client();
  constexpr int64_t kRows = (8 << 20) / 16;
  for (char byte = 1; byte <= 3; ++byte) {
    const GrpcTestClient::Reply reply = client->Infer(Framed(EchoMessage(kRows, byte)));
    ASSERT_TRUE(reply.has_ended);
    ASSERT_EQ(reply.trailers.at("grpc-status"), "0");
    EXPECT_EQ(Framed(reply.body.substr(5)), reply.body);
    EXPECT_TRUE(reply.body.substr(reply.body.size() - kRows * 16) == std::string(kRows * 16, byte));
  }
  EXPECT_EQ(engine_.Counted().output_bytes_copied, 0u);
}

TEST_F(GrpcConnectionTest, EndsACallAtItsDeadline) {
  Serve();
  auto client = Client();
  engine_.session->ShutGate();
  const GrpcTestClient::Reply& reply = client->Infer(Framed(EchoMessage()), GrpcTestClient::InferHeadWith("grpc-timeout", "50m"));
  ASSERT_TRUE(reply.has_ended);
  EXPECT_EQ(reply.head.at("grpc-status"), "4");
  EXPECT_EQ(reply.head.at("grpc-message"), "Deadline%20exceeded");
  engine_.session->OpenGate();
  EXPECT_TRUE(HasNothingPending());
  // The connection is as good as before.
  EXPECT_EQ(client->Infer(Framed(EchoMessage())).trailers.at("grpc-status"), "0");
}

TEST_F(GrpcConnectionTest, EndsACallAtItsDeadlineWhileItsMessageIsComing) {
  Serve();
  auto client = Client();
  const int32_t call = client->Begin(Framed(EchoMessage()).substr(0, 20), GrpcTestClient::InferHeadWith("grpc-timeout", "20m"), false);
  ASSERT_TRUE(client->Until([&] { return client->Of(call).is_closed; }));
  EXPECT_EQ(client->Of(call).head.at("grpc-status"), "4");
}

TEST_F(GrpcConnectionTest, CancelsTheCallsOfAClientThatResetsThem) {
  Serve();
  auto client = Client();
  engine_.session->ShutGate();
  const int32_t call = client->Begin(Framed(EchoMessage()));
  ASSERT_TRUE(client->SendBytes(client->Unsent()));
  engine_.session->WaitForStarted(1);
  const int32_t queued = client->Begin(Framed(EchoMessage()));
  ASSERT_TRUE(client->Until([&] { return Pending() == 2; }));
  client->Reset(call);
  client->Reset(queued);
  ASSERT_TRUE(client->SendBytes(client->Unsent()));
  engine_.session->OpenGate();
  EXPECT_TRUE(HasNothingPending());
  uint64_t lost = 0;
  const std::vector<RequestEvent> events = events_->Take(&lost);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].code, StatusCode::kRequestCancelled);
  EXPECT_EQ(events[1].status, "CANCELLED");
}

TEST_F(GrpcConnectionTest, CancelsTheCallsOfAClientThatLeaves) {
  Serve();
  auto client = Client();
  engine_.session->ShutGate();
  client->Begin(Framed(EchoMessage()));
  ASSERT_TRUE(client->SendBytes(client->Unsent()));
  engine_.session->WaitForStarted(1);
  client.reset();
  EXPECT_TRUE(ended_.WaitFor(1));
  engine_.session->OpenGate();
  EXPECT_TRUE(HasNothingPending());
}

TEST_F(GrpcConnectionTest, BoundsTheWorkThatRapidResetsMake) {
  FrontEndOptions options;
  options.max_concurrent_streams = 10;
  Serve(options);
  engine_.session->ShutGate();
  auto client = Client();
  ASSERT_TRUE(client->Until([&] { return client->server_setting(transport::kHttp2MaxConcurrentStreams) == 10; }));
  const std::string body = Framed(EchoMessage());
  client->Begin(body);
  ASSERT_TRUE(client->SendBytes(client->Unsent()));
  engine_.session->WaitForStarted(1);
  size_t most = 0;
  bool is_open = true;  // newer releases of nghttp2 end the connection in the middle of it
  for (int round = 0; round < 50 && is_open; ++round) {
    std::string burst;
    for (int i = 0; i < 100; ++i) {
      const int32_t call = client->Begin(body);
      burst += client->Unsent();
      client->Reset(call);
      burst += client->Unsent();
    }
    is_open = client->SendBytes(burst);
    most = std::max(most, Pending());
  }
  EXPECT_GE(most, 1u);
  EXPECT_LE(most, 10u);
  engine_.session->OpenGate();
  EXPECT_TRUE(HasNothingPending());
  // Those that were cancelled before they ran cost no run.
  EXPECT_EQ(engine_.session->started(), 1u);
  auto other = Client();
  EXPECT_EQ(other->Infer(body).trailers.at("grpc-status"), "0");
}

TEST_F(GrpcConnectionTest, RefusesStreamsWhileCancelledOnesAreWork) {
  FrontEndOptions options;
  options.max_concurrent_streams = 2;
  Serve(options);
  engine_.session->ShutGate();
  auto client = Client();
  const int32_t first = client->Begin(Framed(EchoMessage()));
  ASSERT_TRUE(client->SendBytes(client->Unsent()));
  engine_.session->WaitForStarted(1);
  client->Begin(Framed(EchoMessage()));
  ASSERT_TRUE(client->Until([&] { return Pending() == 2; }));
  client->Reset(first);
  const int32_t third = client->Begin(Framed(EchoMessage()));
  ASSERT_TRUE(client->Until([&] { return client->Of(third).is_closed; }));
  EXPECT_EQ(client->Of(third).error, transport::kHttp2RefusedStream);
}

TEST_F(GrpcConnectionTest, ResetsAHeadThatIsTooLarge) {
  Serve();
  auto client = Client();
  const int32_t call = client->Begin(Framed(EchoMessage()), GrpcTestClient::InferHeadWith("x-large", std::string(17'000, 'x')));
  ASSERT_TRUE(client->Until([&] { return client->Of(call).is_closed; }));
  EXPECT_EQ(client->Of(call).error, transport::kHttp2EnhanceYourCalm);
  EXPECT_EQ(client->Infer(Framed(EchoMessage())).trailers.at("grpc-status"), "0");
}

TEST_F(GrpcConnectionTest, RefusesOtherCallsWhileJavaScriptTakesNone) {
  Serve();
  auto client = Client();
  const GrpcTestClient::Reply& reply =
      client->Infer(Framed(""), GrpcTestClient::InferHeadWith(":path", "/inference.GRPCInferenceService/ServerLive"));
  ASSERT_TRUE(reply.has_ended);
  EXPECT_EQ(reply.head.at("grpc-status"), "14");
}

TEST_F(GrpcConnectionTest, SendsAsTheClientsWindowAllows) {
  Serve();
  auto client = Client(10);
  const int32_t call = client->Begin(Framed(EchoMessage(8, '\7')));
  ASSERT_TRUE(client->Until([&] { return client->Of(call).body.size() == 10; }));
  client->OpenWindow(call, 100'000);
  ASSERT_TRUE(client->UntilEnded(call));
  EXPECT_EQ(client->Of(call).trailers.at("grpc-status"), "0");
  EXPECT_EQ(client->Of(call).body.substr(client->Of(call).body.size() - 128), std::string(128, '\7'));
}

}  // namespace
}  // namespace penstock::frontend
