// The HTTP/2 of a gRPC client: an nghttp2 server session, its streams, and the windows that their bodies come and go by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "frontend/grpc_session_stream.h"
#include "frontend/grpc_stream.h"
#include "memory/slice.h"
#include "transport/nghttp2_api.h"
#include "transport/socket_output.h"

namespace penstock::frontend {

// [loop thread]
class GrpcSession {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // A call has begun; whoever is given may answer from inside. Null: nobody wants its body. `ends`: it has none.
    virtual std::unique_ptr<GrpcStream> OnCall(const std::vector<HeaderField>& fields, bool ends, GrpcAnswer* answer) = 0;
    // Send has something to do. Also from inside Receive and Send.
    virtual void OnUnsent() = 0;
  };

  // Null when there is no memory. At most `most_streams` at a time, as the client is told; 0 = no limit. Both pointers outlive it.
  static std::unique_ptr<GrpcSession> Make(const transport::Nghttp2* http2, uint32_t most_streams, Owner* owner);
  // CloseStreams was called before, if anybody is to hear of it.
  ~GrpcSession();
  GrpcSession(const GrpcSession&) = delete;  // nghttp2 keeps its address
  GrpcSession& operator=(const GrpcSession&) = delete;

  // Bytes that the client has sent. False: what it speaks is not HTTP/2, or there is no memory.
  bool Receive(const memory::Slice& bytes);

  enum class Sent { kAll, kSome, kFailed };
  // Frames into `output`, until it holds `most_bytes` or more, which is at most a frame more.
  Sent Send(transport::SocketOutput* output, size_t most_bytes);
  // Neither side wants anything of the other any more.
  bool is_over() const;

  size_t streams() const { return streams_.size(); }
  // Of answers that nghttp2 has not taken, for want of windows or of room in the output.
  size_t waiting_bytes() const { return waiting_bytes_; }
  // Of answers, that it has taken since the beginning.
  uint64_t taken_bytes() const { return taken_bytes_; }

  void Ping();
  // A GOAWAY that refuses nothing yet.
  void TellToGo();
  // A GOAWAY with the last stream that has come: later ones are ignored.
  void RefuseNew();
  // The connection is gone: every stream hears of it, and is forgotten.
  void CloseStreams(uint32_t error);

 private:
  friend class GrpcSessionStream;
  GrpcSession(const transport::Nghttp2* http2, Owner* owner) : http2_(*http2), owner_(owner) {}
  bool Start(uint32_t most_streams);
  GrpcSessionStream* StreamOf(int32_t id) const;
  // [stream] Its answer will have been sent when nghttp2 has nothing left to send.
  void Answered(GrpcSessionStream* stream) { answered_.push_back(stream->id()); }
  void TellTaken();
  bool EndAnswered();
  // `stream` may be null.
  void TakeField(GrpcSessionStream* stream, std::string_view name, std::string_view value);
  void TakeChunk(int32_t id, const uint8_t* bytes, size_t size);
  void TakeFrame(const transport::Http2Frame& frame);
  void Close(int32_t id, uint32_t error);

  // From nghttp2; user_data is the session.
  static int OnBeginHeaders(nghttp2_session*, const transport::Http2Frame* frame, void* user_data);
  static int OnField(nghttp2_session*, const transport::Http2Frame* frame, const uint8_t* name, size_t name_bytes, const uint8_t* value,
                     size_t value_bytes, uint8_t flags, void* user_data);
  static int OnChunk(nghttp2_session*, uint8_t flags, int32_t id, const uint8_t* bytes, size_t size, void* user_data);
  static int OnFrame(nghttp2_session*, const transport::Http2Frame* frame, void* user_data);
  static int OnStreamClose(nghttp2_session*, int32_t id, uint32_t error, void* user_data);
  static int SendBody(nghttp2_session*, transport::Http2Frame* frame, const uint8_t* head, size_t size, transport::Http2BodySource* source,
                      void* user_data);

  const transport::Nghttp2& http2_;
  Owner* const owner_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<int32_t, std::unique_ptr<GrpcSessionStream>> streams_;
  std::vector<HeaderField> fields_;          // of the head that is coming: there is one at a time
  size_t field_bytes_ = 0;
  int32_t last_stream_ = 0;
  const memory::Slice* receiving_ = nullptr;  // what nghttp2 reads just now
  transport::SocketOutput* sending_ = nullptr;  // where it writes just now
  size_t most_sending_bytes_ = 0;               // until `sending_` holds so many
  std::vector<int32_t> answered_;            // streams whose answers are with nghttp2 whole
  std::vector<int32_t> taken_from_;          // streams that are to hear OnTaken
  size_t waiting_bytes_ = 0;
  uint64_t taken_bytes_ = 0;
};

}  // namespace penstock::frontend
