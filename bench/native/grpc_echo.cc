// A bare gRPC server over nghttp2: takes unary calls to any path and answers each with the same message. One thread on epoll. What gRPC costs
// when nothing is done with a message: the reference for front ends.
//
// Usage: grpc_echo MESSAGE_FILE READY_FILE
//
// Writes its port to READY_FILE as JSON once it serves, and ends by a signal.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "transport/file_descriptor.h"
#include "transport/listening_socket.h"
#include "transport/nghttp2_api.h"
#include "transport/nghttp2_library.h"

namespace {

using namespace penstock::transport;  // NOLINT: a program of one page

constexpr uint32_t kStreams = 1000;
constexpr int32_t kWindow = 16 << 20;  // large bodies do not wait for a window
constexpr size_t kMostUnsent = 1 << 20;

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "grpc_echo: %s\n", what.c_str());
  std::exit(70);
}

[[noreturn]] void FailBySystem(const char* what) { Fail(std::string(what) + ": " + std::strerror(errno)); }

Http2Field Field(const char* name, const char* value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name)), reinterpret_cast<uint8_t*>(const_cast<char*>(value)), std::strlen(name),
          std::strlen(value), 0};
}

class Server;

struct Connection {
  Server* server = nullptr;
  FileDescriptor socket;
  nghttp2_session* session = nullptr;
  std::unordered_map<int32_t, size_t> sent;  // bytes of the answers under way
  std::string unsent;
  bool awaits_room = false;  // epoll tells when the socket takes more
};

class Server {
 public:
  Server(const Nghttp2* http2, const std::string& message) : http2_(*http2), buffer_(256 << 10) {
    answer_ = '\0';  // not compressed
    for (int shift = 24; shift >= 0; shift -= 8) answer_ += static_cast<char>(message.size() >> shift & 0xff);
    answer_ += message;
    http2_.session_callbacks_new(&callbacks_);
    http2_.session_callbacks_set_on_frame_recv_callback(callbacks_, OnFrame);
    http2_.session_callbacks_set_on_stream_close_callback(callbacks_, OnStreamClose);
  }

