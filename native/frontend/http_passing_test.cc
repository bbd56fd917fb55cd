// What a connection of HTTP/1.1 passes on to JavaScript.
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "frontend/test_http_front_end.h"
#include "frontend/tunnel.h"
#include "memory/block.h"
#include "serving/test_model.h"

namespace penstock::frontend {
namespace {

using HttpPassingTest = HttpFrontEndTest;

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_F(HttpPassingTest, PassesAGetAndIsNativeAgain) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(InferOf(JsonBody(1))));
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(1)));
  HttpPeer script;
  for (int i = 0; i < 3; ++i) {
    const std::string get = GetOf("/v2/health/ready", "X-Number: " + std::to_string(i) + "\r\n");
    ASSERT_TRUE(client.Send(get));
    if (i == 0) script = script_->Next();
    EXPECT_EQ(script.Read(get.size()), get);
    const std::string answer = ScriptAnswer("ready" + std::to_string(i));
    ASSERT_TRUE(script.Send(answer));
    EXPECT_EQ(client.ReadAnswer(), answer);
    ASSERT_TRUE(client.Send(InferOf(JsonBody(i))));
    EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(i)));
  }
  EXPECT_EQ(script_->taken(), 1u);
  EXPECT_TRUE(script.IsSilent());
}

TEST_F(HttpPassingTest, AnswersAHeadAndChunksAndPipelinedGetsInTheirOrder) {
  HttpPeer client = Connect();
  const std::string head = "HEAD /v2 HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_TRUE(client.Send(head + GetOf("/metrics") + InferOf(JsonBody(8))));
  HttpPeer script = script_->Next();
  EXPECT_EQ(script.ReadUntil("\r\n\r\n"), head);
  const std::string first = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
  ASSERT_TRUE(script.Send(first));
  EXPECT_EQ(script.ReadUntil("\r\n\r\n"), GetOf("/metrics"));
  const std::string second = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  for (const char byte : second) {
    ASSERT_TRUE(script.Send(std::string(1, byte)));
    Settle();
  }
  EXPECT_EQ(client.Read(first.size()), first);
  EXPECT_EQ(client.Read(second.size()), second);
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(8)));
}

TEST_F(HttpPassingTest, SendsAGetAgainThatAnIdleConnectionDidNotTake) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(GetOf("/v2")));
  HttpPeer first = script_->Next();
  EXPECT_EQ(first.ReadUntil("\r\n\r\n"), GetOf("/v2"));
  ASSERT_TRUE(first.Send(ScriptAnswer("one")));
  client.ReadAnswer();
  ASSERT_TRUE(client.Send(GetOf("/v2/two")));
  EXPECT_EQ(first.ReadUntil("\r\n\r\n"), GetOf("/v2/two"));
  first.Close();
  HttpPeer second = script_->Next();
  EXPECT_EQ(second.ReadUntil("\r\n\r\n"), GetOf("/v2/two"));
  ASSERT_TRUE(second.Send(ScriptAnswer("two")));
  EXPECT_EQ(client.ReadAnswer(), ScriptAnswer("two"));
}

TEST_F(HttpPassingTest, OutlivesTheEndOfAnIdleConnectionToJavaScript) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(GetOf("/v2")));
  HttpPeer script = script_->Next();
  script.ReadUntil("\r\n\r\n");
  ASSERT_TRUE(script.Send(ScriptAnswer("one")));
  client.ReadAnswer();
  script.Close();
  Settle();
  ASSERT_TRUE(client.Send(InferOf(JsonBody(3))));
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(3)));
  ASSERT_TRUE(client.Send(GetOf("/v2")));
  EXPECT_EQ(script_->Next().ReadUntil("\r\n\r\n"), GetOf("/v2"));
}

