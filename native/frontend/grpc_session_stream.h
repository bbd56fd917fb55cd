// One stream of a GrpcSession: the head and the body that the client sends, and the answer that waits to be sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "frontend/grpc_stream.h"
#include "memory/slice.h"
#include "transport/nghttp2_api.h"
#include "transport/socket_output.h"

namespace penstock::frontend {

class GrpcSession;

// Owned by the session, which is the only one to use what GrpcAnswer has not.
class GrpcSessionStream : public GrpcAnswer {
 public:
  GrpcSessionStream(GrpcSession* session, int32_t id) : session_(session), id_(id) {}

  void SendHead(const std::vector<HeaderField>& fields, bool ends) override;
  void SendData(memory::Slice bytes) override;
  void SendTrailers(const std::vector<HeaderField>& fields) override;
  void Reset(uint32_t error) override;
  void Consumed(size_t bytes) override;

  int32_t id() const { return id_; }
  // The client's side.
  bool has_request_head = false;
  bool client_has_ended = false;
  size_t unconsumed_bytes = 0;
  // Null: nobody wants the client's body.
  std::unique_ptr<GrpcStream> handler;

  bool is_reset() const { return is_reset_; }
  // Its answer is with nghttp2 whole.
  bool is_answered() const { return is_answered_; }
  size_t waiting_bytes() const { return waiting_bytes_; }
  // Bytes of the answer that have been sent since the last call.
  size_t TakeSentBytes();

 private:
  // From nghttp2; the source is the stream.
  static ssize_t ReadBody(nghttp2_session*, int32_t id, uint8_t*, size_t bytes, uint32_t* flags, transport::Http2BodySource* source,
                          void* user_data);
  friend class GrpcSession;
  void SendBody(size_t bytes, transport::SocketOutput* output);
  void Wake();
  void DropBody();

  GrpcSession* const session_;
  const int32_t id_;
  std::vector<memory::Slice> body_;  // few: what has been sent goes with each frame
  size_t first_sent_ = 0;      // of the first slice
  size_t waiting_bytes_ = 0;   // of body_
  size_t sent_bytes_ = 0;      // since TakeSentBytes
  std::vector<HeaderField> trailers_;
  bool has_head_ = false;
  bool has_trailers_ = false;
  bool is_asleep_ = false;     // nghttp2 waits for more of the body
  bool is_reset_ = false;
  bool is_answered_ = false;
};

}  // namespace penstock::frontend
