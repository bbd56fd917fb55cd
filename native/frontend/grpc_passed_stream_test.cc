#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "frontend/grpc_stream.h"
#include "frontend/grpc_test_peer.h"
#include "frontend/test_loop.h"
#include "transport/nghttp2_library.h"

namespace penstock::frontend {
namespace {

constexpr size_t kAnswerWindowBytes = 256 * 1024;
constexpr uint32_t kNotReset = UINT32_MAX;

// What a client gets. On the loop's thread.
class WritingAnswer : public GrpcAnswer {
 public:
  void SendHead(const std::vector<HeaderField>& fields, bool ends) override {
    EXPECT_TRUE(head.empty());
    head = fields;
    is_over = ends;
  }
  void SendData(memory::Slice bytes) override {
    EXPECT_FALSE(is_over);
    body.append(reinterpret_cast<const char*>(bytes.data), bytes.size);
  }
  void SendTrailers(const std::vector<HeaderField>& fields) override {
    EXPECT_FALSE(is_over);
    trailers = fields;
    is_over = true;
  }
  void Reset(uint32_t error) override {
    EXPECT_FALSE(is_over);
    reset = error;
    is_over = true;
  }
  void Consumed(size_t bytes) override { consumed += bytes; }

  std::vector<HeaderField> head;
  std::string body;
  std::vector<HeaderField> trailers;
  uint32_t reset = kNotReset;
  bool is_over = false;
  size_t consumed = 0;
};

// Skips, with the reason, where there is no nghttp2.
class AGrpcPassedStream : public ::testing::Test {
 protected:
  void SetUp() override {
    const Result<const transport::Nghttp2*> found = transport::FindNghttp2();
    if (!found.ok()) GTEST_SKIP() << found.status().message();
    peer_ = std::make_shared<GrpcTestPeer>(found.value());
    hand_off_.Attach(peer_, 0);
    loop_.On([&] {
      auto opened = GrpcUpstream::Open(found.value(), loop_.get(), &buffer_, &hand_off_, [this] {
        loop_.get()->Retire(std::move(upstream_));
      });
      ASSERT_TRUE(opened.ok()) << opened.status().message();
      upstream_ = std::move(opened).value();
    });
  }
  void TearDown() override {
    loop_.Stop();
    upstream_.reset();
  }