// A client that has been answered by JavaScript, and JavaScript's end of what it has left open.
class HttpPassedOnceTest : public HttpPassingTest {
 protected:
  HttpPassedOnceTest() : client_(Connect()) {
    EXPECT_TRUE(client_.Send(GetOf("/v2")));
    script_end_ = std::make_unique<HttpPeer>(script_->Next());
    script_end_->ReadUntil("\r\n\r\n");
    EXPECT_TRUE(script_end_->Send(ScriptAnswer("one")));
    client_.ReadAnswer();
  }
  // JavaScript ends it for being idle, whatever the client asks for now.
  void EndScript() {
    Settle();
    script_end_->Close();
    Settle();
    Settle();
  }
  HttpPeer client_;
  std::unique_ptr<HttpPeer> script_end_;
};

TEST_F(HttpPassedOnceTest, KeepsHalfABodyWhenTheIdleConnectionToJavaScriptEnds) {
  const std::string request = InferOf(JsonBody(3));
  ASSERT_TRUE(client_.Send(request.substr(0, request.size() - 20)));
  EndScript();
  ASSERT_TRUE(client_.Send(request.substr(request.size() - 20)));
  EXPECT_TRUE(Has(client_.ReadAnswer(), AnswerData(3)));
}

TEST_F(HttpPassedOnceTest, KeepsTheChunksSoFarWhenTheIdleConnectionToJavaScriptEnds) {
  const std::string body = JsonBody(3);
  const std::string head = "POST /v2/models/echo/infer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  ASSERT_TRUE(client_.Send(head + "5\r\n" + body.substr(0, 5) + "\r\n"));
  EndScript();
  std::stringstream size;
  size << std::hex << body.size() - 5;
  ASSERT_TRUE(client_.Send(size.str() + "\r\n" + body.substr(5) + "\r\n0\r\n\r\n"));
  EXPECT_TRUE(Has(client_.ReadAnswer(), AnswerData(3)));
}

TEST_F(HttpPassedOnceTest, StillCancelsItsCallWhenTheIdleConnectionToJavaScriptHasEnded) {
  session_->ShutGate();
  ASSERT_TRUE(client_.Send(InferOf(JsonBody(3))));
  session_->WaitForStarted(1);
  EndScript();
  client_.Close();
  ASSERT_TRUE(Eventually([&] { return ended_ == 1; }));
  session_->OpenGate();
  ASSERT_TRUE(Eventually([&] { return engine_.admission().requests() == 0; }));
  Settle();
  const std::vector<RequestEvent> events = Events();
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().status, "aborted");
}

TEST_F(HttpPassingTest, DropsWhatJavaScriptSaysUnasked) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(GetOf("/v2")));
  HttpPeer script = script_->Next();
  script.ReadUntil("\r\n\r\n");
  ASSERT_TRUE(script.Send(ScriptAnswer("one")));
  EXPECT_EQ(client.ReadAnswer(), ScriptAnswer("one"));
  ASSERT_TRUE(script.Send("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"));
  EXPECT_TRUE(script.IsEnded());
  EXPECT_TRUE(client.IsSilent());
  ASSERT_TRUE(client.Send(InferOf(JsonBody(3))));
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(3)));
  ASSERT_TRUE(client.Send(GetOf("/v2/two")));
  EXPECT_EQ(script_->Next().ReadUntil("\r\n\r\n"), GetOf("/v2/two"));
}

TEST_F(HttpPassingTest, ClosesWhereJavaScriptClosesAfterItsAnswer) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(GetOf("/v2", "Connection: close\r\n")));
  HttpPeer script = script_->Next();
  script.ReadUntil("\r\n\r\n");
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
  ASSERT_TRUE(script.Send(answer));
  bool ended = false;
  EXPECT_EQ(client.ReadToEnd(&ended), answer);
  EXPECT_TRUE(ended);
}

TEST_F(HttpPassingTest, ClosesWhenJavaScriptDiesInTheMiddleOfItsAnswer) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(GetOf("/v2")));
  HttpPeer script = script_->Next();
  script.ReadUntil("\r\n\r\n");
  ASSERT_TRUE(script.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"));
  script.Close();
  bool ended = false;
  EXPECT_TRUE(Has(client.ReadToEnd(&ended), "half"));
  EXPECT_TRUE(ended);
}

