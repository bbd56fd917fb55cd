// An HTTP/1.1 server on a thread of its own whose answers are written by the test, each at its moment. Takes requests without a body.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/histogram.h"
#include "transport/file_descriptor.h"

namespace penstock::loadgen {

class TestServer {
 public:
  struct Answer {
    int64_t at_ns = 0;       // monotonic; 0 = at once
    std::string bytes;       // empty: none ever comes
    bool closes = false;     // the connection, after them
  };
  // Called by the server's thread for each request, with the moment at which it was read.
  using Plan = std::function<Answer(int64_t now_ns)>;

  explicit TestServer(Plan plan)
      : plan_(std::move(plan)),
        listener_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)),
        epoll_(epoll_create1(0)),
        timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)),
        stop_(eventfd(0, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    const int fd = listener_.get();
    if (bind(fd, any, size) != 0 || listen(fd, 1024) != 0 || getsockname(fd, any, &size) != 0) return;
    port_ = ntohs(address.sin_port);
    for (const int watched : {fd, timer_.get(), stop_.get()}) Watch(watched);
    thread_ = std::thread([this] { Serve(); });
  }
  ~TestServer() { Stop(); }

  uint16_t port() const { return port_; }
  // Ends it. After that: how late answers left.
  void Stop() {
    if (!thread_.joinable()) return;
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t size = write(stop_.get(), &one, sizeof one);
    thread_.join();
  }
  const Histogram& delay() const { return delay_; }

  static std::string Ok(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

 private:
  void Watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }

  void Serve() {
    for (;;) {
      epoll_event events[64];
      const int count = epoll_wait(epoll_.get(), events, 64, -1);
      for (int i = 0; i < count; ++i) {
        const int fd = events[i].data.fd;
        if (fd == stop_.get()) return;
        if (fd == listener_.get()) {
          Accept();
        } else if (fd != timer_.get()) {
          Take(fd);
        }
      }
      SendDue();
    }
  }

  void Accept() {
    const int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections_[fd] = {transport::FileDescriptor(fd), ++made_, ""};
    Watch(fd);
  }

  void Take(int fd) {
    char buffer[4096];
    Connection& connection = connections_[fd];
    const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    if (size <= 0) {
      connections_.erase(fd);
      return;
    }
    connection.request.append(buffer, static_cast<size_t>(size));
    if (connection.request.find("\r\n\r\n") == std::string::npos) return;
    connection.request.clear();
    const int64_t now_ns = MonotonicNs();
    Answer answer = plan_(now_ns);
    if (answer.at_ns == 0) answer.at_ns = now_ns;
    due_.push({answer.at_ns, connection.id, fd, answer.closes, std::move(answer.bytes)});
  }

  void SendDue() {
    for (; !due_.empty() && std::get<0>(due_.top()) <= MonotonicNs(); due_.pop()) {
      const auto& [at_ns, id, fd, closes, bytes] = due_.top();
      const auto found = connections_.find(fd);
      if (found == connections_.end() || found->second.id != id) continue;
      if (!bytes.empty()) send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      delay_.Record(MonotonicNs() - at_ns);
      if (closes) connections_.erase(found);
    }
    const int64_t wake_ns = due_.empty() ? 0 : std::get<0>(due_.top());
    const itimerspec wake = {{0, 0}, {wake_ns / 1'000'000'000, wake_ns % 1'000'000'000}};
    timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &wake, nullptr);
  }

  struct Connection {
    transport::FileDescriptor socket;
    uint64_t id = 0;  // descriptors are used again
    std::string request;
  };
  using Due = std::tuple<int64_t, uint64_t, int, bool, std::string>;

  const Plan plan_;
  transport::FileDescriptor listener_;
  transport::FileDescriptor epoll_;
  transport::FileDescriptor timer_;
  transport::FileDescriptor stop_;
  uint16_t port_ = 0;
  std::map<int, Connection> connections_;
  uint64_t made_ = 0;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  Histogram delay_;
  std::thread thread_;
};

}  // namespace penstock::loadgen
