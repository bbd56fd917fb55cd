// Both ends of a connection, for tests: clients that connect and look, takers that keep what they get.
#pragma once

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "transport/acceptor.h"
#include "transport/file_descriptor.h"

namespace penstock::transport {

// Long enough for any machine; a test that passes never waits so long.
constexpr int kPatienceMs = 10'000;

// A socket that is not connected yet.
inline FileDescriptor NewSocket(int family = AF_INET) { return FileDescriptor(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

// Whether the handshake succeeded; the server need not have accepted.
inline bool Connect(const FileDescriptor& fd, uint16_t port, const char* host = "127.0.0.1") {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host, std::to_string(port).c_str(), &hints, &found) != 0) return false;
  const bool connected = connect(fd.get(), found->ai_addr, found->ai_addrlen) == 0;
  freeaddrinfo(found);
  return connected;
}

inline FileDescriptor Client(uint16_t port) {
  FileDescriptor fd = NewSocket();
  if (!Connect(fd, port)) fd.Reset();
  return fd;
}

// Both do not block.
inline std::pair<FileDescriptor, FileDescriptor> SocketPair() {
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return {};
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

// Without blocking but in `wait`, which is called when the other end takes nothing at the moment and says whether it does now. False when
// it is gone, or when `wait` gave up.
template <typename Wait>
bool SendAll(const FileDescriptor& fd, const std::string& bytes, Wait wait) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t taken = send(fd.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken > 0) {
      sent += static_cast<size_t>(taken);
    } else if ((errno != EAGAIN && errno != EWOULDBLOCK) || !wait()) {
      return false;
    }
  }
  return true;
}

// Whether the other end closes the connection in time.
inline bool IsClosed(const FileDescriptor& fd, int within_ms = kPatienceMs) {
  pollfd wait{fd.get(), POLLIN, 0};
  char byte = 0;
  return poll(&wait, 1, within_ms) == 1 && recv(fd.get(), &byte, 1, 0) <= 0;
}

class KeepingTaker : public ConnectionTaker {
 public:
  void Take(FileDescriptor connection) override {
    std::lock_guard<std::mutex> lock(mutex_);
    kept_.push_back(std::move(connection));
    came_.notify_all();
  }

  // False when fewer have come in time.
  bool Has(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    return came_.wait_for(lock, std::chrono::milliseconds(kPatienceMs), [&] { return kept_.size() >= count; });
  }
  size_t size() {
    std::lock_guard<std::mutex> lock(mutex_);
    return kept_.size();
  }
  int last() {
    std::lock_guard<std::mutex> lock(mutex_);
    return kept_.back().get();
  }
  // Closes one.
  void DropOne() {
    std::lock_guard<std::mutex> lock(mutex_);
    kept_.pop_back();
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<FileDescriptor> kept_;
};

}  // namespace penstock::transport