  uint16_t Listen() {
    penstock::Result<ListeningSocket> listening = penstock::transport::Listen("127.0.0.1", 0, "port");
    if (!listening.ok()) Fail(listening.status().message());
    listener_ = std::move(listening).value();
    epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{};
    event.events = EPOLLIN;  // data.ptr stays null: no connection
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener_.socket.get(), &event) != 0) FailBySystem("epoll_ctl");
    return listener_.port;
  }

  [[noreturn]] void Serve() {
    for (;;) {
      epoll_event events[64];
      const int count = epoll_wait(epoll_.get(), events, 64, -1);
      if (count < 0 && errno != EINTR) FailBySystem("epoll_wait");
      for (int i = 0; i < count; ++i) {
        auto* connection = static_cast<Connection*>(events[i].data.ptr);
        if (connection == nullptr) {
          Accept();
        } else if (((events[i].events & ~EPOLLOUT) != 0 && !Read(connection)) || !Write(connection)) {
          http2_.session_del(connection->session);
          delete connection;
        }
      }
    }
  }

 private:
  void Accept() {
    const int fd = accept4(listener_.socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    auto* connection = new Connection;
    connection->server = this;
    connection->socket.Reset(fd);
    http2_.session_server_new(&connection->session, callbacks_, connection);
    const Http2Setting settings[] = {{kHttp2MaxConcurrentStreams, kStreams}, {kHttp2InitialWindowSize, kWindow}};
    http2_.submit_settings(connection->session, 0, settings, 2);
    http2_.session_set_local_window_size(connection->session, 0, 0, kWindow);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = connection;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) FailBySystem("epoll_ctl");
  }

  // False when the connection is over, as of Write.
  bool Read(Connection* connection) {
    const ssize_t size = recv(connection->socket.get(), buffer_.data(), buffer_.size(), 0);
    if (size < 0) return errno == EAGAIN;
    return size > 0 && http2_.session_mem_recv(connection->session, buffer_.data(), static_cast<size_t>(size)) == size;
  }

  bool Write(Connection* connection) {
    std::string& unsent = connection->unsent;
    for (;;) {
      const uint8_t* bytes = nullptr;
      ssize_t size = 1;
      while (size > 0 && unsent.size() < kMostUnsent) {
        size = http2_.session_mem_send(connection->session, &bytes);
        if (size > 0) unsent.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
      }
      if (size < 0) return false;
      if (unsent.empty()) break;
      const ssize_t sent = send(connection->socket.get(), unsent.data(), unsent.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return false;
      if (sent > 0) unsent.erase(0, static_cast<size_t>(sent));
      if (!unsent.empty()) break;
    }
    if (connection->awaits_room == unsent.empty()) {
      connection->awaits_room = !unsent.empty();
      epoll_event event{};
      event.events = connection->awaits_room ? EPOLLIN | EPOLLOUT : EPOLLIN;
      event.data.ptr = connection;
      if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection->socket.get(), &event) != 0) return false;
    }
    return http2_.session_want_read(connection->session) != 0 || http2_.session_want_write(connection->session) != 0;
  }

  static ssize_t ReadAnswer(nghttp2_session* session, int32_t id, uint8_t* buffer, size_t bytes, uint32_t* flags, Http2BodySource* source,
                            void*) {
    auto* connection = static_cast<Connection*>(source->pointer);
    const std::string& answer = connection->server->answer_;
    size_t& sent = connection->sent[id];
    const size_t size = std::min(bytes, answer.size() - sent);
    std::memcpy(buffer, answer.data() + sent, size);
    sent += size;
    if (sent == answer.size()) {
      *flags |= kHttp2BodyEnd | kHttp2NoEndStream;
      const Http2Field trailer = Field("grpc-status", "0");
      connection->server->http2_.submit_trailer(session, id, &trailer, 1);
    }
    return static_cast<ssize_t>(size);
  }

  static int OnFrame(nghttp2_session* session, const Http2Frame* frame, void* user_data) {
    const bool is_of_call = frame->head.type == kHttp2Data || frame->head.type == kHttp2Headers;
    if (!is_of_call || (frame->head.flags & kHttp2EndStream) == 0) return 0;
    auto* connection = static_cast<Connection*>(user_data);
    const Http2Field fields[] = {Field(":status", "200"), Field("content-type", "application/grpc+proto")};
    Http2Body body;
    body.source.pointer = connection;
    body.read = ReadAnswer;
    return connection->server->http2_.submit_response(session, frame->head.stream_id, fields, 2, &body) == 0 ? 0 : kHttp2CallbackFailure;
  }

  static int OnStreamClose(nghttp2_session*, int32_t id, uint32_t, void* user_data) {
    static_cast<Connection*>(user_data)->sent.erase(id);
    return 0;
  }

  const Nghttp2& http2_;
  std::string answer_;  // with its prefix
  std::vector<uint8_t> buffer_;
  nghttp2_session_callbacks* callbacks_ = nullptr;
  ListeningSocket listener_;
  FileDescriptor epoll_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) Fail("expected MESSAGE_FILE READY_FILE");
  std::ifstream file(argv[1], std::ios::binary);
  const std::string message{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad() || !file.is_open()) Fail(std::string("cannot read ") + argv[1]);
  const penstock::Result<const Nghttp2*> http2 = FindNghttp2();
  if (!http2.ok()) Fail(http2.status().message());
  Server server(http2.value(), message);
  const uint16_t port = server.Listen();
  const std::string ready = argv[2];
  std::ofstream(ready + ".partial") << "{\"grpc\": " << port << "}";
  if (std::rename((ready + ".partial").c_str(), ready.c_str()) != 0) FailBySystem("READY_FILE");
  server.Serve();
}
