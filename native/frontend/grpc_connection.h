// A gRPC client over HTTP/2: its channel and its times. ModelInfer is answered here, every other call by JavaScript.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "frontend/grpc_session.h"
#include "frontend/grpc_stream.h"
#include "frontend/grpc_upstreams.h"
#include "frontend/loop.h"
#include "transport/channel.h"
#include "transport/event_loop.h"
#include "transport/socket_output.h"

namespace penstock::frontend {

// [loop thread]
class GrpcConnection : public Connection, private GrpcSession::Owner {
 public:
  GrpcConnection(Loop* loop, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff> hand_off);
  // False when it cannot be served: it is to be destroyed.
  bool Start();

  void OnReady(uint32_t events) override;
  void OnTurnEnd() override;
  void GoAway() override;
  void Drain() override;
  void Destroy() override { Close(); }

 private:
  std::unique_ptr<GrpcStream> OnCall(const std::vector<HeaderField>& fields, bool ends, GrpcAnswer* answer) override;
  void OnUnsent() override { loop_->events_loop().AtTurnEnd(this); }

  bool has_preface() const;
  void RefuseCall(const std::vector<HeaderField>& fields, const Status& why, GrpcAnswer* answer);
  void Receive();
  // False when the connection is closed.
  bool SendAll();
  void EndIfOver();
  bool reads() const;
  void WatchChannel();
  void WatchProgress();
  // Of the client: its preface, then signs of life.
  void OnSilence();
  // Goes on with what GoAway and Drain have begun, as far as it is time.
  void GoOn();
  void Linger();
  void Close();
  int64_t now_ns() const { return loop_->events_loop().now_ns(); }

  Loop* const loop_;
  const std::unique_ptr<transport::Channel> channel_;
  GrpcUpstreams upstreams_;
  const std::shared_ptr<GrpcShared> shared_;
  std::unique_ptr<GrpcSession> session_;
  transport::SocketOutput output_;

  uint32_t watched_ = 0;
  uint64_t received_bytes_ = 0;
  int64_t opened_ns_ = 0;
  int64_t received_ns_ = 0;  // when the last bytes came
  int64_t pinged_ns_ = 0;    // 0 = no answer is waited for
  int64_t told_ns_ = 0;      // when the client was told to go; 0 = it was not
  uint64_t progress_ = 0;    // what the client had taken when stalled_ was set
  bool is_going_ = false;
  bool is_draining_ = false;
  bool refuses_new_ = false; // the last GOAWAY is under way
  bool is_lingering_ = false;
  transport::Timer silence_;
  transport::Timer stalled_;
  transport::Timer going_;
};

}  // namespace penstock::frontend
