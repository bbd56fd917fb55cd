// Whole requests over TLS: a real client of OpenSSL, HTTP/1.1 and gRPC as without it.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "frontend/grpc_test_peer.h"
#include "frontend/test_grpc_front_end.h"
#include "frontend/test_http_front_end.h"
#include "frontend/test_tls_pump.h"
#include "transport/test_tls_client.h"

namespace penstock::frontend {
namespace {

using transport::ServerMaterial;
using transport::TlsClientOptions;
using transport::TlsTestClient;

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class TlsHttpTest : public HttpFrontEndTest {
 protected:
  void SetUp() override {
    const auto found = transport::FindTls();
    if (!found.ok()) GTEST_SKIP() << found.status().message();
  }
  void StartTls(const transport::TlsMaterial& material = ServerMaterial()) {
    if (loop_ == nullptr) Start();
    loop_->SetTls(MakeTlsContexts(material).value());
  }
  std::unique_ptr<TlsTestClient> Reach(const TlsClientOptions& options = {}) {
    if (loop_ == nullptr) StartTls();
    auto [client, server] = TcpPair();
    taker_->Take(std::move(server));
    return std::make_unique<TlsTestClient>(std::move(client), options);
  }
  // One answer with a Content-Length.
  static std::string AnswerTo(TlsTestClient* client) {
    std::string answer = client->ReadUntil("\r\n\r\n");
    const size_t at = answer.find("\r\nContent-Length: ");
    return at == std::string::npos ? answer : answer + client->Read(std::strtoull(answer.c_str() + at + 18, nullptr, 10));
  }
};

TEST_F(TlsHttpTest, AnswersRequestsOneAfterTheOtherAndPipelined) {
  const auto client = Reach({"\x08http/1.1", "", "", 0});
  ASSERT_TRUE(client->Shake());
  EXPECT_EQ(client->Protocol(), "http/1.1");
  ASSERT_TRUE(client->Send(InferOf(JsonBody(1))));
  EXPECT_TRUE(Has(AnswerTo(client.get()), AnswerData(1)));
  ASSERT_TRUE(client->Send(InferOf(JsonBody(2)) + InferOf(JsonBody(3))));
  EXPECT_TRUE(Has(AnswerTo(client.get()), AnswerData(2)));
  EXPECT_TRUE(Has(AnswerTo(client.get()), AnswerData(3)));
}

TEST_F(TlsHttpTest, AnswersTheRequestThatCameWithTheHandshake) {
  const auto client = Reach();
  ASSERT_TRUE(client->Shake());
  for (int i = 0; i < 20; ++i) {
    const auto another = Reach();
    ASSERT_TRUE(another->ShakeAndSend(InferOf(JsonBody(i))));
    EXPECT_TRUE(Has(AnswerTo(another.get()), AnswerData(i)));
  }
}

TEST_F(TlsHttpTest, TakesALargeBodyAndGivesALargeAnswer) {
  const auto client = Reach();
  ASSERT_TRUE(client->Shake());
  std::string data(8 << 20, '\0');
  for (size_t i = 0; i < data.size(); i += 4) data[i] = static_cast<char>(i / 4);
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(client->Send(BinaryInferOf(data)));
    const std::string answer = AnswerTo(client.get());
    EXPECT_TRUE(answer.size() > data.size() && answer.compare(answer.size() - data.size(), data.size(), data) == 0);
  }
}

TEST_F(TlsHttpTest, PassesWhatIsForJavaScriptOnInPlainText) {
  const auto client = Reach();
  ASSERT_TRUE(client->Shake());
  ASSERT_TRUE(client->Send(GetOf("/v2")));
  HttpPeer script = script_->Next();
  EXPECT_EQ(script.ReadUntil("\r\n\r\n"), GetOf("/v2"));
  ASSERT_TRUE(script.Send(ScriptAnswer("passed")));
  EXPECT_EQ(AnswerTo(client.get()), ScriptAnswer("passed"));
  ASSERT_TRUE(client->Send("PUT / HTTP/1.1\r\n\r\n"));
  HttpPeer tunnel = script_->Next();
  EXPECT_EQ(tunnel.ReadUntil("\r\n\r\n"), "PUT / HTTP/1.1\r\n\r\n");
  const std::string large(1 << 20, 'z');
  ASSERT_TRUE(tunnel.Send(large));
  EXPECT_TRUE(client->Read(large.size()) == large);
}

TEST_F(TlsHttpTest, SaysTheEndBehindTheLastAnswer) {
  const auto client = Reach();
  ASSERT_TRUE(client->Shake());
  ASSERT_TRUE(client->Send(InferOf(JsonBody(1), "Connection: close\r\n")));
  EXPECT_TRUE(Has(AnswerTo(client.get()), "Connection: close\r\n"));
  EXPECT_EQ(client->Read(1), "");
  EXPECT_TRUE(client->has_ended());
  EXPECT_TRUE(Eventually([this] { return ended_ == 1; }));
}

TEST_F(TlsHttpTest, SaysTheEndOfAPassedAnswerUnlessItIsCutShort) {
  struct Case {
    std::string answer;
    bool is_reset;  // the end of JavaScript's side
    bool says_end;
  };
  const std::string head = "HTTP/1.1 200 OK\r\n";
  for (const Case& one : {Case{head + "\r\nall", false, true}, Case{head + "\r\nhalf", true, false},
                          Case{head + "Content-Length: 9\r\n\r\nhalf", false, false}, Case{head + "Transf", false, false},
                          Case{head + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", false, false},
                          Case{head + "Content-Length: 3\r\nConnection: close\r\n\r\nall", true, true}}) {
    const auto client = Reach();
    ASSERT_TRUE(client->Shake());
    ASSERT_TRUE(client->Send(GetOf("/v2")));
    HttpPeer script = script_->Next();
    // Of a pair of sockets, one is reset whose other end goes with bytes unread.
    ASSERT_TRUE(Eventually([&] { return !script.IsSilent(); }));
    if (!one.is_reset) script.ReadUntil("\r\n\r\n");
    ASSERT_TRUE(script.Send(one.answer));
    script.Close();
    EXPECT_EQ(client->Read(one.answer.size()), one.answer);
    EXPECT_EQ(client->Read(1), "");
    EXPECT_EQ(client->has_ended(), one.says_end) << one.answer;
  }
}

TEST_F(TlsHttpTest, SaysNoEndBehindAPassedAnswerThatIsBroken) {
  const auto client = Reach();
  ASSERT_TRUE(client->Shake());
  ASSERT_TRUE(client->Send(GetOf("/v2")));
  HttpPeer script = script_->Next();
  ASSERT_TRUE(script.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nno size\r\n"));
  EXPECT_TRUE(Has(client->Read(1000), "half"));
  EXPECT_FALSE(client->has_ended());
}

TEST_F(TlsHttpTest, SaysNoEndWhenItIsDestroyedWithinAPassedAnswer) {
  const auto client = Reach();
  ASSERT_TRUE(client->Shake());
  ASSERT_TRUE(client->Send(GetOf("/v2")));
  HttpPeer script = script_->Next();
  const std::string half = "HTTP/1.1 200 OK\r\n\r\nhalf";
  ASSERT_TRUE(script.Send(half));
  EXPECT_EQ(client->Read(half.size()), half);
  loop_->Destroy();
  EXPECT_EQ(client->Read(1), "");
  EXPECT_FALSE(client->has_ended());
}

TEST_F(TlsHttpTest, CancelsWhatAClientWaitsForThatSaysItsEnd) {
  session_->ShutGate();
  const auto client = Reach();
  ASSERT_TRUE(client->Shake());
  ASSERT_TRUE(client->Send(InferOf(JsonBody(1))));
  session_->WaitForStarted(1);
  ASSERT_TRUE(client->EndSending());
  EXPECT_TRUE(Eventually([this] { return ended_ == 1; }));
}

TEST_F(TlsHttpTest, LosesClientsThatSpeakNoTlsOrAnotherProtocol) {
  StartTls();
  for (const std::string& said : {InferOf(JsonBody(1)), std::string(3000, 'x'), std::string(1, '\x16')}) {
    HttpPeer plain = Connect();
    ASSERT_TRUE(plain.Send(said));
    plain.EndSending();
    EXPECT_TRUE(plain.IsEnded());
  }
  const auto other = Reach({"\x02h2", "", "", 0});
  EXPECT_FALSE(other->Shake());
  EXPECT_TRUE(Has(other->error(), "no application protocol")) << other->error();
  EXPECT_TRUE(Eventually([this] { return ended_ == 4; }));
}

TEST_F(TlsHttpTest, LosesAClientThatStallsInItsHandshake) {
  options_.headers_timeout_ns = kNsPerSecond / 5;
  StartTls();
  HttpPeer silent = Connect();
  HttpPeer slow = Connect();
  ASSERT_TRUE(slow.Send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)));
  EXPECT_TRUE(silent.IsEnded());
  EXPECT_TRUE(slow.IsEnded());
  EXPECT_TRUE(Eventually([this] { return ended_ == 2; }));
}

TEST_F(TlsHttpTest, AsksForCertificatesWhereAnAuthorityIsGiven) {
  StartTls(ServerMaterial(transport::kCaCertificate));
  const auto known = Reach({"", transport::kClientCertificate, transport::kClientKey, 0});
  ASSERT_TRUE(known->Shake());
  ASSERT_TRUE(known->Send(InferOf(JsonBody(1))));
  EXPECT_TRUE(Has(AnswerTo(known.get()), AnswerData(1)));
  const auto unknown = Reach({"", transport::kStrangerCertificate, transport::kStrangerKey, 0});
  unknown->Shake();
  EXPECT_EQ(unknown->Read(1), "");
  EXPECT_TRUE(Eventually([this] { return ended_ == 1; }));
}

TEST_F(TlsHttpTest, UsesANewCertificateForNewConnectionsAndLeavesOthersAlone) {
  const auto before = Reach();
  ASSERT_TRUE(before->Shake());
  StartTls({transport::kRenewedCertificate, transport::kRenewedKey, ""});
  const auto after = Reach();
  ASSERT_TRUE(after->Shake());
  EXPECT_EQ(before->ServerCertificate(), transport::kServerCertificate);
  EXPECT_EQ(after->ServerCertificate(), transport::kRenewedCertificate);
  for (TlsTestClient* client : {before.get(), after.get()}) {
    ASSERT_TRUE(client->Send(InferOf(JsonBody(4))));
    EXPECT_TRUE(Has(AnswerTo(client), AnswerData(4)));
  }
  // And none at all.
  loop_->SetTls({});
  HttpPeer plain = Connect();
  ASSERT_TRUE(plain.Send(InferOf(JsonBody(5))));
  EXPECT_TRUE(Has(plain.ReadAnswer(), AnswerData(5)));
}

TEST_F(TlsHttpTest, DrainsConnectionsWithTheirAnswersAndEndsHandshakes) {
  const auto idle = Reach();
  ASSERT_TRUE(idle->Shake());
  ASSERT_TRUE(idle->Send(InferOf(JsonBody(1))));
  EXPECT_TRUE(Has(AnswerTo(idle.get()), AnswerData(1)));
  session_->ShutGate();
  const auto busy = Reach();
  ASSERT_TRUE(busy->Shake());
  ASSERT_TRUE(busy->Send(InferOf(JsonBody(2))));
  session_->WaitForStarted(2);
  HttpPeer shaking = Connect();
  Happenings drained;
  loop_->Drain([&] { drained.Add(); });
  EXPECT_EQ(idle->Read(1), "");
  EXPECT_TRUE(idle->has_ended());
  EXPECT_TRUE(shaking.IsEnded());
  EXPECT_EQ(drained.count(), 0u);
  session_->OpenGate();
  EXPECT_TRUE(Has(AnswerTo(busy.get()), "Connection: close\r\n"));
  EXPECT_TRUE(drained.WaitFor(1));
}

TEST_F(TlsHttpTest, TellsAClientToGoThatWasStillInItsHandshake) {
  const auto client = Reach();
  Settle();
  loop_->GoAway();
  ASSERT_TRUE(client->Shake());
  ASSERT_TRUE(client->Send(InferOf(JsonBody(1))));
  EXPECT_TRUE(Has(AnswerTo(client.get()), "Connection: close\r\n"));
}

TEST_F(TlsHttpTest, EndsHandshakesAndConnectionsWhenItIsDestroyed) {
  const auto client = Reach();
  ASSERT_TRUE(client->Shake());
  HttpPeer shaking = Connect();
  Settle();
  loop_->Destroy();
  EXPECT_EQ(client->Read(1), "");
  EXPECT_TRUE(shaking.IsEnded());
  EXPECT_TRUE(Eventually([this] { return ended_ == 2; }));
}

// What must hold for every schedule.
TEST_F(TlsHttpTest, OutlivesClientsThatLeaveAtAnyPointWhileCertificatesChange) {
  StartTls();
  hand_off_->Detach(attached_);  // half a request would wait there for an answer
  std::atomic<bool> over{false};
  std::thread renewing([&] {
    for (int i = 0; !over; ++i) {
      loop_->SetTls(MakeTlsContexts(i % 2 == 0 ? ServerMaterial() : ServerMaterial(transport::kCaCertificate)).value());
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < 60; ++i) {
    const auto client = Reach({"", transport::kClientCertificate, transport::kClientKey, i % 2 == 0 ? 0x0303 : 0x0304});
    if (i % 5 == 0) continue;
    ASSERT_TRUE(client->Shake());
    if (i % 5 == 1) continue;
    ASSERT_TRUE(client->Send(BinaryInferOf(std::string(320'000, 'a')).substr(0, i % 5 == 2 ? 100'000 : std::string::npos)));
    if (i % 5 == 4) {
      EXPECT_GT(AnswerTo(client.get()).size(), 320'000u);
    }
  }
  over = true;
  renewing.join();
  EXPECT_TRUE(Eventually([this] { return ended_ == 60; }));
}

class TlsGrpcTest : public GrpcFrontEndTest {
 protected:
  void SetUp() override {
    GrpcFrontEndTest::SetUp();
    const auto found = transport::FindTls();
    if (!found.ok()) GTEST_SKIP() << found.status().message();
  }
  void ServeTls() {
    Serve();
    loop_->SetTls(MakeTlsContexts(ServerMaterial()).value());
  }
  // The pump is to be destroyed after the client.
  std::unique_ptr<GrpcTestClient> Pumped(std::unique_ptr<TlsTestPump>* pump, const std::string& protocol = "h2") {
    auto [ours, plain] = transport::SocketPair();
    *pump = std::make_unique<TlsTestPump>(Connect(), std::move(plain), protocol);
    return std::make_unique<GrpcTestClient>(http2_, std::move(ours));
  }
};

TEST_F(TlsGrpcTest, AnswersCallsOfOneConnection) {
  ServeTls();
  std::unique_ptr<TlsTestPump> pump;
  auto client = Pumped(&pump);
  for (const size_t rows : {size_t{1}, size_t{3}, size_t{100'000}, size_t{2}}) {
    const GrpcTestClient::Reply& reply = client->Infer(Framed(EchoMessage(rows, '\7')));
    ASSERT_TRUE(reply.has_ended);
    EXPECT_EQ(reply.trailers.at("grpc-status"), "0");
    EXPECT_TRUE(Has(reply.body, std::string(rows * 16, '\7')));
  }
  std::vector<int32_t> calls;
  for (int i = 0; i < 50; ++i) calls.push_back(client->Begin(Framed(EchoMessage(1, static_cast<char>(i)))));
  ASSERT_TRUE(client->SendBytes(client->Unsent()));
  for (const int32_t call : calls) EXPECT_TRUE(client->UntilEnded(call));
  client.reset();
  EXPECT_TRUE(ended_.WaitFor(1));
}

TEST_F(TlsGrpcTest, PassesCallsToJavaScript) {
  const auto peer = std::make_shared<GrpcTestPeer>(http2_);
  hand_off_->Attach(peer, 0);
  ServeTls();
  std::unique_ptr<TlsTestPump> pump;
  auto client = Pumped(&pump);
  const std::string body(300'000, 'b');
  const GrpcTestClient::Reply passed = client->Infer(body, GrpcTestClient::InferHeadWith(":path", "/echo"));
  ASSERT_TRUE(passed.has_ended);
  EXPECT_TRUE(passed.body == body);
  EXPECT_EQ(client->Infer(Framed(EchoMessage())).trailers.at("grpc-status"), "0");
  client.reset();
}

TEST_F(TlsGrpcTest, TellsClientsToGoAndDrains) {
  ServeTls();
  std::unique_ptr<TlsTestPump> pump;
  auto client = Pumped(&pump);
  EXPECT_EQ(client->Infer(Framed(EchoMessage())).trailers.at("grpc-status"), "0");
  Happenings drained;
  loop_->Drain([&] { drained.Add(); });
  EXPECT_TRUE(client->UntilClosed());
  EXPECT_GE(client->goaways(), 1u);
  client.reset();
  EXPECT_TRUE(drained.WaitFor(1));
}

TEST_F(TlsGrpcTest, ServesWhoeverNamesNoProtocolAndRefusesOthers) {
  ServeTls();
  TlsTestClient none(Connect());
  ASSERT_TRUE(none.Shake());
  EXPECT_EQ(none.Read(9).size(), 9u);  // the head of our settings
  TlsTestClient other(Connect(), {"\x08http/1.1", "", "", 0});
  EXPECT_FALSE(other.Shake());
  EXPECT_TRUE(Has(other.error(), "no application protocol")) << other.error();
}

}  // namespace
}  // namespace penstock::frontend
