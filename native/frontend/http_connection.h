// One client of HTTP/1.1: its requests strictly one after the other, natively where they are inference, through JavaScript otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/status.h"
#include "frontend/hand_off.h"
#include "frontend/http_exchange.h"
#include "frontend/http_input.h"
#include "frontend/loop.h"
#include "frontend/tunnel.h"
#include "memory/slice.h"
#include "transport/channel.h"
#include "transport/event_loop.h"
#include "transport/http1_chunk_reader.h"
#include "transport/http1_head.h"
#include "transport/socket_output.h"

namespace penstock::frontend {

// [loop thread] Ends as src/frontend/http/listener.ts ends connections.
class HttpConnection : public Connection, public TunnelClient, public HttpExchangeClient {
 public:
  // A client that pipelines is not read beyond this while a request of it is worked on.
  static constexpr size_t kMostWaiting = transport::ReceiveBuffer::kBlockBytes;
  // How long bytes are read and thrown away so that the client gets to read its last answer: a close would take it back.
  static constexpr int64_t kLingerNs = 2'000'000'000;
  // How long a connection that has not said anything yet may hold up the drain.
  static constexpr int64_t kSilentGraceNs = 250'000'000;

  HttpConnection(Loop* loop, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff> hand_off);
  ~HttpConnection() override;
  // Once, before anything else. False when the system refuses it.
  bool Begin();

  void GoAway() override {}  // each answer asks the loop
  void Drain() override;
  void Destroy() override { Close(); }

  void OnReady(uint32_t events) override;
  void OnTurnEnd() override;

  void OnAnswered() override;

  void OnAnswer(memory::Slice bytes) override;
  void OnAnswerEnd() override;
  void OnTunnelEnd(bool is_cut) override;
  void OnTunnelDrained() override;

 private:
  enum class State : uint8_t {
    kHead,      // a request comes, or the connection is idle, or the last answer leaves
    kBody,      // of a native request
    kRunning,   // it is in the engine
    kDropping,  // it is refused, and the rest of its body thrown away
    kPassing,   // one request is with JavaScript
    kTunnel,    // all that comes is for JavaScript
    kLast,      // what waits is sent, and the connection ends
    kLinger,    // everything is sent; bytes of the client are thrown away until it ends
    kClosed,
  };

  // Everything that can be done now. Must be the last thing done.
  void Work();
  bool Flush();
  void Settle();
  bool Advance();
  bool TakeHead();
  bool ReadHead();
  bool TakeBody();
  bool TakeChunks();
  bool SubmitBody();
  void Receive();
  void Received(memory::Slice bytes);
  void ReceiveEnd();
  void Answered();
  void DropBody(uint64_t left);
  void DropPiece(const memory::Slice& bytes);
  void Pass();
  void GoTunnel();
  void SendHalfRequest();
  void SendChunksSoFar();
  bool OpenTunnel();
  void AnswerUnavailable(const Status& status);
  void CloseTunnel();
  void EndAfterLast();
  void Watch();
  bool WantsInput() const;
  bool ReadsBuffered() const;
  int64_t Deadline() const;
  void SetTimer();
  void OnTimer();
  void Close();
  int64_t now_ns() const { return loop_->events_loop().now_ns(); }

  Loop* const loop_;
  const std::shared_ptr<HandOff> hand_off_;
  const std::unique_ptr<transport::Channel> channel_;
  transport::SocketOutput output_;
  HttpInput input_;
  HttpExchange exchange_;
  std::unique_ptr<Tunnel> tunnel_;
  transport::Timer timer_;
  State state_ = State::kClosed;  // until Begin
  uint32_t watched_ = EPOLLIN;

  transport::Http1RequestHead head_;  // without its fields once it has been read; empty where it is not whole
  memory::Slice head_bytes_;         // of the request that is coming in or with JavaScript
  transport::Http1ChunkReader chunks_;  // of a body that comes in them
  bool is_answer_owed_ = false;      // an answer of `exchange_` stands in `output_` and has not left
  bool tunnel_was_used_ = false;     // before the request that it has now
  bool has_answer_begun_ = false;    // of that request; in a tunnel, any
  bool are_answers_paused_ = false;
  bool has_spoken_ = false;
  bool has_client_ended_ = false;
  bool is_draining_ = false;
  bool may_send_more_ = false;       // the client, although it has its last answer
  uint64_t dropping_left_ = 0;       // of chunks, 1 until their end

  // Moments; 0 where they are not.
  int64_t since_ns_ = 0;         // the first byte of the request, or the connection's begin
  int64_t idle_since_ns_ = 0;    // the last answer has left
  int64_t progress_ns_ = 0;      // the kernel took bytes of an answer, or they came to an empty output
  uint64_t progress_bytes_ = 0;
  int64_t linger_until_ns_ = 0;
  int64_t silent_until_ns_ = 0;
};

}  // namespace penstock::frontend
