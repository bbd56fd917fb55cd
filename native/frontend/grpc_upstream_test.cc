#include "frontend/grpc_upstream.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "frontend/grpc_test_peer.h"
#include "frontend/test_loop.h"
#include "memory/block.h"
#include "transport/nghttp2_library.h"

namespace penstock::frontend {
namespace {

constexpr size_t kAnswerWindowBytes = 256 * 1024;
constexpr size_t kBodyWindowBytes = 65'535;  // of a server that says nothing else

// Writes down what it is told. On the loop's thread.
class WritingCall : public UpstreamCall {
 public:
  explicit WritingCall(bool takes_all = true, bool keeps = false) : takes_all_(takes_all), keeps_(keeps) {}

  // Gives the windows back at once when it takes all.
  void Start(GrpcUpstream* upstream, const std::string& path, bool ends, const std::string& bytes = "") {
    upstream_ = upstream;
    const auto begun = upstream->Begin(
        {{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", "here"}, {"te", "trailers"}, {"x-bytes", bytes}}, ends,
        this);
    ASSERT_TRUE(begun.ok()) << begun.status().message();
    name = begun.value();
  }
  void TakeAll() {
    upstream_->Consumed(name, held);
    held = 0;
    takes_all_ = true;
  }

  void OnAnswerHead(std::vector<HeaderField> fields, bool ends) override {
    EXPECT_TRUE(head.empty());
    head = std::move(fields);
    head_ends = ends;
  }
  void OnAnswerData(memory::Slice bytes) override {
    EXPECT_FALSE(head.empty());
    size += bytes.size;
    if (body.size() < 4096) body.append(reinterpret_cast<const char*>(bytes.data), bytes.size);
    held += bytes.size;
    if (keeps_) kept_.push_back(std::move(bytes));
    if (takes_all_) TakeAll();
  }
  void OnAnswerTrailers(std::vector<HeaderField> fields) override {
    EXPECT_FALSE(trailers.has_value());
    trailers = std::move(fields);
  }
  void OnSent(size_t bytes) override { sent += bytes; }
  void OnOver(Ending with, uint32_t with_error) override {
    EXPECT_FALSE(ending.has_value());
    ending = with;
    error = with_error;
  }

  int32_t name = 0;
  std::vector<HeaderField> head;
  bool head_ends = false;
  std::string body;  // its beginning
  size_t size = 0;
  size_t held = 0;
  std::optional<std::vector<HeaderField>> trailers;
  size_t sent = 0;
  std::optional<Ending> ending;
  uint32_t error = 0;

 private:
  GrpcUpstream* upstream_ = nullptr;
  bool takes_all_;
  const bool keeps_;
  std::vector<memory::Slice> kept_;
};

// Skips, with the reason, where there is no nghttp2.
class AGrpcUpstream : public ::testing::Test {
 protected:
  void SetUp() override {
    const Result<const transport::Nghttp2*> found = transport::FindNghttp2();
    if (!found.ok()) GTEST_SKIP() << found.status().message();
    http2_ = found.value();
  }
  void TearDown() override {
    loop_.Stop();
    upstream_.reset();
  }

  void ConnectTo(uint32_t max_streams = 100) {
    peer_ = std::make_shared<GrpcTestPeer>(http2_, max_streams);
    hand_off_.Attach(peer_, 0);
    loop_.On([this] { Open(); });
  }
  void Open() {
    auto opened = GrpcUpstream::Open(http2_, loop_.get(), &buffer_, &hand_off_, [this] {
      ++ends_;
      loop_.get()->Retire(std::move(upstream_));
    });
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    upstream_ = std::move(opened).value();
  }
  void Start(WritingCall* call, const std::string& path, bool ends = true, const std::string& bytes = "") {
    loop_.On([&] { call->Start(upstream_.get(), path, ends, bytes); });
  }
  bool EndsWith(WritingCall* call, UpstreamCall::Ending ending) {
    return loop_.Until([&] { return call->ending.has_value(); }) && call->ending == ending;
  }

  const transport::Nghttp2* http2_ = nullptr;
  HandOff hand_off_{1000};
  std::shared_ptr<GrpcTestPeer> peer_;
  transport::ReceiveBuffer buffer_;
  std::unique_ptr<GrpcUpstream> upstream_;
  int ends_ = 0;
  TestLoop loop_;
};

TEST_F(AGrpcUpstream, SendsACallWithItsFieldsAndBodyAndTellsItsWholeAnswer) {
  ConnectTo();
  WritingCall call;
  Start(&call, "/echo", false);
  loop_.On([&] {
    upstream_->SendData(call.name, SliceOf("one"));
    upstream_->SendData(call.name, SliceOf("two"));
    upstream_->EndData(call.name);
    EXPECT_EQ(call.sent, 0u);  // nothing from inside
  });
  ASSERT_TRUE(EndsWith(&call, UpstreamCall::Ending::kAnswered));
  EXPECT_EQ(ValueOf(call.head, ":status"), "200");
  EXPECT_EQ(ValueOf(call.head, "content-type"), "application/grpc");
  EXPECT_FALSE(call.head_ends);
  EXPECT_EQ(call.body, "onetwo");
  EXPECT_EQ(call.sent, 6u);
  ASSERT_TRUE(call.trailers.has_value());
  EXPECT_EQ(ValueOf(*call.trailers, "grpc-status"), "0");
  EXPECT_EQ(ValueOf(*call.trailers, "x-last"), "yes");
  EXPECT_EQ(peer_->last_fields()["te"], "trailers");
  EXPECT_EQ(loop_.On([&] { return upstream_->calls(); }), 0u);
}

TEST_F(AGrpcUpstream, TellsAHeadThatIsTheWholeAnswer) {
  ConnectTo();
  WritingCall call;
  Start(&call, "/status");
  ASSERT_TRUE(EndsWith(&call, UpstreamCall::Ending::kAnswered));
  EXPECT_TRUE(call.head_ends);
  EXPECT_EQ(ValueOf(call.head, "grpc-status"), "5");
  EXPECT_FALSE(call.trailers.has_value());
}

TEST_F(AGrpcUpstream, LeavesOutAHeadThatIsNotTheAnswerYet) {
  ConnectTo();
  WritingCall call;
  Start(&call, "/interim");
  ASSERT_TRUE(EndsWith(&call, UpstreamCall::Ending::kAnswered));
  EXPECT_EQ(ValueOf(call.head, ":status"), "200");
  EXPECT_TRUE(call.head_ends);
}

TEST_F(AGrpcUpstream, TellsEmptyTrailersOfAnAnswerThatHasNone) {
  ConnectTo();
  WritingCall call;
  Start(&call, "/plain");
  ASSERT_TRUE(EndsWith(&call, UpstreamCall::Ending::kAnswered));
  EXPECT_EQ(call.body, "here");
  ASSERT_TRUE(call.trailers.has_value());
  EXPECT_TRUE(call.trailers->empty());
}

TEST_F(AGrpcUpstream, AnswersEachMessageOfACallBeforeTheNextOneComes) {
  ConnectTo();
  WritingCall call;
  Start(&call, "/echo", false);
  for (size_t i = 1; i <= 100; ++i) {
    loop_.On([&] { upstream_->SendData(call.name, SliceOf("message")); });
    ASSERT_TRUE(loop_.Until([&] { return call.size == i * 7; }));
  }
  EXPECT_FALSE(loop_.On([&] { return call.ending.has_value(); }));
  loop_.On([&] { upstream_->EndData(call.name); });
  ASSERT_TRUE(EndsWith(&call, UpstreamCall::Ending::kAnswered));
}

TEST_F(AGrpcUpstream, BringsALongAnswerWhoseClientTakesIt) {
  ConnectTo();
  WritingCall call;
  constexpr size_t kBytes = 64u << 20;
  Start(&call, "/bytes", true, std::to_string(kBytes));
  ASSERT_TRUE(EndsWith(&call, UpstreamCall::Ending::kAnswered));
  EXPECT_EQ(call.size, kBytes);
}

TEST_F(AGrpcUpstream, StopsAnAnswerWhoseClientDoesNotTakeItAndNoOther) {
  ConnectTo();
  WritingCall stopped(false);
  WritingCall other;
  constexpr size_t kBytes = 4u << 20;
  Start(&stopped, "/bytes", true, std::to_string(kBytes));
  ASSERT_TRUE(loop_.Until([&] { return stopped.size == kAnswerWindowBytes; }));
  Start(&other, "/bytes", true, std::to_string(kBytes));
  ASSERT_TRUE(EndsWith(&other, UpstreamCall::Ending::kAnswered));
  EXPECT_EQ(loop_.On([&] { return stopped.size; }), kAnswerWindowBytes);
  EXPECT_EQ(peer_->body_bytes_sent(), kAnswerWindowBytes + kBytes);
  loop_.On([&] { stopped.TakeAll(); });
  ASSERT_TRUE(EndsWith(&stopped, UpstreamCall::Ending::kAnswered));
  EXPECT_EQ(stopped.size, kBytes);
}

TEST_F(AGrpcUpstream, HoldsNoMoreThanTheMessagesThatAClientHasNotTaken) {
  ConnectTo();
  constexpr size_t kMessages = 200;
  WritingCall kept(false, true);
  WritingCall other;
  Start(&kept, "/echo", false);
  Start(&other, "/echo", false);
  const std::string bytes(64 * 1024, 'b');
  const uint64_t before = memory::BlockPool::Process().live_bytes();
  for (size_t i = 1; i <= kMessages; ++i) {
    loop_.On([&] { upstream_->SendData(kept.name, SliceOf("small")); });
    ASSERT_TRUE(loop_.Until([&] { return kept.size == i * 5; }));
    loop_.On([&] { upstream_->SendData(other.name, SliceOf(bytes)); });
    ASSERT_TRUE(loop_.Until([&] { return other.size == i * bytes.size(); }));
  }
  const uint64_t held = memory::BlockPool::Process().live_bytes() - before;
  EXPECT_LT(held, 4 * transport::ReceiveBuffer::kBlockBytes);
}

TEST_F(AGrpcUpstream, HoldsABodyThatIsNotTakenAndSaysWhatHasLeft) {
  ConnectTo();
  WritingCall call;
  Start(&call, "/unread", false);
  const std::string bytes(kBodyWindowBytes, 'b');
  loop_.On([&] {
    for (int i = 0; i < 4; ++i) upstream_->SendData(call.name, SliceOf(bytes));
  });
  ASSERT_TRUE(loop_.Until([&] { return call.sent == kBodyWindowBytes; }));
  ASSERT_TRUE(loop_.Until([&] { return !call.head.empty() && peer_->body_bytes_received() == kBodyWindowBytes; }));
  EXPECT_EQ(loop_.On([&] { return call.sent; }), kBodyWindowBytes);
  // What it held goes with it.
  loop_.On([&] { upstream_->Cancel(call.name, transport::kHttp2Cancel); });
  EXPECT_TRUE(loop_.Until([&] { return peer_->last_error() == transport::kHttp2Cancel; }));
}

TEST_F(AGrpcUpstream, HoldsNoMoreThanTheSmallPiecesOfABodyThatIsNotTaken) {
  ConnectTo();
  WritingCall call;
  Start(&call, "/echo", false);
  std::string sent;
  loop_.On([&] {
    const uint64_t before = memory::BlockPool::Process().live_bytes();
    for (int i = 0; i < 1000; ++i) {
      auto received = memory::BlockPool::Process().Allocate(transport::ReceiveBuffer::kBlockBytes);
      ASSERT_TRUE(received.ok());
      received.value()->data()[7] = static_cast<uint8_t>(i);
      sent += static_cast<char>(i);
      upstream_->SendData(call.name, memory::WholeSlice(std::move(received).value()).Sub(7, 1));
    }
    upstream_->EndData(call.name);
    EXPECT_LE(memory::BlockPool::Process().live_bytes(), before + 8192);
  });
  ASSERT_TRUE(EndsWith(&call, UpstreamCall::Ending::kAnswered));
  EXPECT_EQ(call.body, sent);
}

TEST_F(AGrpcUpstream, SendsALongBodyWhole) {
  ConnectTo();
  WritingCall call;
  Start(&call, "/echo", false);
  constexpr size_t kPieces = 64;
  const std::string bytes(256 * 1024, 'b');
  loop_.On([&] {
    for (size_t i = 0; i < kPieces; ++i) upstream_->SendData(call.name, SliceOf(bytes));
    upstream_->EndData(call.name);
  });
  ASSERT_TRUE(EndsWith(&call, UpstreamCall::Ending::kAnswered));
  EXPECT_EQ(call.size, kPieces * bytes.size());
  EXPECT_EQ(call.sent, kPieces * bytes.size());
}

TEST_F(AGrpcUpstream, TellsNothingOfACallThatIsCancelledAndTellsJavaScript) {
  ConnectTo();
  WritingCall call(false);
  Start(&call, "/bytes", true, std::to_string(1u << 20));
  ASSERT_TRUE(loop_.Until([&] { return call.size > 0; }));
  const size_t size = loop_.On([&] {
    upstream_->Cancel(call.name, transport::kHttp2Cancel);
    return call.size;
  });
  ASSERT_TRUE(loop_.Until([&] { return peer_->last_error() == transport::kHttp2Cancel; }));
  loop_.On([&] {
    EXPECT_EQ(call.size, size);
    EXPECT_FALSE(call.ending.has_value());
    EXPECT_EQ(upstream_->calls(), 0u);
    upstream_->Consumed(call.name, size);  // the client takes what it had got
  });
  // The connection is as good as before.
  WritingCall next;
  Start(&next, "/echo");
  EXPECT_TRUE(EndsWith(&next, UpstreamCall::Ending::kAnswered));
}

TEST_F(AGrpcUpstream, ForgetsACallThatIsCancelledBeforeItHasLeft) {
  ConnectTo();
  WritingCall call;
  loop_.On([&] {
    call.Start(upstream_.get(), "/echo", false);
    upstream_->SendData(call.name, SliceOf("gone"));
    upstream_->Cancel(call.name, transport::kHttp2Cancel);
  });
  WritingCall next;
  Start(&next, "/echo");
  ASSERT_TRUE(EndsWith(&next, UpstreamCall::Ending::kAnswered));
  EXPECT_EQ(peer_->calls_come(), 1u);
  EXPECT_EQ(peer_->body_bytes_received(), 0u);
  EXPECT_FALSE(call.ending.has_value());
}

TEST_F(AGrpcUpstream, TellsAReset) {
  ConnectTo();
  WritingCall call;
  Start(&call, "/reset", false);
  ASSERT_TRUE(EndsWith(&call, UpstreamCall::Ending::kReset));
  EXPECT_EQ(call.error, transport::kHttp2EnhanceYourCalm);
  loop_.On([&] { upstream_->SendData(call.name, SliceOf("late")); });
}

TEST_F(AGrpcUpstream, LosesItsCallsWhenTheOtherEndDies) {
  ConnectTo();
  WritingCall waiting;
  WritingCall answering;
  WritingCall answered;
  Start(&answered, "/echo");
  ASSERT_TRUE(EndsWith(&answered, UpstreamCall::Ending::kAnswered));
  Start(&waiting, "/never");
  Start(&answering, "/head", false);
  ASSERT_TRUE(loop_.Until([&] { return !answering.head.empty() && peer_->calls_come() == 3; }));
  peer_->Die();
  ASSERT_TRUE(EndsWith(&waiting, UpstreamCall::Ending::kLost));
  ASSERT_TRUE(EndsWith(&answering, UpstreamCall::Ending::kLost));
  EXPECT_TRUE(loop_.Until([&] { return ends_ == 1 && upstream_ == nullptr; }));
}

TEST_F(AGrpcUpstream, TellsWhatTheOtherEndHasSaidBeforeItDied) {
  ConnectTo();
  WritingCall call;
  Start(&call, "/echo", false);
  ASSERT_TRUE(loop_.Until([&] { return !call.head.empty(); }));
  loop_.On([&] {
    peer_->AnswerAndDie();
    upstream_->SendData(call.name, SliceOf("nobody reads this"));  // found out before the answer is read
  });
  ASSERT_TRUE(EndsWith(&call, UpstreamCall::Ending::kAnswered));
  ASSERT_TRUE(call.trailers.has_value());
  EXPECT_EQ(ValueOf(*call.trailers, "grpc-status"), "0");
  EXPECT_TRUE(loop_.Until([&] { return ends_ == 1; }));
}

TEST_F(AGrpcUpstream, AnswersWhatItHasAfterAGoAwayAndTakesNoMore) {
  ConnectTo();
  WritingCall call;
  Start(&call, "/echo", false);
  ASSERT_TRUE(loop_.Until([&] { return !call.head.empty(); }));
  peer_->GoAway();
  ASSERT_TRUE(loop_.Until([&] { return !upstream_->takes_calls(); }));
  loop_.On([&] {
    WritingCall refused;
    const auto begun = upstream_->Begin({{":method", "POST"}, {":path", "/echo"}}, true, &refused);
    EXPECT_EQ(begun.status().code(), StatusCode::kServerExiting);
    upstream_->SendData(call.name, SliceOf("still"));
    upstream_->EndData(call.name);
  });
  ASSERT_TRUE(EndsWith(&call, UpstreamCall::Ending::kAnswered));
  EXPECT_EQ(call.body, "still");
  ASSERT_TRUE(loop_.Until([&] { return ends_ == 1; }));
  // A new one takes calls again.
  loop_.On([this] { Open(); });
  WritingCall next;
  Start(&next, "/echo");
  EXPECT_TRUE(EndsWith(&next, UpstreamCall::Ending::kAnswered));
  EXPECT_EQ(peer_->connections_made(), 2u);
}

TEST_F(AGrpcUpstream, LetsCallsWaitThatAreMoreThanJavaScriptTakesAtATime) {
  ConnectTo(10);
  std::vector<std::unique_ptr<WritingCall>> calls;
  WritingCall first;
  Start(&first, "/echo");
  ASSERT_TRUE(EndsWith(&first, UpstreamCall::Ending::kAnswered));
  for (int i = 0; i < 1000; ++i) {
    calls.push_back(std::make_unique<WritingCall>());
    loop_.On([&] {
      calls.back()->Start(upstream_.get(), "/echo", false);
      upstream_->SendData(calls.back()->name, SliceOf("one of many"));
    });
  }
  ASSERT_TRUE(loop_.Until([&] { return calls[9]->body == "one of many"; }));
  EXPECT_EQ(loop_.On([&] { return upstream_->calls(); }), 1000u);
  loop_.On([&] {
    for (const auto& call : calls) upstream_->EndData(call->name);
  });
  for (const auto& call : calls) {
    ASSERT_TRUE(EndsWith(call.get(), UpstreamCall::Ending::kAnswered));
    EXPECT_EQ(call->body, "one of many");
  }
  EXPECT_EQ(peer_->calls_come(), 1001u);
  EXPECT_LE(peer_->most_at_once(), 10u);
}

TEST_F(AGrpcUpstream, CallsRefusedWhatStillWaitsWhenItIsToldToGo) {
  ConnectTo(1);
  WritingCall first;
  WritingCall call;
  WritingCall waiting;
  Start(&first, "/echo");
  ASSERT_TRUE(EndsWith(&first, UpstreamCall::Ending::kAnswered));
  Start(&call, "/echo", false);
  Start(&waiting, "/echo");
  ASSERT_TRUE(loop_.Until([&] { return !call.head.empty(); }));
  peer_->GoAway();
  ASSERT_TRUE(loop_.Until([&] { return !upstream_->takes_calls(); }));
  loop_.On([&] { upstream_->EndData(call.name); });
  ASSERT_TRUE(EndsWith(&call, UpstreamCall::Ending::kAnswered));
  ASSERT_TRUE(EndsWith(&waiting, UpstreamCall::Ending::kReset));
  EXPECT_EQ(waiting.error, transport::kHttp2RefusedStream);
  EXPECT_EQ(peer_->calls_come(), 2u);
}

TEST_F(AGrpcUpstream, TellsNobodyWhenItIsClosed) {
  ConnectTo();
  WritingCall call;
  Start(&call, "/head", false);
  ASSERT_TRUE(loop_.Until([&] { return !call.head.empty(); }));
  loop_.On([&] {
    upstream_->Close();
    EXPECT_FALSE(upstream_->takes_calls());
    EXPECT_EQ(upstream_->calls(), 0u);
    upstream_->Close();
  });
  loop_.On([] {});
  EXPECT_FALSE(call.ending.has_value());
  EXPECT_EQ(ends_, 0);
}

TEST_F(AGrpcUpstream, CannotBeOpenedWhereNobodyTakesConnections) {
  loop_.On([&] {
    const auto opened = GrpcUpstream::Open(http2_, loop_.get(), &buffer_, &hand_off_, [] {});
    EXPECT_EQ(opened.status().code(), StatusCode::kServerExiting);
  });
}

}  // namespace
}  // namespace penstock::frontend
