// A gRPC server on a thread of its own, over sessions of nghttp2, whose answers are written by the test.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "transport/file_descriptor.h"
#include "transport/listening_socket.h"
#include "transport/nghttp2_api.h"

namespace penstock::loadgen {

class GrpcTestServer {
 public:
  struct Call {
    std::map<std::string, std::string> fields;
    std::string body;  // with its prefix
  };
  struct Answer {
    std::string body;              // with its prefix
    std::string grpc_status = "0";
    std::string http_status = "200";
    int64_t after_ns = 0;          // from when the call has come
    int64_t reset = -1;            // an HTTP/2 error instead of an answer
    bool goes_away = false;        // the connection takes no further calls
    bool closes = false;           // the connection, at once
    bool is_never = false;
  };
  using Plan = std::function<Answer(const Call&)>;
  struct Settings {
    uint32_t max_streams = 1000;
    bool answers_early = false;    // does not wait for the body of a call
  };

  // `plan` is called by the server's thread.
  GrpcTestServer(const transport::Nghttp2* http2, const Settings& settings, Plan plan)
      : http2_(*http2), settings_(settings), plan_(std::move(plan)), stop_(eventfd(0, 0)) {
    Result<transport::ListeningSocket> listening = transport::Listen("127.0.0.1", 0, "port");
    if (!listening.ok()) return;
    listener_ = std::move(listening).value();
    thread_ = std::thread([this] { Serve(); });
  }
  ~GrpcTestServer() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t size = write(stop_.get(), &one, sizeof one);
    if (thread_.joinable()) thread_.join();
  }

  uint16_t port() const { return listener_.port; }
  size_t connections() const { return connections_made_; }
  size_t most_at_once() const { return most_at_once_; }  // calls on one connection

  static std::string Message(const std::string& bytes) {
    std::string message(1, '\0');
    for (int shift = 24; shift >= 0; shift -= 8) message += static_cast<char>(bytes.size() >> shift & 0xff);
    return message + bytes;
  }

 private:
  struct Stream {
    Call call;
    Answer answer;
    int64_t due_ns = 0;  // 0: not planned yet
    size_t sent = 0;
  };
  struct Connection {
    GrpcTestServer* server = nullptr;
    transport::FileDescriptor socket;
    nghttp2_session* session = nullptr;
    std::string unsent;
    std::map<int32_t, Stream> streams;
    bool closes = false;
    ~Connection() {
      if (session != nullptr) server->http2_.session_del(session);
    }
  };

