// A client of HTTP/1.1 and the JavaScript end of a hand-off, both played by the thread of a test.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "transport/connection_source.h"
#include "transport/file_descriptor.h"
#include "transport/test_peers.h"

namespace penstock::frontend {

// One end of a connection.
class HttpPeer {
 public:
  HttpPeer() = default;
  explicit HttpPeer(transport::FileDescriptor socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.get(); }

  // All of it, however slowly the other end takes it. False when that is gone, or does not take it in time.
  bool Send(const std::string& bytes) {
    return transport::SendAll(socket_, bytes, [this] { return Wait(POLLOUT); });
  }
  void EndSending() { shutdown(fd(), SHUT_WR); }
  // A reset, as of a process that dies with data unread.
  void Break() {
    const linger reset{1, 0};
    setsockopt(fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    socket_.Reset();
  }
  void Close() { socket_.Reset(); }

  // Everything up to the text, which is included; less when the other end ends or says nothing for too long.
  std::string ReadUntil(const std::string& text) {
    while (received_.find(text) == std::string::npos && Receive()) {
    }
    const size_t at = received_.find(text);
    return TakeFront(at == std::string::npos ? received_.size() : at + text.size());
  }
  std::string Read(size_t bytes) {
    while (received_.size() < bytes && Receive()) {
    }
    return TakeFront(std::min(bytes, received_.size()));
  }
  // One answer with a Content-Length, head and body.
  std::string ReadAnswer() {
    std::string answer = ReadUntil("\r\n\r\n");
    const size_t at = answer.find("\r\nContent-Length: ");
    return at == std::string::npos ? answer : answer + Read(std::strtoull(answer.c_str() + at + 18, nullptr, 10));
  }
  // Up to the end, and whether that came in time.
  std::string ReadToEnd(bool* ended) {
    while (Receive()) {
    }
    *ended = has_ended_;
    return std::exchange(received_, "");
  }
  bool IsEnded() {
    bool ended = false;
    return ReadToEnd(&ended).empty() && ended;
  }
  // Whether nothing has come by now.
  bool IsSilent() {
    pollfd wait{fd(), POLLIN, 0};
    return received_.empty() && poll(&wait, 1, 0) == 0;
  }

 private:
  bool Wait(short events) {
    pollfd wait{fd(), events, 0};
    return poll(&wait, 1, transport::kPatienceMs) == 1 && (events == POLLIN || (wait.revents & POLLOUT) != 0);
  }
  bool Receive() {
    char bytes[65536];
    if (!Wait(POLLIN)) return false;
    const ssize_t got = recv(fd(), bytes, sizeof bytes, MSG_DONTWAIT);
    has_ended_ = got <= 0;
    if (got > 0) received_.append(bytes, static_cast<size_t>(got));
    return got > 0;
  }
  std::string TakeFront(size_t bytes) {
    std::string front = received_.substr(0, bytes);
    received_.erase(0, bytes);
    return front;
  }

  transport::FileDescriptor socket_;
  std::string received_;
  bool has_ended_ = false;
};

// Two ends of a TCP connection; the second does not block.
inline std::pair<transport::FileDescriptor, transport::FileDescriptor> TcpPair(int receive_buffer_bytes = 0) {
  transport::FileDescriptor listener = transport::NewSocket();
  transport::FileDescriptor client = transport::NewSocket();
  if (receive_buffer_bytes > 0) setsockopt(client.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener.get(), 1), 0);
  EXPECT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  transport::FileDescriptor server(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  EXPECT_TRUE(server.ok());
  const int no_delay = 1;
  setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
  return {std::move(client), std::move(server)};
}

// Takes what the hand-off gives; the test plays what JavaScript says.
class JavaScriptEnd : public transport::ConnectionTaker {
 public:
  void Take(transport::FileDescriptor connection) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back(std::move(connection));
    ++taken_;
    came_.notify_all();
  }
  // The next connection; one without a socket when none comes in time.
  HttpPeer Next() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!came_.wait_for(lock, std::chrono::milliseconds(transport::kPatienceMs), [this] { return !waiting_.empty(); })) return HttpPeer();
    HttpPeer next(std::move(waiting_.front()));
    waiting_.pop_front();
    return next;
  }
  size_t taken() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return taken_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<transport::FileDescriptor> waiting_;
  size_t taken_ = 0;
};

}  // namespace penstock::frontend