TEST_F(HttpPassingTest, AnswersThatNobodyTakesARequestNowWhenThereIsNoJavaScript) {
  hand_off_->Detach(attached_);
  const std::string half = InferOf(JsonBody()).substr(0, InferOf(JsonBody()).size() - 1);
  for (const std::string& request : {GetOf("/v2?x"), std::string("nonsense\r\n\r\n"), half}) {
    HttpPeer client = Connect();
    ASSERT_TRUE(client.Send(request));
    client.EndSending();
    bool ended = false;
    const std::string answer = client.ReadToEnd(&ended);
    EXPECT_EQ(answer.substr(0, 34), "HTTP/1.1 503 Service Unavailable\r\n") << request;
    EXPECT_TRUE(Has(answer, "\r\nRetry-After: "));
    EXPECT_TRUE(Has(answer, "\r\nConnection: close\r\n"));
    EXPECT_TRUE(Has(answer, "\r\n\r\n{\"error\":\"no front end takes this request now; try again later\"}"));
    EXPECT_TRUE(ended);
  }
  const std::vector<RequestEvent> events = Events();
  ASSERT_EQ(events.size(), 3u);
  for (const RequestEvent& event : events) {
    EXPECT_EQ(event.kind, RequestEvent::Kind::kFailed);
    EXPECT_EQ(event.code, StatusCode::kServerExiting);
    EXPECT_EQ(event.message, "no front-end thread takes connections");
  }
  EXPECT_EQ(events[0].method, "GET");
  EXPECT_EQ(events[0].path, "/v2");
  EXPECT_EQ(events[1].path, "");
  EXPECT_EQ(events[2].path, "/v2/models/echo/infer");
}

TEST_F(HttpPassingTest, AnswersThatNobodyTakesARequestNowWhenThereAreNoDescriptors) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(InferOf(JsonBody(1))));
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(1)));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest = dup(client.fd());  // the first that is free
  ASSERT_EQ(close(lowest), 0);
  const rlimit none{static_cast<rlim_t>(lowest), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_TRUE(client.Send(GetOf("/v2")));
  const std::string answer = client.ReadAnswer();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(answer.substr(0, 34), "HTTP/1.1 503 Service Unavailable\r\n");
  EXPECT_TRUE(client.IsEnded());
  const std::vector<RequestEvent> events = Events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].code, StatusCode::kInternal);
  EXPECT_TRUE(Has(events[1].message, "no connection within the process"));
}

TEST_F(HttpPassingTest, PassesEverythingOnForGoodAfterWhatItDoesNotUnderstand) {
  const std::string requests[] = {"nonsense\r\n\r\n",
                                  "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                  "GET / HTTP/1.0\r\n\r\n",
                                  "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
                                  "DELETE /v2 HTTP/1.1\r\nHost: a\r\n\r\n",
                                  "POST /v2/models/echo/infer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
                                  "GET /v2 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
                                  "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"};
  for (const std::string& request : requests) {
    HttpPeer client = Connect();
    ASSERT_TRUE(client.Send(request));
    HttpPeer script = script_->Next();
    EXPECT_EQ(script.Read(request.size()), request);
    ASSERT_TRUE(client.Send(InferOf(JsonBody())));
    EXPECT_EQ(script.Read(InferOf(JsonBody()).size()), InferOf(JsonBody()));
    ASSERT_TRUE(script.Send("whatever"));
    EXPECT_EQ(client.Read(8), "whatever");
    client.EndSending();
    EXPECT_TRUE(script.IsEnded());
    ASSERT_TRUE(script.Send(" and more"));
    script.Close();
    bool ended = false;
    EXPECT_EQ(client.ReadToEnd(&ended), " and more");
    EXPECT_TRUE(ended);
  }
}

