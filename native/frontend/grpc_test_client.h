// A client of HTTP/2 for tests, over a real nghttp2 session; everything happens on the test's thread.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/grpc_test_messages.h"
#include "frontend/grpc_infer_stream.h"
#include "frontend/grpc_upstream.h"
#include "transport/file_descriptor.h"
#include "transport/nghttp2_api.h"

namespace penstock::frontend {

// A message behind its prefix.
inline std::string Framed(const std::string& message, char flag = '\0') {
  std::string framed(1, flag);
  for (int shift = 24; shift >= 0; shift -= 8) framed += static_cast<char>(message.size() >> shift & 0xff);
  return framed + message;
}

// A ModelInferRequest for "echo" of serving/test_model.h, with `rows` rows of 16 bytes.
inline std::string EchoMessage(int64_t rows = 1, char byte = '\1', const std::string& id = "", const std::string& model = "echo") {
  codec::Wire shape;
  shape.Number(static_cast<uint64_t>(rows)).Number(4);
  codec::Wire input;
  input.Text(1, "x").Text(2, "FP32").Text(3, shape.bytes());
  codec::Wire request;
  request.Text(1, model);
  if (!id.empty()) request.Text(3, id);
  return request.Message(5, input).Text(7, std::string(static_cast<size_t>(rows) * 16, byte)).bytes();
}

class GrpcTestClient {
 public:
  struct Reply {
    std::map<std::string, std::string> head;
    std::string body;
    std::map<std::string, std::string> trailers;
    bool has_head = false;
    bool has_ended = false;  // the server's side
    bool is_closed = false;
    uint32_t error = 0;
  };
  struct Call {
    std::string body;
    size_t sent = 0;
    bool ends = true;
    Reply reply;
  };

  // `window`: of each stream.
  GrpcTestClient(const transport::Nghttp2* http2, transport::FileDescriptor socket, int32_t window = transport::kHttp2MaxWindow)
      : http2_(*http2), socket_(std::move(socket)) {
    fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
    nghttp2_session_callbacks* callbacks = nullptr;
    http2_.session_callbacks_new(&callbacks);
    http2_.session_callbacks_set_on_header_callback(callbacks, OnField);
    http2_.session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
    http2_.session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    http2_.session_callbacks_set_on_stream_close_callback(callbacks, OnStreamClose);
    http2_.session_client_new(&session_, callbacks, this);
    http2_.session_callbacks_del(callbacks);
    const transport::Http2Setting setting{transport::kHttp2InitialWindowSize, static_cast<uint32_t>(window)};
    http2_.submit_settings(session_, 0, &setting, 1);
    http2_.session_set_local_window_size(session_, 0, 0, transport::kHttp2MaxWindow);
  }
  ~GrpcTestClient() { http2_.session_del(session_); }
  GrpcTestClient(const GrpcTestClient&) = delete;

  static std::vector<HeaderField> InferHead() {
    return {{":method", "POST"},   {":scheme", "http"},                  {":path", kModelInferPath},
            {":authority", "test"}, {"content-type", "application/grpc"}, {"te", "trailers"}};
  }
  static std::vector<HeaderField> InferHeadWith(const std::string& name, const std::string& value) {
    std::vector<HeaderField> head = InferHead();
    for (HeaderField& field : head) {
      if (field.name == name) field.value = value;
    }
    if (std::none_of(head.begin(), head.end(), [&](const HeaderField& field) { return field.name == name; })) head.push_back({name, value});
    return head;
  }

  int32_t Begin(const std::string& body, const std::vector<HeaderField>& head = InferHead(), bool ends = true) {
    std::vector<transport::Http2Field> fields;
    for (const HeaderField& field : head) {
      fields.push_back({Bytes(field.name), Bytes(field.value), field.name.size(), field.value.size(), 0});
    }
    transport::Http2Body source;
    source.source.pointer = this;
    source.read = ReadBody;
    const transport::Http2Body* sent = body.empty() && ends ? nullptr : &source;
    const int32_t id = http2_.submit_request(session_, nullptr, fields.data(), fields.size(), sent, nullptr);
    calls_[id] = Call{body, 0, ends, {}};
    return id;
  }
  void Reset(int32_t id, uint32_t error = transport::kHttp2Cancel) { http2_.submit_rst_stream(session_, 0, id, error); }
  void OpenWindow(int32_t id, int32_t bytes) { http2_.session_set_local_window_size(session_, 0, id, bytes); }

