// The HTTP/2 connection to JavaScript that one gRPC client has while it makes calls that are not answered natively.
//
// A call goes up with the fields that it came with and its answer comes down with those that JavaScript gave: streaming calls, trailers and
// statuses included. Never shared between clients.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "frontend/hand_off.h"
#include "memory/slice.h"
#include "transport/event_loop.h"
#include "transport/file_descriptor.h"
#include "transport/nghttp2_api.h"
#include "transport/receive_buffer.h"
#include "transport/socket_output.h"

namespace penstock::frontend {

struct HeaderField {
  std::string name;
  std::string value;
};

// The client's side of one call. [loop thread] None of it comes from inside a call of GrpcUpstream's.
class UpstreamCall {
 public:
  virtual ~UpstreamCall() = default;
  // `ends`: nothing follows (a status without an answer).
  virtual void OnHead(std::vector<HeaderField> fields, bool ends) = 0;
  // `GrpcUpstream::Consumed` gives the window back once the client has it.
  virtual void OnData(memory::Slice bytes) = 0;
  virtual void OnTrailers(std::vector<HeaderField> fields) = 0;
  // Bytes of the client's that have left for JavaScript: its window may be given back.
  virtual void OnSent(size_t bytes) = 0;
  // Ended with this error (RFC 9113, 7) before its answer was whole: JavaScript has reset it, or its thread has died.
  virtual void OnBroken(uint32_t error) = 0;
};

// [loop thread]
class GrpcUpstream : public transport::EventHandler {
 public:
  // Errors: those of HandOff::Connect, kMemory. `on_end`: the connection has ended, all its calls were told; it takes no new ones and wants
  // to be retired.
  static Result<std::unique_ptr<GrpcUpstream>> Open(const transport::Nghttp2* http2, transport::EventLoop* loop,
                                                    transport::ReceiveBuffer* buffer, HandOff* hand_off, std::function<void()> on_end);
  ~GrpcUpstream() override;

  // False after it has been told to go: calls that it has are still answered.
  bool takes_calls() const;
  // A name for the call, above 0. `ends`: it has no body. kServerExiting when it takes no calls.
  Result<int32_t> Begin(const std::vector<HeaderField>& fields, bool ends, UpstreamCall* call);
  void SendData(int32_t call, memory::Slice bytes);
  void EndData(int32_t call);
  // Bytes of OnData that the client has taken.
  void Consumed(int32_t call, size_t bytes);
  // The client has gone, or is not to be told any more.
  void Cancel(int32_t call, uint32_t error);
  size_t calls() const { return calls_.size(); }
  // Nobody is told any more; closes.
  void Close();

  void OnReady(uint32_t events) override;
  void OnTurnEnd() override;

 private:
  struct Call;
  GrpcUpstream(const transport::Nghttp2* http2, transport::EventLoop* loop, transport::ReceiveBuffer* buffer,
               transport::FileDescriptor socket, std::function<void()> on_end);

  const transport::Nghttp2* const http2_;
  transport::EventLoop* const loop_;
  transport::ReceiveBuffer* const buffer_;
  transport::FileDescriptor socket_;
  std::function<void()> on_end_;
  nghttp2_session* session_ = nullptr;
  transport::SocketOutput output_;
  std::unordered_map<int32_t, std::unique_ptr<Call>> calls_;
  uint32_t watched_ = 0;
};

}  // namespace penstock::frontend
