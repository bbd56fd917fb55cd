#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "loadgen/grpc_connection.h"
#include "transport/nghttp2_library.h"

namespace penstock::loadgen {
namespace {

constexpr size_t kStreams = 1000;
constexpr size_t kFirstStreams = 100;  // that nghttp2 keeps to until it has been told

// Skips, with the reason, where there is no nghttp2.
class AGrpcConnection : public ::testing::Test {
 protected:
  void SetUp() override {
    const Result<const transport::Nghttp2*> found = transport::FindNghttp2();
    if (!found.ok()) GTEST_SKIP() << found.status().message();
    http2_ = *found.value();
    request_.fields = {{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "here"}};
    request_.body = std::string(5, '\0');
  }

  // What a server says first that allows so many calls at a time.
  std::string SettingsOf(uint32_t max_streams) const {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session* session = nullptr;
    EXPECT_EQ(http2_.session_callbacks_new(&callbacks), 0);
    EXPECT_EQ(http2_.session_server_new(&session, callbacks, nullptr), 0);
    http2_.session_callbacks_del(callbacks);
    const transport::Http2Setting most{transport::kHttp2MaxConcurrentStreams, max_streams};
    EXPECT_EQ(http2_.submit_settings(session, 0, &most, 1), 0);
    const uint8_t* bytes = nullptr;
    const ssize_t size = http2_.session_mem_send(session, &bytes);
    EXPECT_GT(size, 0);
    std::string settings(reinterpret_cast<const char*>(bytes), static_cast<size_t>(std::max<ssize_t>(size, 0)));
    http2_.session_del(session);
    return settings;
  }

  transport::Nghttp2 http2_;  // whose functions a test may replace
  GrpcRequest request_;
  ExpectedBody expected_;
  GrpcServer server_;
};

TEST_F(AGrpcConnection, HasNoRoomForCallsThatWouldWaitInsideUntilTheServerHasSaidHowManyItTakes) {
  GrpcConnection first(&http2_, &request_, &expected_, &server_, kStreams);
  EXPECT_EQ(first.room(), kFirstStreams);
  ASSERT_TRUE(first.Start());
  EXPECT_EQ(first.room(), kFirstStreams);
  first.Receive(SettingsOf(500));
  EXPECT_EQ(first.room(), 500u);
  // What its server allows holds for the next one only as far as that may use it yet.
  GrpcConnection second(&http2_, &request_, &expected_, &server_, kStreams);
  ASSERT_TRUE(second.Start());
  EXPECT_EQ(second.room(), kFirstStreams);
  second.Receive(SettingsOf(2));
  EXPECT_EQ(second.room(), 2u);
  EXPECT_EQ(first.room(), 500u);
  GrpcConnection third(&http2_, &request_, &expected_, &server_, kStreams);
  ASSERT_TRUE(third.Start());
  EXPECT_EQ(third.room(), 2u);
}

TEST_F(AGrpcConnection, IsOverWhenItCannotSend) {
  http2_.submit_request = [](nghttp2_session*, const transport::Http2Priority*, const transport::Http2Field*, size_t,
                             const transport::Http2Body*, void*) -> int32_t { return -901; };  // no memory
  GrpcConnection connection(&http2_, &request_, &expected_, &server_, kStreams);
  ASSERT_TRUE(connection.Start());
  EXPECT_FALSE(connection.is_over());
  EXPECT_FALSE(connection.Send({}));
  EXPECT_TRUE(connection.is_over());
  EXPECT_EQ(connection.room(), 0u);
  connection.EndAll(Outcome::kBroken);
  EXPECT_TRUE(connection.ended().empty());  // the call was never taken
  EXPECT_TRUE(connection.Start());
  EXPECT_FALSE(connection.is_over());
}

TEST_F(AGrpcConnection, TellsCallsThatNeverLeftBeforeTheServerWentAwayFromBrokenOnes) {
  GrpcConnection connection(&http2_, &request_, &expected_, &server_, kStreams);
  ASSERT_TRUE(connection.Start());
  ASSERT_TRUE(connection.Send({1, 1}));
  EXPECT_FALSE(connection.Unsent().empty());  // of which the socket takes nothing
  ASSERT_TRUE(connection.Send({2, 2}));
  const char go_away[] = {0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};  // but for stream 1 (RFC 9113, 6.8)
  connection.Receive(SettingsOf(100) + std::string(go_away, sizeof go_away));
  EXPECT_FALSE(connection.is_over());
  connection.EndAll(Outcome::kBroken);
  ASSERT_EQ(connection.ended().size(), 2u);
  for (const Connection::Ended& ended : connection.ended()) {
    EXPECT_EQ(ended.outcome, ended.ticket.sent_ns == 1 ? Outcome::kBroken : Outcome::kShed);
  }
}

}  // namespace
}  // namespace penstock::loadgen