  // What the session wants to send now.
  std::string Unsent() {
    std::string unsent;
    for (;;) {
      const uint8_t* bytes = nullptr;
      const ssize_t size = http2_.session_mem_send(session_, &bytes);
      if (size <= 0) return unsent;
      unsent.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
    }
  }
  // Sends bytes, and reads in the meantime. False when the connection is closed.
  bool SendBytes(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
      if (sent < 0 && errno != EAGAIN) return false;
      if (!bytes.empty() && !Receive(sent < 0 ? 10 : 0)) return false;
    }
    return true;
  }
  // Sends and reads until it holds. False when it does not in time, or the connection has ended before.
  bool Until(const std::function<bool()>& holds) {
    for (int tries = 0; tries < 3000; ++tries) {
      SendBytes(Unsent());  // what was sent to us before the other end closed is still read
      if (holds()) return true;
      if (!Receive(10)) return holds();
    }
    return false;
  }
  bool UntilEnded(int32_t id) {
    return Until([&] { return calls_[id].reply.has_ended || calls_[id].reply.is_closed; });
  }
  bool UntilClosed() {
    return Until([this] { return is_closed_; });
  }
  const Reply& Of(int32_t id) { return calls_[id].reply; }
  // A whole call.
  const Reply& Infer(const std::string& body, const std::vector<HeaderField>& head = InferHead()) {
    const int32_t id = Begin(body, head);
    UntilEnded(id);
    return Of(id);
  }

  size_t goaways() const { return goaways_; }
  size_t pings() const { return pings_; }
  bool is_closed() const { return is_closed_; }
  uint32_t server_setting(int id) { return http2_.session_get_remote_settings(session_, id); }

 private:
  static uint8_t* Bytes(const std::string& text) { return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data())); }

  // False when the connection has ended.
  bool Receive(int wait_ms) {
    pollfd wait{socket_.get(), POLLIN, 0};
    if (poll(&wait, 1, wait_ms) != 1) return true;
    char bytes[65536];
    const ssize_t got = recv(socket_.get(), bytes, sizeof bytes, 0);
    if (got < 0 && errno == EAGAIN) return true;
    is_closed_ = got <= 0;
    if (got > 0) http2_.session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes), static_cast<size_t>(got));
    return got > 0;
  }

  static ssize_t ReadBody(nghttp2_session*, int32_t id, uint8_t* buffer, size_t bytes, uint32_t* flags, transport::Http2BodySource* source,
                          void*) {
    Call& call = static_cast<GrpcTestClient*>(source->pointer)->calls_[id];
    const size_t size = std::min(bytes, call.body.size() - call.sent);
    std::memcpy(buffer, call.body.data() + call.sent, size);
    call.sent += size;
    if (call.sent == call.body.size()) {
      if (!call.ends && size == 0) return transport::kHttp2Deferred;
      if (call.ends) *flags |= transport::kHttp2BodyEnd;
    }
    return static_cast<ssize_t>(size);
  }
  static int OnField(nghttp2_session*, const transport::Http2Frame* frame, const uint8_t* name, size_t name_bytes, const uint8_t* value,
                     size_t value_bytes, uint8_t, void* user_data) {
    Reply& reply = static_cast<GrpcTestClient*>(user_data)->calls_[frame->head.stream_id].reply;
    const std::string key(reinterpret_cast<const char*>(name), name_bytes);
    auto& fields = reply.has_head ? reply.trailers : reply.head;
    fields[key] = std::string(reinterpret_cast<const char*>(value), value_bytes);
    return 0;
  }
  static int OnData(nghttp2_session*, uint8_t, int32_t id, const uint8_t* bytes, size_t size, void* user_data) {
    static_cast<GrpcTestClient*>(user_data)->calls_[id].reply.body.append(reinterpret_cast<const char*>(bytes), size);
    return 0;
  }
  static int OnFrame(nghttp2_session*, const transport::Http2Frame* frame, void* user_data) {
    auto* client = static_cast<GrpcTestClient*>(user_data);
    if (frame->head.type == transport::kHttp2GoAway) ++client->goaways_;
    if (frame->head.type == transport::kHttp2Ping) ++client->pings_;
    const bool can_end = frame->head.type == transport::kHttp2Headers || frame->head.type == transport::kHttp2Data;
    if (!can_end) return 0;
    Reply& reply = client->calls_[frame->head.stream_id].reply;
    if (frame->head.type == transport::kHttp2Headers) reply.has_head = true;
    if ((frame->head.flags & transport::kHttp2EndStream) != 0) reply.has_ended = true;
    return 0;
  }
  static int OnStreamClose(nghttp2_session*, int32_t id, uint32_t error, void* user_data) {
    Reply& reply = static_cast<GrpcTestClient*>(user_data)->calls_[id].reply;
    reply.is_closed = true;
    reply.error = error;
    return 0;
  }

  const transport::Nghttp2& http2_;
  transport::FileDescriptor socket_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Call> calls_;
  size_t goaways_ = 0;
  size_t pings_ = 0;
  bool is_closed_ = false;
};

}  // namespace penstock::frontend
