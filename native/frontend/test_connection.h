// A protocol in place of the real ones, for tests of this folder: it sends back what it gets, and letters for what it is told.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "frontend/loop.h"
#include "transport/test_peers.h"

namespace penstock::frontend {

// 'G' when it is told to go away, 'D' to drain. A client that sends 'h' is busy until it sends 'e': a busy one ends its drain only then.
class TestConnection : public Connection {
 public:
  TestConnection(Loop* loop, std::unique_ptr<transport::Channel> channel) : loop_(loop), channel_(std::move(channel)) {
    EXPECT_TRUE(loop_->events_loop().Watch(channel_->fd(), EPOLLIN, this).ok());
  }

  static std::unique_ptr<Connection> Make(Loop* loop, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff>) {
    return std::make_unique<TestConnection>(loop, std::move(channel));
  }
  static ConnectionFactories Factories() { return {&Make, &Make}; }

  void OnReady(uint32_t) override {
    if (!channel_->is_open()) return;
    char bytes[256];
    const ssize_t got = recv(channel_->fd(), bytes, sizeof bytes, 0);
    if (got <= 0) return Destroy();
    for (ssize_t i = 0; i < got; ++i) is_busy_ = bytes[i] == 'h' || (is_busy_ && bytes[i] != 'e');
    Send(bytes, static_cast<size_t>(got));
    if (drains_ && !is_busy_) Destroy();
  }
  void GoAway() override { Send("G", 1); }
  void Drain() override {
    Send("D", 1);
    drains_ = true;
    if (!is_busy_) Destroy();
  }
  void Destroy() override {
    loop_->events_loop().Forget(channel_->fd());
    channel_->Close();
    loop_->Remove(this);
  }

 private:
  void Send(const char* bytes, size_t size) { (void)!send(channel_->fd(), bytes, size, MSG_NOSIGNAL); }

  Loop* const loop_;
  const std::unique_ptr<transport::Channel> channel_;
  bool is_busy_ = false;
  bool drains_ = false;
};

// What a server sends within the time that a test has: so many bytes, fewer when it closes.
inline std::string ReceivedBy(const transport::FileDescriptor& client, size_t bytes) {
  std::string received;
  char byte = 0;
  pollfd wait{client.get(), POLLIN, 0};
  while (received.size() < bytes && poll(&wait, 1, transport::kPatienceMs) == 1 && recv(client.get(), &byte, 1, 0) == 1) received += byte;
  return received;
}

inline void Send(const transport::FileDescriptor& client, const std::string& bytes) {
  ASSERT_EQ(send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

// Two ends of a connection within this process: ours, and the one that is served.
inline std::pair<transport::FileDescriptor, transport::FileDescriptor> SocketPair() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  return {transport::FileDescriptor(ends[0]), transport::FileDescriptor(ends[1])};
}

}  // namespace penstock::frontend
