// The HTTP/2 connection to JavaScript that one gRPC client has while it makes calls that are not answered natively.
//
// A call goes up with the fields that it came with and its answer comes down with those that JavaScript gave: streaming calls, trailers and
// statuses included. Never shared between clients.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
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
  enum class Ending {
    kAnswered,  // the answer has come whole
    kReset,     // JavaScript has reset it before that
    kLost,      // the connection has ended before that: its thread has died
  };
  virtual ~UpstreamCall() = default;
  // `ends`: nothing follows (a status without an answer).
  virtual void OnAnswerHead(std::vector<HeaderField> fields, bool ends) = 0;
  // `GrpcUpstream::Consumed` gives the window back once the client has it.
  virtual void OnAnswerData(memory::Slice bytes) = 0;
  // The end of an answer whose head was not all of it. Empty when it has none.
  virtual void OnAnswerTrailers(std::vector<HeaderField> fields) = 0;
  // Bytes of the client's that have left for JavaScript: its window may be given back.
  virtual void OnSent(size_t bytes) = 0;
  // The last one: the call's name means nothing any more, and GrpcUpstream may be gone soon. `error` (RFC 9113, 7) is that of kReset.
  virtual void OnOver(Ending ending, uint32_t error) = 0;
};

// [loop thread]
class GrpcUpstream : public transport::EventHandler {
 public:
  // Errors: those of HandOff::Connect and EventLoop::Watch, kMemory. `on_end`: the connection has ended, all its calls were told; it takes
  // no new ones and wants to be retired.
  static Result<std::unique_ptr<GrpcUpstream>> Open(const transport::Nghttp2* http2, transport::EventLoop* loop,
                                                    transport::ReceiveBuffer* buffer, HandOff* hand_off, std::function<void()> on_end);
  ~GrpcUpstream() override;
  GrpcUpstream(const GrpcUpstream&) = delete;  // nghttp2 keeps its address
  GrpcUpstream& operator=(const GrpcUpstream&) = delete;

  // False after it has been told to go: calls that it has are still answered.
  bool takes_calls() const;
  // A name for the call, above 0. `ends`: it has no body. `call` lives until its OnOver or until Cancel. Calls beyond those that
  // JavaScript takes at a time wait here. kServerExiting when it takes no calls, kMemory.
  Result<int32_t> Begin(const std::vector<HeaderField>& fields, bool ends, UpstreamCall* call);
  // The names of calls that are over may still be given to all of the following: it does nothing then.
  void SendData(int32_t call, memory::Slice bytes);
  void EndData(int32_t call);
  // Bytes of OnAnswerData that the client has taken.
  void Consumed(int32_t call, size_t bytes);
  // The client has gone, or is not to be told any more.
  void Cancel(int32_t call, uint32_t error);
  // That are not over.
  size_t calls() const { return calls_.size(); }
  // Nobody is told any more; closes. May be repeated.
  void Close();

  void OnReady(uint32_t events) override;
  void OnTurnEnd() override;

 private:
  struct Call;
  // What nghttp2 reports while it runs is told when it has returned, so that whoever is told may call anything.
  struct Event {
    enum class Kind { kHead, kData, kTrailers, kSent, kClosed };
    Kind kind;
    int32_t call;
    std::vector<HeaderField> fields = {};  // kHead, kTrailers
    bool ends = false;                     // kHead
    memory::Slice bytes = {};              // kData
    size_t sent = 0;                       // kSent
    uint32_t error = 0;                    // kClosed
  };

  GrpcUpstream(const transport::Nghttp2* http2, transport::EventLoop* loop, transport::ReceiveBuffer* buffer,
               transport::FileDescriptor socket, std::function<void()> on_end);
  Status Start();
  Call* CallOf(int32_t name) const;
  void Wake(int32_t name, Call* call);
  void Keep(Call* call, memory::Slice bytes);
  void Forget(int32_t name);
  void Receive();
  bool Send();
  void Tell();
  void End();

  // From nghttp2; user_data is the connection.
  static ssize_t ReadBody(nghttp2_session*, int32_t name, uint8_t*, size_t bytes, uint32_t* flags, transport::Http2BodySource*,
                          void* user_data);
  static int SendBody(nghttp2_session*, transport::Http2Frame* frame, const uint8_t* head, size_t size, transport::Http2BodySource*,
                      void* user_data);
  static int OnField(nghttp2_session*, const transport::Http2Frame* frame, const uint8_t* name, size_t name_bytes, const uint8_t* value,
                     size_t value_bytes, uint8_t flags, void* user_data);
  static int OnChunk(nghttp2_session*, uint8_t flags, int32_t name, const uint8_t* bytes, size_t size, void* user_data);
  static int OnFrame(nghttp2_session*, const transport::Http2Frame* frame, void* user_data);
  static int OnStreamClose(nghttp2_session*, int32_t name, uint32_t error, void* user_data);

  const transport::Nghttp2& http2_;
  transport::EventLoop* const loop_;
  transport::ReceiveBuffer* const buffer_;
  transport::FileDescriptor socket_;
  std::function<void()> on_end_;
  nghttp2_session* session_ = nullptr;         // null = ended or closed
  const memory::Slice* receiving_ = nullptr;   // what nghttp2 reads just now
  bool is_sending_ = false;                    // nghttp2 writes just now
  bool cannot_send_ = false;                   // the other end has closed, but what it has said before may not have been read yet
  transport::SocketOutput output_;
  std::unordered_map<int32_t, std::unique_ptr<Call>> calls_;  // by the number of their streams
  std::deque<Event> events_;
  uint32_t watched_ = 0;
};

}  // namespace penstock::frontend
