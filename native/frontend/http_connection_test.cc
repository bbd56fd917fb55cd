#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "frontend/http_connection.h"
#include "frontend/test_http_front_end.h"

namespace penstock::frontend {
namespace {

using HttpConnectionTest = HttpFrontEndTest;

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_F(HttpConnectionTest, AnswersOneRequestAfterTheOtherOnAConnection) {
  HttpPeer client = Connect();
  for (int i = 1; i <= 5; ++i) {
    ASSERT_TRUE(client.Send(InferOf(JsonBody(i))));
    const std::string answer = client.ReadAnswer();
    EXPECT_EQ(answer.substr(0, 17), "HTTP/1.1 200 OK\r\n");
    EXPECT_TRUE(Has(answer, "Connection: keep-alive\r\nKeep-Alive: timeout=60\r\n"));
    EXPECT_TRUE(Has(answer, AnswerData(i))) << answer;
  }
  EXPECT_EQ(script_->taken(), 0u);
}

TEST_F(HttpConnectionTest, AnswersPipelinedRequestsInTheirOrder) {
  HttpPeer client = Connect();
  std::string requests;
  for (int i = 1; i <= 50; ++i) requests += InferOf(JsonBody(i));
  ASSERT_TRUE(client.Send(requests));
  for (int i = 1; i <= 50; ++i) EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(i))) << i;
}

TEST_F(HttpConnectionTest, TakesARequestThatComesInTwoPiecesWhereverItIsSplit) {
  HttpPeer client = Connect();
  const std::string request = InferOf(JsonBody(7));
  for (size_t at = 1; at < request.size(); ++at) {
    ASSERT_TRUE(client.Send(request.substr(0, at)));
    Settle();
    ASSERT_TRUE(client.Send(request.substr(at)));
    ASSERT_TRUE(Has(client.ReadAnswer(), AnswerData(7))) << at;
  }
  EXPECT_EQ(script_->taken(), 0u);
}

TEST_F(HttpConnectionTest, TakesARequestThatComesByteByByte) {
  HttpPeer client = Connect();
  for (const char byte : InferOf(JsonBody(7))) {
    ASSERT_TRUE(client.Send(std::string(1, byte)));
    Settle();
  }
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(7)));
}

TEST_F(HttpConnectionTest, TakesALargeBinaryBodyInPiecesAndCopiesNothingOfItsAnswer) {
  HttpPeer client = Connect();
  std::string data(8 << 20, '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i % 251 & 0x3f);
  ASSERT_TRUE(client.Send(BinaryInferOf(data)));
  const std::string answer = client.ReadAnswer();
  ASSERT_EQ(answer.substr(0, 17), "HTTP/1.1 200 OK\r\n") << answer.substr(0, 500);
  ASSERT_GT(answer.size(), data.size());
  EXPECT_TRUE(answer.compare(answer.size() - data.size(), data.size(), data) == 0);
  EXPECT_TRUE(Eventually([&] { return served_.Counted().output_bytes_handed_out == data.size(); }));
  EXPECT_EQ(served_.Counted().output_bytes_copied, 0u);
}

TEST_F(HttpConnectionTest, AnswersWhatTheEngineRefusesAndGoesOn) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(InferOf(JsonBody(), "", "nothing") + InferOf("{") + InferOf(JsonBody(3))));
  EXPECT_EQ(client.ReadAnswer().substr(0, 24), "HTTP/1.1 404 Not Found\r\n");
  EXPECT_EQ(client.ReadAnswer().substr(0, 26), "HTTP/1.1 400 Bad Request\r\n");
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(3)));
}

TEST_F(HttpConnectionTest, SaysWhatBecameOfEachRequest) {
  HttpPeer client = Connect();
  session_->FailWith(Status(StatusCode::kInternal, "the whole truth"));
  ASSERT_TRUE(client.Send(InferOf(JsonBody(1, "mine"))));
  EXPECT_TRUE(Has(client.ReadAnswer(), "internal error"));
  session_->FailWith(Status::Ok());
  const std::string body = JsonBody(2, "yours");
  ASSERT_TRUE(client.Send(InferOf(body)));
  const std::string answer = client.ReadAnswer();
  Settle();
  const std::vector<RequestEvent> events = Events();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].kind, RequestEvent::Kind::kFailed);
  EXPECT_EQ(events[0].message, "the whole truth");
  EXPECT_EQ(events[0].path, "/v2/models/echo/infer");
  EXPECT_EQ(events[0].request_id, "mine");
  EXPECT_EQ(events[1].status, "500");
  EXPECT_EQ(events[1].request_id, "mine");
  EXPECT_EQ(events[2].status, "200");
  EXPECT_EQ(events[2].request_id, "yours");
  EXPECT_EQ(events[2].bytes_in, body.size());
  EXPECT_EQ(events[2].bytes_out, answer.size() - answer.find("\r\n\r\n") - 4);
}

TEST_F(HttpConnectionTest, ClosesAfterTheAnswerWhereTheClientAsksForIt) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(InferOf(JsonBody(), "Connection: close\r\n")));
  EXPECT_TRUE(Has(client.ReadAnswer(), "Connection: close\r\n"));
  EXPECT_TRUE(client.IsEnded());
  EXPECT_TRUE(Eventually([this] { return ended_ == 1; }));
}

