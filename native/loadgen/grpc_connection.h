// Unary gRPC calls over HTTP/2 without TLS, several at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "loadgen/connection.h"
#include "loadgen/grpc_reply.h"
#include "transport/nghttp2_api.h"

namespace penstock::loadgen {

struct GrpcRequest {
  std::vector<std::pair<std::string, std::string>> fields;  // of the head; those of HTTP/2 first
  std::string body;                                         // the message behind its prefix
};

// What the connections of a run know of their server together. Any thread.
struct GrpcServer {
  // As the last one was told: what holds for a new one until it is told. Before the first, what nghttp2 keeps to by itself.
  std::atomic<uint32_t> max_streams{100};
};

class GrpcConnection : public Connection {
 public:
  // At most `streams` calls at a time, or as many as the server allows. All outlive it.
  GrpcConnection(const transport::Nghttp2* http2, const GrpcRequest* request, const ExpectedBody* expected,
                 GrpcServer* server, size_t streams);
  ~GrpcConnection() override { CloseSession(); }
  GrpcConnection(const GrpcConnection&) = delete;  // nghttp2 keeps its address
  GrpcConnection& operator=(const GrpcConnection&) = delete;

  bool Start() override;
  size_t room() const override;
  bool Send(const Sender::Ticket& ticket) override;
  std::string_view Unsent() override;
  void TookUnsent(size_t bytes) override { unsent_from_ += bytes; }
  void Receive(std::string_view bytes) override;
  bool is_over() const override;
  void EndAll(Outcome outcome) override;

 private:
  struct Call {
    explicit Call(const ExpectedBody* expected) : reply(expected) {}
    bool is_busy = false;
    size_t sent = 0;  // bytes of the body that nghttp2 has taken
    Sender::Ticket ticket;
    GrpcReply reply;
  };

  bool MakeSession();
  void CloseSession();
  void TakeSettings();
  size_t in_flight() const { return calls_.size() - free_.size(); }
  Call* CallOf(int32_t stream_id) const;
  void End(Call* call, Outcome outcome);

  // From nghttp2; user_data is the connection.
  static ssize_t ReadBody(nghttp2_session*, int32_t stream_id, uint8_t* buffer, size_t bytes, uint32_t* flags,
                          transport::Http2BodySource* source, void* user_data);
  static int OnField(nghttp2_session*, const transport::Http2Frame* frame, const uint8_t* name, size_t name_bytes, const uint8_t* value,
                     size_t value_bytes, uint8_t flags, void* user_data);
  static int OnData(nghttp2_session*, uint8_t flags, int32_t stream_id, const uint8_t* bytes, size_t size, void* user_data);
  static int OnFrame(nghttp2_session*, const transport::Http2Frame* frame, void* user_data);
  static int OnStreamClose(nghttp2_session*, int32_t stream_id, uint32_t error, void* user_data);

  const transport::Nghttp2& http2_;
  GrpcServer& server_;
  const std::string& body_;
  std::vector<transport::Http2Field> fields_;
  std::vector<Call> calls_;   // never grows: nghttp2 keeps their addresses
  std::vector<Call*> free_;
  nghttp2_session* session_ = nullptr;
  bool has_settings_ = false; // the server's have come
  bool is_refused_ = false;   // the server takes no further calls
  bool has_failed_ = false;
  std::string unsent_;        // frames that nghttp2 has given, put together so that they leave with one call
  size_t unsent_from_ = 0;
};

}  // namespace penstock::loadgen