  void Start(const std::string& path, bool ends = false, const std::string& bytes = "") {
    loop_.On([&] {
      stream_ = MakeGrpcPassedStream(upstream_.get(), &answer_,
                                     {{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", "here"},
                                      {"te", "trailers"}, {"grpc-timeout", "9S"}, {"x-bytes", bytes}},
                                     ends);
    });
  }
  bool IsOver() {
    return loop_.Until([this] { return answer_.is_over; });
  }
  bool HasHead() {
    return loop_.Until([this] { return !answer_.head.empty(); });
  }
  void Close(uint32_t error) {
    loop_.On([&] {
      stream_->OnClosed(error);
      stream_.reset();
    });
  }

  HandOff hand_off_{1000};
  std::shared_ptr<GrpcTestPeer> peer_;
  transport::ReceiveBuffer buffer_;
  std::unique_ptr<GrpcUpstream> upstream_;
  WritingAnswer answer_;
  std::unique_ptr<GrpcStream> stream_;
  TestLoop loop_;
};

TEST_F(AGrpcPassedStream, PassesACallUpAndItsAnswerDown) {
  Start("/echo");
  loop_.On([&] {
    stream_->OnData(SliceOf("some "));
    stream_->OnData(SliceOf("body"));
    EXPECT_EQ(answer_.consumed, 0u);  // not before it has left
    stream_->OnEnd();
  });
  ASSERT_TRUE(IsOver());
  EXPECT_EQ(ValueOf(answer_.head, ":status"), "200");
  EXPECT_EQ(answer_.body, "some body");
  EXPECT_EQ(ValueOf(answer_.trailers, "grpc-status"), "0");
  EXPECT_EQ(ValueOf(answer_.trailers, "x-last"), "yes");
  EXPECT_EQ(answer_.consumed, 9u);
  auto fields = peer_->last_fields();
  EXPECT_EQ(fields[":authority"], "here");
  EXPECT_EQ(fields["te"], "trailers");
  EXPECT_EQ(fields["grpc-timeout"], "9S");
  Close(transport::kHttp2NoError);
}

TEST_F(AGrpcPassedStream, PassesAStatusWithoutAnAnswer) {
  Start("/status", true);
  ASSERT_TRUE(IsOver());
  EXPECT_EQ(ValueOf(answer_.head, "grpc-status"), "5");
  EXPECT_TRUE(answer_.trailers.empty());
  EXPECT_EQ(answer_.reset, kNotReset);
  Close(transport::kHttp2NoError);
}

TEST_F(AGrpcPassedStream, LetsJavaScriptSendAsMuchAsTheClientTakes) {
  constexpr size_t kBytes = 1u << 20;
  Start("/bytes", true, std::to_string(kBytes));
  ASSERT_TRUE(loop_.Until([&] { return answer_.body.size() == kAnswerWindowBytes; }));
  for (size_t size = kAnswerWindowBytes; size < kBytes; size += kAnswerWindowBytes) {
    EXPECT_EQ(peer_->body_bytes_sent(), size);
    loop_.On([&] { stream_->OnTaken(kAnswerWindowBytes); });
    ASSERT_TRUE(loop_.Until([&] { return answer_.body.size() == size + kAnswerWindowBytes; }));
  }
  ASSERT_TRUE(IsOver());
  Close(transport::kHttp2NoError);
}

TEST_F(AGrpcPassedStream, ResetsTheCallOfAClientThatHasResetIt) {
  Start("/head");
  ASSERT_TRUE(HasHead());
  Close(transport::kHttp2EnhanceYourCalm);
  ASSERT_TRUE(loop_.Until([&] { return peer_->last_error() == transport::kHttp2EnhanceYourCalm; }));
  EXPECT_EQ(loop_.On([&] { return upstream_->calls(); }), 0u);
  EXPECT_FALSE(answer_.is_over);
}

TEST_F(AGrpcPassedStream, CancelsWhatIsLeftOfACallWhoseClientHasItsAnswer) {
  Start("/status");
  ASSERT_TRUE(IsOver());
  EXPECT_EQ(loop_.On([&] { return upstream_->calls(); }), 1u);  // its body has not ended
  Close(transport::kHttp2NoError);
  EXPECT_TRUE(loop_.Until([&] { return peer_->last_error() == transport::kHttp2Cancel; }));
  EXPECT_EQ(loop_.On([&] { return upstream_->calls(); }), 0u);
}

TEST_F(AGrpcPassedStream, ResetsAClientWhoseCallIsReset) {
  Start("/reset");
  ASSERT_TRUE(IsOver());
  EXPECT_EQ(answer_.reset, transport::kHttp2EnhanceYourCalm);
  EXPECT_TRUE(answer_.head.empty());
  Close(transport::kHttp2EnhanceYourCalm);
}

TEST_F(AGrpcPassedStream, GivesBackWindowsOfABodyThatNobodyTakesAnyMore) {
  Start("/unread");
  loop_.On([&] { stream_->OnData(SliceOf(std::string(100'000, 'b'))); });
  ASSERT_TRUE(loop_.Until([&] { return answer_.consumed > 0 && !answer_.head.empty(); }));
  EXPECT_LT(loop_.On([&] { return answer_.consumed; }), 100'000u);
  peer_->Die();
  ASSERT_TRUE(IsOver());
  EXPECT_EQ(answer_.consumed, 100'000u);
  loop_.On([&] {
    stream_->OnData(SliceOf("late"));
    stream_->OnEnd();
  });
  EXPECT_EQ(answer_.consumed, 100'004u);
  Close(transport::kHttp2NoError);
}

TEST_F(AGrpcPassedStream, IsUnavailableWhenTheOtherEndDiesBeforeItHasAnswered) {
  Start("/never");
  ASSERT_TRUE(loop_.Until([&] { return peer_->calls_come() == 1; }));
  peer_->Die();
  ASSERT_TRUE(IsOver());
  EXPECT_EQ(ValueOf(answer_.head, "grpc-status"), "14");
  EXPECT_EQ(answer_.reset, kNotReset);
  Close(transport::kHttp2NoError);
}

TEST_F(AGrpcPassedStream, IsResetWhenTheOtherEndDiesInTheMiddleOfAnAnswer) {
  Start("/head");
  ASSERT_TRUE(HasHead());
  peer_->Die();
  ASSERT_TRUE(IsOver());
  EXPECT_EQ(answer_.reset, transport::kHttp2InternalError);
  Close(transport::kHttp2InternalError);
}

TEST_F(AGrpcPassedStream, OutlivesTheConnectionThatHasBroughtItsAnswer) {
  Start("/bytes", true, "1000");
  ASSERT_TRUE(IsOver());
  peer_->Die();
  ASSERT_TRUE(loop_.Until([this] { return upstream_ == nullptr; }));
  loop_.On([this] { stream_->OnTaken(1000); });  // the client takes it only now
  Close(transport::kHttp2NoError);
}

TEST_F(AGrpcPassedStream, IsUnavailableOnAConnectionThatTakesNoCalls) {
  loop_.On([this] { upstream_->Close(); });
  Start("/echo", true);
  EXPECT_TRUE(answer_.is_over);
  EXPECT_EQ(ValueOf(answer_.head, "grpc-status"), "14");
  Close(transport::kHttp2NoError);
}

}  // namespace
}  // namespace penstock::frontend
