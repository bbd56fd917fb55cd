// The other end of a hand-off, for tests: an HTTP/2 server on a thread of its own that answers by the path of a call.
//
// /echo     the body, as it comes; trailers behind it. A call without a body: head and trailers.
// /bytes    as many bytes as the field "x-bytes" says, then trailers; only as the windows allow.
// /status   nothing but a head, with grpc-status 5
// /interim  the same, behind a head of 103
// /plain    "here" without trailers
// /reset    reset with ENHANCE_YOUR_CALM
// /head     a head, and nothing more
// /unread   the same, and takes nothing of the body
// others    nothing
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "frontend/grpc_upstream.h"
#include "memory/block.h"
#include "transport/connection_source.h"
#include "transport/file_descriptor.h"
#include "transport/nghttp2_api.h"

namespace penstock::frontend {

inline memory::Slice SliceOf(const std::string& text) {
  auto block = memory::BlockPool::Process().Allocate(text.size()).value();
  std::memcpy(block->data(), text.data(), text.size());
  return memory::WholeSlice(std::move(block));
}

// "" when there is none.
inline std::string ValueOf(const std::vector<HeaderField>& fields, const std::string& name) {
  for (const HeaderField& field : fields) {
    if (field.name == name) return field.value;
  }
  return "";
}

class GrpcTestPeer : public transport::ConnectionTaker {
 public:
  explicit GrpcTestPeer(const transport::Nghttp2* http2, uint32_t max_streams = 100)
      : http2_(*http2), max_streams_(max_streams), wake_(eventfd(0, EFD_NONBLOCK)), thread_([this] { Serve(); }) {}
  ~GrpcTestPeer() override {
    Run([this] { stops_ = true; });
    thread_.join();
  }

  void Take(transport::FileDescriptor connection) override {
    auto shared = std::make_shared<transport::FileDescriptor>(std::move(connection));
    Run([this, shared] { Add(std::move(*shared)); });
  }

  // Tells all connections to go; calls that have come are answered.
  void GoAway() {
    Run([this] {
      for (const auto& connection : connections_) http2_.submit_goaway(connection->session, 0, connection->last_id, 0, nullptr, 0);
    });
  }
  // Ends all connections, as the end of a thread does. They are when it returns.
  void Die() {
    RunAndWait([this] { connections_.clear(); });
  }
  // The same, behind whole answers to calls of /echo.
  void AnswerAndDie() {
    RunAndWait([this] {
      for (const auto& connection : connections_) {
        for (auto& [id, stream] : connection->streams) {
          stream.has_ended = true;
          Wake(connection->session, id, &stream);
        }
        Write(connection.get());
      }
      connections_.clear();
    });
  }

  size_t connections_made() const { return connections_made_; }
  size_t calls_come() const { return calls_come_; }
  size_t most_at_once() const { return most_at_once_; }  // calls of one connection
  uint64_t body_bytes_sent() const { return body_bytes_sent_; }
  uint64_t body_bytes_received() const { return body_bytes_received_; }
  uint32_t last_error() const { return last_error_; }  // a client's reset; UINT32_MAX = none
  std::map<std::string, std::string> last_fields() {
    std::lock_guard<std::mutex> lock(mutex_);
    return last_fields_;
  }

 private:
  struct Stream {
    std::map<std::string, std::string> fields;
    std::string echo;         // that has not been sent
    uint64_t left_bytes = 0;  // of /bytes
    bool has_ended = false;   // the client's side
    bool has_trailers = true;
    bool is_asleep = false;
  };
  struct Connection {
    GrpcTestPeer* peer = nullptr;
    transport::FileDescriptor socket;
    nghttp2_session* session = nullptr;
    std::string unsent;
    std::map<int32_t, Stream> streams;
    int32_t last_id = 0;
    bool closes = false;
    ~Connection() {
      if (session != nullptr) peer->http2_.session_del(session);
    }
  };

  static transport::Http2Field Field(const char* name, const char* value) {
    return {reinterpret_cast<uint8_t*>(const_cast<char*>(name)), reinterpret_cast<uint8_t*>(const_cast<char*>(value)), std::strlen(name),
            std::strlen(value), 0};
  }

  void Run(std::function<void()> task) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    eventfd_write(wake_.get(), 1);
  }

