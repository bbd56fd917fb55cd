// A loop that serves gRPC clients natively, with an engine and the JavaScript end of its hand-off, for tests of this folder.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <utility>

#include "frontend/grpc_connection.h"
#include "frontend/grpc_test_client.h"
#include "frontend/test_engine.h"
#include "transport/nghttp2_library.h"
#include "transport/test_peers.h"

namespace penstock::frontend {

inline serving::VersionSpec LargeEcho() {
  serving::VersionSpec spec = serving::EchoSpec();
  spec.max_batch_size = 1 << 20;
  return spec;
}

// Skips, with the reason, where there is no nghttp2.
class GrpcFrontEndTest : public testing::Test {
 protected:
  void SetUp() override {
    const Result<const transport::Nghttp2*> found = transport::FindNghttp2();
    if (!found.ok()) GTEST_SKIP() << found.status().message();
    http2_ = found.value();
  }
  void Serve(const FrontEndOptions& options = {}) {
    auto loop = Loop::Start(options, &engine_.engine, codec::CodecLimits{}, {&MakeGrpcConnection, &MakeGrpcConnection}, events_, http2_, 0);
    ASSERT_TRUE(loop.ok());
    loop_ = loop.value();
    taker_ = loop_->TakerFor(Protocol::kGrpc, hand_off_, [this] { ended_.Add(); });
  }
  void TearDown() override {
    engine_.session->OpenGate();
    if (loop_ != nullptr) loop_->Destroy();
  }
  transport::FileDescriptor Connect() {
    auto [ours, theirs] = transport::SocketPair();
    taker_->Take(std::move(theirs));
    return std::move(ours);
  }
  std::unique_ptr<GrpcTestClient> Client(int32_t window = transport::kHttp2MaxWindow) {
    return std::make_unique<GrpcTestClient>(http2_, Connect(), window);
  }
  size_t Pending() {
    size_t pending = 0;
    OnLoop(&loop_->events_loop(), [&] { pending = loop_->calls().pending(); });
    return pending;
  }
  bool HasNothingPending() {
    for (int tries = 0; tries < 3000; ++tries) {
      if (Pending() == 0) return true;
      poll(nullptr, 0, 10);
    }
    return false;
  }

  const transport::Nghttp2* http2_ = nullptr;
  TestEngine engine_{LargeEcho()};
  const std::shared_ptr<RequestEvents> events_ = std::make_shared<RequestEvents>(true, true, [] {});
  const std::shared_ptr<HandOff> hand_off_ = std::make_shared<HandOff>(1000);
  Happenings ended_;
  std::shared_ptr<Loop> loop_;
  std::shared_ptr<transport::ConnectionTaker> taker_;
};

}  // namespace penstock::frontend