  static transport::Http2Field Field(const char* name, const std::string& value) {
    return {reinterpret_cast<uint8_t*>(const_cast<char*>(name)), reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())),
            std::strlen(name), value.size(), 0};
  }

  void Serve() {
    for (;;) {
      std::vector<pollfd> waits = {{stop_.get(), POLLIN, 0}, {listener_.socket.get(), POLLIN, 0}};
      bool is_waiting = false;
      for (const auto& connection : connections_) {
        const bool has_more = !connection->unsent.empty() || http2_.session_want_write(connection->session) != 0;
        waits.push_back({connection->socket.get(), static_cast<int16_t>(has_more ? POLLIN | POLLOUT : POLLIN), 0});
        for (const auto& [id, stream] : connection->streams) is_waiting = is_waiting || stream.due_ns > 0;
      }
      poll(waits.data(), waits.size(), is_waiting ? 1 : -1);
      if (waits[0].revents != 0) break;
      for (size_t i = 2; i < waits.size(); ++i) {
        if ((waits[i].revents & ~POLLOUT) != 0) Read(connections_[i - 2].get());
      }
      if (waits[1].revents != 0) Accept();
      for (const auto& connection : connections_) Write(connection.get());
      connections_.erase(std::remove_if(connections_.begin(), connections_.end(), [](const auto& c) { return c->closes; }),
                         connections_.end());
    }
    connections_.clear();
  }

  void Accept() {
    const int fd = accept4(listener_.socket.get(), nullptr, nullptr, SOCK_NONBLOCK);
    if (fd < 0) return;
    ++connections_made_;
    auto connection = std::make_unique<Connection>();
    connection->server = this;
    connection->socket.Reset(fd);
    nghttp2_session_callbacks* callbacks = nullptr;
    http2_.session_callbacks_new(&callbacks);
    http2_.session_callbacks_set_on_header_callback(callbacks, OnField);
    http2_.session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
    http2_.session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    http2_.session_callbacks_set_on_stream_close_callback(callbacks, OnStreamClose);
    http2_.session_server_new(&connection->session, callbacks, connection.get());
    http2_.session_callbacks_del(callbacks);
    const transport::Http2Setting most{transport::kHttp2MaxConcurrentStreams, settings_.max_streams};
    http2_.submit_settings(connection->session, 0, &most, 1);
    connections_.push_back(std::move(connection));
  }

  void Read(Connection* connection) {
    std::vector<uint8_t> buffer(64 * 1024);
    const ssize_t size = recv(connection->socket.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0 || http2_.session_mem_recv(connection->session, buffer.data(), static_cast<size_t>(size)) < 0) connection->closes = true;
  }

  // What is due by now.
  void Write(Connection* connection) {
    for (auto& [id, stream] : connection->streams) {
      if (stream.due_ns == 0 || stream.due_ns > MonotonicNs() || connection->closes) continue;
      stream.due_ns = 0;
      Submit(connection, id, &stream);
    }
    if (connection->closes) return;
    const uint8_t* bytes = nullptr;
    ssize_t size = 1;
    while (size > 0 && connection->unsent.size() < 1'000'000) {
      size = http2_.session_mem_send(connection->session, &bytes);
      if (size > 0) connection->unsent.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
    }
    const ssize_t sent = send(connection->socket.get(), connection->unsent.data(), connection->unsent.size(), MSG_NOSIGNAL);
    if (sent > 0) connection->unsent.erase(0, static_cast<size_t>(sent));
    const bool is_done = http2_.session_want_read(connection->session) == 0 && http2_.session_want_write(connection->session) == 0;
    if (is_done && connection->unsent.empty()) connection->closes = true;
  }

  void Submit(Connection* connection, int32_t id, Stream* stream) {
    const Answer& answer = stream->answer;
    if (answer.closes) {
      connection->closes = true;
      return;
    }
    if (answer.reset >= 0) {
      http2_.submit_rst_stream(connection->session, 0, id, static_cast<uint32_t>(answer.reset));
      return;
    }
    if (answer.goes_away) http2_.submit_goaway(connection->session, 0, id, 0, nullptr, 0);
    const transport::Http2Field fields[] = {Field(":status", answer.http_status), Field("grpc-status", answer.grpc_status)};
    if (answer.body.empty()) {  // nothing but a head
      http2_.submit_response(connection->session, id, fields, answer.grpc_status.empty() ? 1 : 2, nullptr);
      return;
    }
    transport::Http2Body body;
    body.source.pointer = stream;
    body.read = ReadBody;
    http2_.submit_response(connection->session, id, fields, 1, &body);
  }

  void PlanFor(Stream* stream) {
    stream->answer = plan_(stream->call);
    if (!stream->answer.is_never) stream->due_ns = MonotonicNs() + stream->answer.after_ns;
  }

  static ssize_t ReadBody(nghttp2_session* session, int32_t id, uint8_t* buffer, size_t bytes, uint32_t* flags,
                          transport::Http2BodySource* source, void* user_data) {
    auto* stream = static_cast<Stream*>(source->pointer);
    const std::string& body = stream->answer.body;
    const size_t size = std::min(bytes, body.size() - stream->sent);
    std::memcpy(buffer, body.data() + stream->sent, size);
    stream->sent += size;
    if (stream->sent < body.size()) return static_cast<ssize_t>(size);
    *flags |= transport::kHttp2BodyEnd | transport::kHttp2NoEndStream;
    const transport::Http2Field status = Field("grpc-status", stream->answer.grpc_status);
    static_cast<Connection*>(user_data)->server->http2_.submit_trailer(session, id, &status, 1);
    return static_cast<ssize_t>(size);
  }

  static int OnField(nghttp2_session*, const transport::Http2Frame* frame, const uint8_t* name, size_t name_bytes, const uint8_t* value,
                     size_t value_bytes, uint8_t, void* user_data) {
    Stream& stream = static_cast<Connection*>(user_data)->streams[frame->head.stream_id];
    stream.call.fields[std::string(reinterpret_cast<const char*>(name), name_bytes)].assign(reinterpret_cast<const char*>(value),
                                                                                           value_bytes);
    return 0;
  }
  static int OnData(nghttp2_session*, uint8_t, int32_t id, const uint8_t* bytes, size_t size, void* user_data) {
    static_cast<Connection*>(user_data)->streams[id].call.body.append(reinterpret_cast<const char*>(bytes), size);
    return 0;
  }
  static int OnFrame(nghttp2_session*, const transport::Http2Frame* frame, void* user_data) {
    auto* connection = static_cast<Connection*>(user_data);
    GrpcTestServer* server = connection->server;
    const bool is_head = frame->head.type == transport::kHttp2Headers;
    if (!is_head && frame->head.type != transport::kHttp2Data) return 0;
    server->most_at_once_ = std::max(server->most_at_once_.load(), connection->streams.size());
    const bool ends = (frame->head.flags & transport::kHttp2EndStream) != 0;
    if (server->settings_.answers_early ? is_head : ends) server->PlanFor(&connection->streams[frame->head.stream_id]);
    return 0;
  }
  static int OnStreamClose(nghttp2_session*, int32_t id, uint32_t, void* user_data) {
    static_cast<Connection*>(user_data)->streams.erase(id);
    return 0;
  }

  const transport::Nghttp2& http2_;
  const Settings settings_;
  const Plan plan_;
  transport::ListeningSocket listener_;
  transport::FileDescriptor stop_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::atomic<size_t> connections_made_{0};
  std::atomic<size_t> most_at_once_{0};
  std::thread thread_;
};

}  // namespace penstock::loadgen