TEST_F(HttpPassingTest, LetsJavaScriptAnswerHalfARequestWhoseClientHasEnded) {
  const std::string request = InferOf(JsonBody());
  // Of a body nothing goes up: JavaScript only says that the request is not whole.
  const size_t head_bytes = request.size() - JsonBody().size();
  for (const size_t bytes : {size_t{10}, head_bytes, request.size() - 1}) {
    HttpPeer client = Connect();
    ASSERT_TRUE(client.Send(request.substr(0, bytes)));
    Settle();
    client.EndSending();
    HttpPeer script = script_->Next();
    bool ended = false;
    EXPECT_EQ(script.ReadToEnd(&ended), request.substr(0, std::min(bytes, head_bytes)));
    EXPECT_TRUE(ended);
    ASSERT_TRUE(script.Send("HTTP/1.1 400 Bad Request\r\n\r\n"));
    script.Close();
    EXPECT_EQ(client.ReadToEnd(&ended), "HTTP/1.1 400 Bad Request\r\n\r\n");
    EXPECT_TRUE(ended);
  }
}

TEST_F(HttpPassingTest, DoesNotAskTwiceForABodyWhoseClientEndsWithinIt) {
  HttpPeer client = Connect();
  const std::string request = InferOf(JsonBody(), "eXpect:  100-continue\r\nA: b\r\n");
  const size_t head_bytes = request.size() - JsonBody().size();
  ASSERT_TRUE(client.Send(request.substr(0, head_bytes)));
  EXPECT_EQ(client.ReadAnswer(), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(client.Send(request.substr(head_bytes, 10)));
  client.EndSending();
  bool ended = false;
  HttpPeer script = script_->Next();
  const std::string unasked = InferOf(JsonBody(), "A: b\r\n");
  EXPECT_EQ(script.ReadToEnd(&ended), unasked.substr(0, unasked.size() - JsonBody().size()));
  EXPECT_TRUE(ended);
}

TEST_F(HttpPassingTest, AnswersAGetWhoseClientEndsItsSideBehindIt) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(GetOf("/v2")));
  client.EndSending();
  HttpPeer script = script_->Next();
  script.ReadUntil("\r\n\r\n");
  ASSERT_TRUE(script.Send(ScriptAnswer("one")));
  bool ended = false;
  EXPECT_EQ(client.ReadToEnd(&ended), ScriptAnswer("one"));
  EXPECT_TRUE(ended);
}