TEST_F(HttpConnectionTest, AsksForABodyThatWaitsToBeAskedFor) {
  HttpPeer client = Connect();
  const std::string body = JsonBody(4);
  const std::string request = InferOf(body, "Expect: 100-continue\r\n");
  ASSERT_TRUE(client.Send(request.substr(0, request.size() - body.size())));
  EXPECT_EQ(client.ReadAnswer(), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(client.Send(body));
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(4)));
}

TEST_F(HttpConnectionTest, RefusesBodiesBeyondTheBudgetAndLetsTheClientReadWhy) {
  options_.max_receiving_bytes = 100'000;
  HttpPeer client = Connect();
  const std::string body(3'000'000, 'x');
  ASSERT_TRUE(client.Send(InferOf(body)));  // all of it is taken, although it is for nobody
  const std::string answer = client.ReadAnswer();
  EXPECT_EQ(answer.substr(0, 34), "HTTP/1.1 503 Service Unavailable\r\n");
  EXPECT_TRUE(Has(answer, "--max-receiving-bytes already, 100000 bytes; try again later"));
  EXPECT_TRUE(Has(answer, "Connection: close\r\n"));
  EXPECT_TRUE(client.IsEnded());
  // What was refused counts no more.
  HttpPeer other = Connect();
  ASSERT_TRUE(other.Send(InferOf(JsonBody(2))));
  EXPECT_TRUE(Has(other.ReadAnswer(), AnswerData(2)));
}

TEST_F(HttpConnectionTest, RefusesABodyThatThereIsNoMemoryFor) {
  HttpPeer client = Connect();
  const std::string request = InferOf(std::string(200'000, 'x'));
  ASSERT_TRUE(client.Send(request.substr(0, 100)));
  Settle();
  memory::BlockPool& pool = memory::BlockPool::Process();
  const uint64_t limit = pool.limit_bytes();
  pool.set_limit_bytes(pool.live_bytes() + 1);
  EXPECT_TRUE(client.Send(request.substr(100)));
  const std::string answer = client.ReadAnswer();
  pool.set_limit_bytes(limit);
  EXPECT_EQ(answer.substr(0, 34), "HTTP/1.1 503 Service Unavailable\r\n");
  EXPECT_TRUE(Has(answer, "the machine has no memory left for this request")) << answer;
  EXPECT_TRUE(client.IsEnded());
}

TEST_F(HttpConnectionTest, AbandonsTheCallOfAClientThatLeaves) {
  session_->ShutGate();
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(InferOf(JsonBody())));
  session_->WaitForStarted(1);
  client.Close();
  EXPECT_TRUE(Eventually([this] { return ended_ == 1; }));
  const std::vector<RequestEvent> events = Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].status, "aborted");
  session_->OpenGate();
  EXPECT_TRUE(Eventually([this] { return engine_.admission().requests() == 0; }));
}

TEST_F(HttpConnectionTest, AbandonsTheCallOfAClientThatEndsItsSideBehindPipelinedBytes) {
  session_->ShutGate();
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(InferOf(JsonBody())));
  session_->WaitForStarted(1);
  // More than is read ahead: the end is seen although the bytes before it wait in the kernel.
  ASSERT_TRUE(client.Send(std::string(HttpConnection::kMostWaiting + 10'000, 'x')));
  client.EndSending();
  EXPECT_TRUE(Eventually([this] { return ended_ == 1; }));
}

TEST_F(HttpConnectionTest, AbandonsTheCallOfAClientThatIsReset) {
  session_->ShutGate();
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(InferOf(JsonBody())));
  session_->WaitForStarted(1);
  client.Break();
  EXPECT_TRUE(Eventually([this] { return ended_ == 1; }));
}

TEST_F(HttpConnectionTest, DoesNotReadAheadWithoutEnd) {
  session_->ShutGate();
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(InferOf(JsonBody())));
  session_->WaitForStarted(1);
  const std::string junk(1 << 16, 'x');
  size_t sent = 0;
  for (int tries = 0; tries < 50; ++tries) {
    const ssize_t taken = send(client.fd(), junk.data(), junk.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken > 0) {
      sent += static_cast<size_t>(taken);
      tries = 0;
    } else {
      Settle();
      poll(nullptr, 0, 1);
    }
    ASSERT_LT(sent, size_t{64} << 20);
  }
}

TEST_F(HttpConnectionTest, HoldsLittleMoreThanTheCrumbsThatWaitForTheirTurn) {
  session_->ShutGate();
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(InferOf(JsonBody())));
  session_->WaitForStarted(1);
  HttpPeer other = Connect();
  ASSERT_TRUE(other.Send("nonsense\r\n\r\n"));
  HttpPeer script = script_->Next();
  script.ReadUntil("\r\n\r\n");
  const uint64_t before = memory::BlockPool::Process().live_bytes();
  for (const char byte : InferOf(JsonBody(2))) {
    ASSERT_TRUE(client.Send(std::string(1, byte)));
    Settle();
    PassABlock(&other, &script);
  }
  EXPECT_LT(memory::BlockPool::Process().live_bytes(), before + 10 * transport::ReceiveBuffer::kBlockBytes);
  session_->OpenGate();
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(1)));
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(2)));
}

