// An HTTP/1.1 server on a thread of its own whose answers are written by the test, each at its moment. Takes requests without a body.
#pragma once

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
#include "transport/listening_socket.h"

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
        epoll_(epoll_create1(0)),
        timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)),
        stop_(eventfd(0, 0)) {
    Result<transport::ListeningSocket> listening = transport::Listen("127.0.0.1", 0, "port");
    if (!listening.ok()) return;
    listener_ = std::move(listening).value();
    for (const int watched : {listener_.socket.get(), timer_.get(), stop_.get()}) Watch(watched);
    thread_ = std::thread([this] { Serve(); });
  }
  ~TestServer() { Stop(); }

  uint16_t port() const { return listener_.port; }
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
        if (fd == listener_.socket.get()) {
          Accept();
        } else if (fd != timer_.get()) {
          Take(fd);
        }
      }
      SendDue();
    }
  }

  void Accept() {
    const int fd = accept4(listener_.socket.get(), nullptr, nullptr, SOCK_NONBLOCK);
    if (fd < 0) return;
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
  transport::ListeningSocket listener_;
  transport::FileDescriptor epoll_;
  transport::FileDescriptor timer_;
  transport::FileDescriptor stop_;
  std::map<int, Connection> connections_;
  uint64_t made_ = 0;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  Histogram delay_;
  std::thread thread_;
};

}  // namespace penstock::loadgen
