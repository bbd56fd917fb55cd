#include "frontend/grpc_session.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "frontend/grpc_test_client.h"
#include "transport/nghttp2_library.h"
#include "transport/test_peers.h"

namespace penstock::frontend {
namespace {

// Answers every call at once, with `bytes` in one slice.
class OneAnswer : public GrpcSession::Owner {
 public:
  explicit OneAnswer(size_t bytes) : answer_(codec::MessageSlice(std::string(bytes, 'a'))) {}

  std::unique_ptr<GrpcStream> OnCall(const std::vector<HeaderField>&, bool, GrpcAnswer* answer) override {
    answer->SendHead({{":status", "200"}}, false);
    answer->SendData(answer_);
    answer->SendTrailers({{"grpc-status", "0"}});
    return nullptr;
  }
  void OnUnsent() override {}

 private:
  const memory::Slice answer_;
};

TEST(GrpcSession, PutsNoMoreOfALargeAnswerTogetherThanThereIsRoomFor) {
  const Result<const transport::Nghttp2*> http2 = transport::FindNghttp2();
  if (!http2.ok()) GTEST_SKIP() << http2.status().message();
  constexpr size_t kAnswerBytes = 1024 * 1024;
  constexpr size_t kRoom = 10000;
  constexpr size_t kFrameBytes = 16 * 1024 + 9;
  OneAnswer owner(kAnswerBytes);
  const auto session = GrpcSession::Make(http2.value(), 1, &owner);
  GrpcTestClient client(http2.value(), transport::SocketPair().first);
  client.Begin("");
  ASSERT_TRUE(session->Receive(codec::MessageSlice(client.Unsent())));
  size_t sent_bytes = 0;
  GrpcSession::Sent sent = GrpcSession::Sent::kSome;
  while (sent == GrpcSession::Sent::kSome) {
    transport::SocketOutput output;
    sent = session->Send(&output, kRoom);
    EXPECT_LT(output.bytes(), kRoom + kFrameBytes);
    sent_bytes += output.bytes();
  }
  EXPECT_EQ(sent, GrpcSession::Sent::kAll);
  EXPECT_EQ(session->waiting_bytes(), 0u);
  EXPECT_EQ(session->taken_bytes(), kAnswerBytes);
  EXPECT_GT(sent_bytes, kAnswerBytes);
  EXPECT_EQ(session->streams(), 0u);
}

}  // namespace
}  // namespace penstock::frontend