TEST_F(HttpPassingTest, HoldsBackBothSidesOfATunnelWhereTheOtherIsSlow) {
  HttpPeer client = Connect(4096);
  ASSERT_TRUE(client.Send("nonsense\r\n\r\n"));
  HttpPeer script = script_->Next();
  script.ReadUntil("\r\n\r\n");
  const std::string junk(1 << 16, 'x');
  for (HttpPeer* from : {&client, &script}) {
    HttpPeer* to = from == &client ? &script : &client;
    size_t sent = 0;
    for (int tries = 0; tries < 50; ++tries) {
      const ssize_t taken = send(from->fd(), junk.data(), junk.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (taken > 0) {
        sent += static_cast<size_t>(taken);
        tries = 0;
      } else {
        Settle();
        poll(nullptr, 0, 1);
      }
      ASSERT_LT(sent, size_t{64} << 20);
    }
    size_t received = 0;
    while (received < sent) {
      const size_t bytes = to->Read(std::min<size_t>(sent - received, 100'000)).size();
      ASSERT_GT(bytes, 0u) << received << " of " << sent;
      received += bytes;
    }
  }
}

TEST_F(HttpPassingTest, FollowsAnAnswerBehindManyInterimOnes) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(GetOf("/v2")));
  HttpPeer script = script_->Next();
  script.ReadUntil("\r\n\r\n");
  const std::string interim = "HTTP/1.1 103 Early Hints\r\nLink: " + std::string(10'000, 'x') + "\r\n\r\n";
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(script.Send(interim.substr(0, 5'000)));
    EXPECT_EQ(client.Read(5'000), interim.substr(0, 5'000));
    ASSERT_TRUE(script.Send(interim.substr(5'000)));
    EXPECT_EQ(client.Read(interim.size() - 5'000), interim.substr(5'000)) << i;
  }
  ASSERT_TRUE(script.Send(ScriptAnswer("one")));
  EXPECT_EQ(client.ReadAnswer(), ScriptAnswer("one"));
  ASSERT_TRUE(client.Send(InferOf(JsonBody(3))));
  EXPECT_TRUE(Has(client.ReadAnswer(), AnswerData(3)));
}

TEST_F(HttpPassingTest, EndsAnAnswerWhoseHeadIsTooLong) {
  HttpPeer client = Connect();
  ASSERT_TRUE(client.Send(GetOf("/v2")));
  HttpPeer script = script_->Next();
  script.ReadUntil("\r\n\r\n");
  ASSERT_TRUE(script.Send("HTTP/1.1 200 OK\r\nX: " + std::string(transport::kMaxHttp1HeadBytes, 'x')));
  bool ended = false;
  client.ReadToEnd(&ended);
  EXPECT_TRUE(ended);
}

TEST_F(HttpPassingTest, HoldsLittleMoreThanTheCrumbsThatWaitForJavaScript) {
  HttpPeer client = Connect();
  const std::string begin = "nonsense\r\n\r\n" + std::string(350'000, 'x');
  ASSERT_TRUE(client.Send(begin));
  HttpPeer script = script_->Next();
  HttpPeer other = Connect();
  ASSERT_TRUE(other.Send("nonsense\r\n\r\n"));
  HttpPeer other_script = script_->Next();
  other_script.ReadUntil("\r\n\r\n");
  int there = 0;
  ASSERT_EQ(ioctl(script.fd(), FIONREAD, &there), 0);
  ASSERT_LT(static_cast<size_t>(there), begin.size());  // the kernel does not take all of it
  const uint64_t before = memory::BlockPool::Process().live_bytes();
  constexpr size_t kCrumbs = 50;
  for (size_t i = 0; i < kCrumbs; ++i) {
    ASSERT_TRUE(client.Send("y"));
    Settle();
    PassABlock(&other, &other_script);
  }
  EXPECT_LT(memory::BlockPool::Process().live_bytes(), before + 10 * transport::ReceiveBuffer::kBlockBytes);
  EXPECT_TRUE(script.Read(begin.size() + kCrumbs) == begin + std::string(kCrumbs, 'y'));
}

TEST(AppendReceived, CopiesWhatIsSmallAndHasToWait) {
  const memory::Slice crumb = serving::OwnedSlice("crumb");
  const memory::Slice large = serving::OwnedSlice(std::string(transport::ReceiveBuffer::kSmallBytes, 'x'));
  transport::SocketOutput output;
  AppendReceived(crumb, &output);
  EXPECT_EQ(crumb.owner.use_count(), 2);  // it leaves at once
  for (int i = 0; i < 1000; ++i) AppendReceived(crumb, &output);
  EXPECT_EQ(crumb.owner.use_count(), 2);
  AppendReceived(large, &output);
  EXPECT_EQ(large.owner.use_count(), 2);
  EXPECT_EQ(output.bytes(), 1001 * crumb.size + large.size);
}

TEST_F(HttpPassingTest, GivesAllOfALongAnswerToASlowClientAlthoughJavaScriptIsGone) {
  HttpPeer client = Connect(4096);
  ASSERT_TRUE(client.Send(GetOf("/metrics")));
  HttpPeer script = script_->Next();
  script.ReadUntil("\r\n\r\n");
  const std::string answer = ScriptAnswer(std::string(8 << 20, 'm'));
  std::promise<bool> sent;
  std::thread sender([&] {
    sent.set_value(script.Send(answer));
    script.Close();
  });
  std::string received;
  while (received.size() < answer.size()) {
    const std::string piece = client.Read(std::min<size_t>(answer.size() - received.size(), 300'000));
    if (piece.empty()) break;
    received += piece;
  }
  EXPECT_TRUE(sent.get_future().get());
  sender.join();
  EXPECT_TRUE(received == answer) << received.size();
}

}  // namespace
}  // namespace penstock::frontend
