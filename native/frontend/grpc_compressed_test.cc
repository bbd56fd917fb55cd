// Calls of gRPC clients whose messages are compressed. That the answers are those of JavaScript is for test/contract/front-ends.test.ts.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "frontend/test_compressed.h"
#include "frontend/test_grpc_front_end.h"

namespace penstock::frontend {
namespace {

constexpr char kMarked = '\1';

std::vector<HeaderField> In(const std::string& encoding) { return GrpcTestClient::InferHeadWith("grpc-encoding", encoding); }

class GrpcCompressedTest : public GrpcFrontEndTest {
 protected:
  // Of what is answered without a message.
  static std::string StatusOf(const GrpcTestClient::Reply& reply) {
    const auto found = reply.head.find("grpc-status");
    return found == reply.head.end() ? "" : found->second + " " + reply.head.at("grpc-message");
  }
  // The last byte of the tensor that "echo" gives back; 0 without one.
  static char EchoOf(const GrpcTestClient::Reply& reply) { return reply.body.empty() ? '\0' : reply.body.back(); }
};

TEST_F(GrpcCompressedTest, AreAnsweredNatively) {
  Serve();
  auto client = Client();
  EXPECT_EQ(EchoOf(client->Infer(Framed(Gzipped(EchoMessage(1, '\3')), kMarked), In("gzip"))), '\3');
  EXPECT_EQ(EchoOf(client->Infer(Framed(Deflated(EchoMessage(1, '\4')), kMarked), In("deflate"))), '\4');
  const std::string large = EchoMessage(100'000, '\5');
  EXPECT_EQ(EchoOf(client->Infer(Framed(Gzipped(large), kMarked), In("gzip"))), '\5');
}

TEST_F(GrpcCompressedTest, AreCompressedOnlyWhereTheyAreMarkedAndTheCallSaysInWhat) {
  Serve();
  auto client = Client();
  EXPECT_EQ(EchoOf(client->Infer(Framed(EchoMessage(1, '\3')), In("gzip"))), '\3');
  EXPECT_EQ(EchoOf(client->Infer(Framed(EchoMessage(1, '\3'), '\2'), In("gzip"))), '\3');
  EXPECT_EQ(EchoOf(client->Infer(Framed(EchoMessage(1, '\3'), kMarked), In("identity"))), '\3');
}

TEST_F(GrpcCompressedTest, ComeInAnyPieces) {
  Serve();
  auto client = Client();
  const int32_t call = client->Begin(Framed(Gzipped(EchoMessage(2, '\5')), kMarked), In("gzip"));
  for (const char byte : client->Unsent()) ASSERT_TRUE(client->SendBytes({&byte, 1}));
  ASSERT_TRUE(client->UntilEnded(call));
  EXPECT_EQ(EchoOf(client->Of(call)), '\5');
}

TEST_F(GrpcCompressedTest, BrokenAreRefusedBeforeTheirEnd) {
  Serve();
  auto client = Client();
  const std::string broken = "13 Failed%20to%20decompress%20message";
  EXPECT_EQ(StatusOf(client->Infer(Framed(EchoMessage(), kMarked), In("gzip"))), broken);
  EXPECT_EQ(StatusOf(client->Infer(Framed("", kMarked), In("deflate"))), broken);
  const std::string whole = Gzipped(EchoMessage());
  EXPECT_EQ(StatusOf(client->Infer(Framed(whole.substr(0, whole.size() - 1), kMarked), In("gzip"))), broken);
  EXPECT_EQ(StatusOf(client->Infer(Framed("abc", kMarked) + Framed(whole, kMarked), In("gzip"))), broken);
  const int32_t open = client->Begin(Framed("abc", kMarked), In("gzip"), false);
  ASSERT_TRUE(client->UntilEnded(open));
  EXPECT_EQ(StatusOf(client->Of(open)), broken);
}

TEST_F(GrpcCompressedTest, AreOneMessageAndNotTwo) {
  Serve();
  auto client = Client();
  const std::string small = Framed(Gzipped(EchoMessage()), kMarked);
  const std::string large = Framed(Gzipped(EchoMessage(100'000)), kMarked);
  const std::string second =
      "12 Received%20a%20second%20request%20message%20for%20server%20streaming%20method%20/inference.GRPCInferenceService/ModelInfer";
  EXPECT_EQ(StatusOf(client->Infer(small + small, In("gzip"))), second);
  EXPECT_EQ(StatusOf(client->Infer(large + small, In("gzip"))), second);
}

TEST_F(GrpcCompressedTest, AreBoundedByWhatTheyBecome) {
  FrontEndOptions options;
  options.max_request_bytes = 100'000;
  Serve(options);
  auto client = Client();
  const std::string beyond = "8 Received%20message%20that%20decompresses%20to%20a%20size%20larger%20than%20100000";
  EXPECT_EQ(StatusOf(client->Infer(Framed(Gzipped(std::string(100'001, ' ')), kMarked), In("gzip"))), beyond);
  EXPECT_EQ(StatusOf(client->Infer(Framed(Gzipped(std::string(10 << 20, ' ')), kMarked), In("gzip"))), beyond);
  EXPECT_EQ(EchoOf(client->Infer(Framed(Gzipped(EchoMessage(6'000, '\3')), kMarked), In("gzip"))), '\3');
}

TEST_F(GrpcCompressedTest, CountInTheBudgetAndGiveItBackHoweverTheyEnd) {
  FrontEndOptions options;
  options.max_receiving_bytes = 1 << 20;
  Serve(options);
  auto client = Client();
  const std::string full = StatusOf(client->Infer(Framed(Gzipped(EchoMessage(100'000)), kMarked), In("gzip")));
  EXPECT_EQ(full.substr(0, 3), "14 ");
  const std::string fitting = Framed(Gzipped(EchoMessage(50'000, '\3')), kMarked);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(EchoOf(client->Infer(fitting, In("gzip"))), '\3') << i;
    // Waits for its end, with its message decompressed.
    const int32_t open = client->Begin(fitting, In("gzip"), false);
    ASSERT_TRUE(client->SendBytes(client->Unsent()));
    client->Reset(open);
    EXPECT_EQ(StatusOf(client->Infer(Framed("abc", kMarked), In("gzip"))), "13 Failed%20to%20decompress%20message");
  }
  uint64_t left = 0;
  OnLoop(&loop_->events_loop(), [&] {
    if (loop_->budget().Take(options.max_receiving_bytes)) left = options.max_receiving_bytes;
    loop_->budget().GiveBack(left);
  });
  EXPECT_EQ(left, options.max_receiving_bytes);
}

}  // namespace
}  // namespace penstock::frontend