  void RunAndWait(const std::function<void()>& task) {
    std::promise<void> done;
    Run([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

  void Serve() {
    while (!stops_) {
      std::vector<pollfd> waits = {{wake_.get(), POLLIN, 0}};
      for (const auto& connection : connections_) {
        const bool has_more = !connection->unsent.empty() || http2_.session_want_write(connection->session) != 0;
        waits.push_back({connection->socket.get(), static_cast<int16_t>(has_more ? POLLIN | POLLOUT : POLLIN), 0});
      }
      poll(waits.data(), waits.size(), -1);
      for (size_t i = 1; i < waits.size(); ++i) {
        if ((waits[i].revents & ~POLLOUT) != 0) Read(connections_[i - 1].get());
      }
      std::vector<std::function<void()>> tasks;
      {
        std::lock_guard<std::mutex> lock(mutex_);
        tasks.swap(tasks_);
      }
      eventfd_t count = 0;
      eventfd_read(wake_.get(), &count);
      for (const auto& task : tasks) task();
      for (const auto& connection : connections_) Write(connection.get());
      connections_.erase(std::remove_if(connections_.begin(), connections_.end(), [](const auto& c) { return c->closes; }),
                         connections_.end());
    }
    connections_.clear();
  }

  void Add(transport::FileDescriptor socket) {
    auto connection = std::make_unique<Connection>();
    connection->peer = this;
    connection->socket = std::move(socket);
    nghttp2_session_callbacks* callbacks = nullptr;
    http2_.session_callbacks_new(&callbacks);
    http2_.session_callbacks_set_on_header_callback(callbacks, OnField);
    http2_.session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
    http2_.session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    http2_.session_callbacks_set_on_stream_close_callback(callbacks, OnStreamClose);
    nghttp2_option* options = nullptr;
    http2_.option_new(&options);
    http2_.option_set_no_auto_window_update(options, 1);
    http2_.session_server_new2(&connection->session, callbacks, connection.get(), options);
    http2_.option_del(options);
    http2_.session_callbacks_del(callbacks);
    const transport::Http2Setting most{transport::kHttp2MaxConcurrentStreams, max_streams_};
    http2_.submit_settings(connection->session, 0, &most, 1);
    connections_.push_back(std::move(connection));
    ++connections_made_;
  }

  void Read(Connection* connection) {
    std::vector<uint8_t> buffer(64 * 1024);
    const ssize_t size = recv(connection->socket.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0 || http2_.session_mem_recv(connection->session, buffer.data(), static_cast<size_t>(size)) < 0) connection->closes = true;
  }

  void Write(Connection* connection) {
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

  // When the head of a call has come whole.
  void Answer(Connection* connection, int32_t id, Stream* stream) {
    const transport::Http2Field fields[] = {Field(":status", "200"), Field("content-type", "application/grpc"), Field("grpc-status", "5")};
    const std::string& path = stream->fields[":path"];
    transport::Http2Body body;
    body.read = ReadBody;
    if (path == "/reset") {
      http2_.submit_rst_stream(connection->session, 0, id, transport::kHttp2EnhanceYourCalm);
    } else if (path == "/status") {
      http2_.submit_response(connection->session, id, fields, 3, nullptr);
    } else if (path == "/interim") {
      AppendInterim(connection, id);
      http2_.submit_response(connection->session, id, fields, 3, nullptr);
    } else if (path == "/echo" || path == "/bytes" || path == "/head" || path == "/unread" || path == "/plain") {
      if (path == "/bytes") stream->left_bytes = std::stoull(stream->fields["x-bytes"]);
      if (path == "/plain") stream->echo = "here";
      stream->has_trailers = path != "/plain";
      http2_.submit_response(connection->session, id, fields, 2, &body);
    }
  }

  // nghttp2's function for this one is not among those that Penstock calls.
  static void AppendInterim(Connection* connection, int32_t id) {
    const char frame[] = {0, 0, 5, 1, 4, 0, 0, 0, static_cast<char>(id), 8, 3, '1', '0', '3'};
    connection->unsent.append(frame, sizeof frame);
  }

  static ssize_t ReadBody(nghttp2_session* session, int32_t id, uint8_t* buffer, size_t bytes, uint32_t* flags,
                          transport::Http2BodySource*, void* user_data) {
    auto* connection = static_cast<Connection*>(user_data);
    GrpcTestPeer* peer = connection->peer;
    Stream& stream = connection->streams[id];
    const std::string& path = stream.fields[":path"];
    size_t size = 0;
    bool is_last = false;
    if (path == "/bytes") {
      size = static_cast<size_t>(std::min<uint64_t>(bytes, stream.left_bytes));
      std::memset(buffer, 'x', size);
      stream.left_bytes -= size;
      is_last = stream.left_bytes == 0;
    } else {
      size = std::min(bytes, stream.echo.size());
      std::memcpy(buffer, stream.echo.data(), size);
      stream.echo.erase(0, size);
      is_last = stream.echo.empty() && (path == "/plain" || (path == "/echo" && stream.has_ended));
    }
    stream.is_asleep = size == 0 && !is_last;
    if (stream.is_asleep) return transport::kHttp2Deferred;
    peer->body_bytes_sent_ += size;
    if (!is_last) return static_cast<ssize_t>(size);
    *flags |= transport::kHttp2BodyEnd;
    if (!stream.has_trailers) return static_cast<ssize_t>(size);
    *flags |= transport::kHttp2NoEndStream;
    const transport::Http2Field trailers[] = {Field("grpc-status", "0"), Field("x-last", "yes")};
    peer->http2_.submit_trailer(session, id, trailers, 2);
    return static_cast<ssize_t>(size);
  }

  static int OnField(nghttp2_session*, const transport::Http2Frame* frame, const uint8_t* name, size_t name_bytes, const uint8_t* value,
                     size_t value_bytes, uint8_t, void* user_data) {
    Stream& stream = static_cast<Connection*>(user_data)->streams[frame->head.stream_id];
    stream.fields[std::string(reinterpret_cast<const char*>(name), name_bytes)].assign(reinterpret_cast<const char*>(value), value_bytes);
    return 0;
  }
  static int OnData(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* bytes, size_t size, void* user_data) {
    auto* connection = static_cast<Connection*>(user_data);
    Stream& stream = connection->streams[id];
    const std::string& path = stream.fields[":path"];
    connection->peer->body_bytes_received_ += size;
    if (path == "/unread") return 0;
    if (path == "/echo") stream.echo.append(reinterpret_cast<const char*>(bytes), size);
    connection->peer->Wake(session, id, &stream);
    return connection->peer->http2_.session_consume(session, id, size);
  }
  void Wake(nghttp2_session* session, int32_t id, Stream* stream) {
    if (stream->is_asleep) http2_.session_resume_data(session, id);
    stream->is_asleep = false;
  }
  static int OnFrame(nghttp2_session* session, const transport::Http2Frame* frame, void* user_data) {
    auto* connection = static_cast<Connection*>(user_data);
    GrpcTestPeer* peer = connection->peer;
    const uint8_t type = frame->head.type;
    if (type != transport::kHttp2Headers && type != transport::kHttp2Data) return 0;
    Stream& stream = connection->streams[frame->head.stream_id];
    stream.has_ended = (frame->head.flags & transport::kHttp2EndStream) != 0;
    if (stream.has_ended) peer->Wake(session, frame->head.stream_id, &stream);
    if (type == transport::kHttp2Data) return 0;
    ++peer->calls_come_;
    connection->last_id = frame->head.stream_id;
    peer->most_at_once_ = std::max(peer->most_at_once_.load(), connection->streams.size());
    {
      std::lock_guard<std::mutex> lock(peer->mutex_);
      peer->last_fields_ = stream.fields;
    }
    peer->Answer(connection, frame->head.stream_id, &stream);
    return 0;
  }
  static int OnStreamClose(nghttp2_session*, int32_t id, uint32_t error, void* user_data) {
    auto* connection = static_cast<Connection*>(user_data);
    if (error != 0) connection->peer->last_error_ = error;
    connection->streams.erase(id);
    return 0;
  }

  const transport::Nghttp2& http2_;
  const uint32_t max_streams_;
  transport::FileDescriptor wake_;
  std::atomic<size_t> connections_made_{0};
  std::atomic<size_t> calls_come_{0};
  std::atomic<size_t> most_at_once_{0};
  std::atomic<uint64_t> body_bytes_sent_{0};
  std::atomic<uint64_t> body_bytes_received_{0};
  std::atomic<uint32_t> last_error_{UINT32_MAX};
  std::mutex mutex_;  // guards the two below
  std::vector<std::function<void()>> tasks_;
  std::map<std::string, std::string> last_fields_;
  std::vector<std::unique_ptr<Connection>> connections_;  // its own thread's
  bool stops_ = false;                                    // its own thread's
  std::thread thread_;
};

}  // namespace penstock::frontend