TEST_F(HttpConnectionTest, HoldsTheAnswerOfAClientThatReadsSlowly) {
  HttpPeer client = Connect(4096);
  const std::string data(4 << 20, '\1');
  ASSERT_TRUE(client.Send(BinaryInferOf(data) + InferOf(JsonBody(9))));
  EXPECT_GT(client.ReadAnswer().size(), data.size());
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(9)));
}

TEST_F(HttpConnectionTest, EndsAClientThatTakesNothingOfItsAnswer) {
  options_.request_timeout_ns = 2 * kNsPerSecond;
  HttpPeer client = Connect(4096);
  const std::string data(8 << 20, '\1');
  ASSERT_TRUE(client.Send(BinaryInferOf(data)));
  EXPECT_TRUE(Eventually([this] { return ended_ == 1; }));
  bool ended = false;
  EXPECT_LT(client.ReadToEnd(&ended).size(), data.size());
  EXPECT_TRUE(ended);
}

TEST_F(HttpConnectionTest, AnswersARequestThatDoesNotArriveInTime) {
  options_.headers_timeout_ns = kNsPerSecond / 5;
  options_.request_timeout_ns = kNsPerSecond / 2;
  const std::string request = InferOf(JsonBody());
  for (const std::string& part : {std::string(), request.substr(0, 10), request.substr(0, request.size() - 1)}) {
    HttpPeer client = Connect();
    ASSERT_TRUE(client.Send(part));
    const std::string answer = client.ReadAnswer();
    EXPECT_EQ(answer.substr(0, 30), "HTTP/1.1 408 Request Timeout\r\n") << part;
    EXPECT_TRUE(client.IsEnded());
  }
}

TEST_F(HttpConnectionTest, ClosesAConnectionThatIsIdleForTooLong) {
  options_.keep_alive_timeout_ns = kNsPerSecond / 5;
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(InferOf(JsonBody())));
  EXPECT_TRUE(Has(client.ReadAnswer(), "200 OK"));
  EXPECT_TRUE(client.IsEnded());
}

TEST_F(HttpConnectionTest, DrainsIdleConnectionsNowAndOthersAfterTheirAnswer) {
  HttpPeer idle = Connect();
  ASSERT_TRUE(idle.Send(InferOf(JsonBody())));
  EXPECT_TRUE(Has(idle.ReadAnswer(), "keep-alive"));
  session_->ShutGate();
  HttpPeer busy = Connect();
  ASSERT_TRUE(busy.Send(InferOf(JsonBody(5))));
  session_->WaitForStarted(2);
  HttpPeer silent = Connect();
  std::promise<void> drained;
  loop_->Drain([&] { drained.set_value(); });
  EXPECT_TRUE(idle.IsEnded());
  EXPECT_TRUE(silent.IsEnded());
  EXPECT_TRUE(Eventually([this] { return ended_ == 2; }));
  session_->OpenGate();
  const std::string answer = busy.ReadAnswer();
  EXPECT_TRUE(Has(answer, AnswerData(5)));
  EXPECT_TRUE(Has(answer, "Connection: close\r\n"));
  EXPECT_TRUE(busy.IsEnded());
  drained.get_future().wait();
}

TEST_F(HttpConnectionTest, ServesTheRequestThatWasOnItsWayWhenTheDrainBegan) {
  HttpPeer client = Connect();
  const std::string request = InferOf(JsonBody(6));
  ASSERT_TRUE(client.Send(request.substr(0, 30)));
  Settle();
  std::promise<void> drained;
  loop_->Drain([&] { drained.set_value(); });
  Settle();
  ASSERT_TRUE(client.Send(request.substr(30)));
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(6)));
  drained.get_future().wait();
}

TEST_F(HttpConnectionTest, TellsClientsToGoWithTheirNextAnswer) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(InferOf(JsonBody())));
  EXPECT_TRUE(Has(client.ReadAnswer(), "keep-alive"));
  loop_->GoAway();
  Settle();
  EXPECT_TRUE(client.IsSilent());
  ASSERT_TRUE(client.Send(InferOf(JsonBody())));
  EXPECT_TRUE(Has(client.ReadAnswer(), "Connection: close\r\nDate: "));
  EXPECT_TRUE(client.IsEnded());
}

TEST_F(HttpConnectionTest, EndsEverythingWhenItIsDestroyed) {
  session_->ShutGate();
  HttpPeer busy = Connect();
  ASSERT_TRUE(busy.Send(InferOf(JsonBody())));
  session_->WaitForStarted(1);
  HttpPeer passing = Connect();
  ASSERT_TRUE(passing.Send(GetOf("/v2")));
  HttpPeer script = script_->Next();
  loop_->Destroy();
  EXPECT_TRUE(busy.IsEnded());
  EXPECT_TRUE(passing.IsEnded());
  EXPECT_EQ(ended_, 2u);
}

}  // namespace
}  // namespace penstock::frontend
