#include "loadgen/line.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>

#include <cerrno>
#include <string_view>

namespace penstock::loadgen {
namespace {

constexpr int kConnectMs = 10'000;

}  // namespace

bool Line::Open(const ServerAddress& address) {
  socket_.Reset(socket(address.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int fd = socket_.get();
  if (fd < 0) return false;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  int error = 0;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) != 0 && errno != EINPROGRESS) error = errno;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT;
  event.data.ptr = this;
  if (error == 0 && epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) error = errno;
  if (error == 0 && !connection_->Start()) error = ENOMEM;
  awaits_room_ = true;
  if (error == 0) return true;
  socket_.Reset();
  errno = error;
  return false;
}

int Line::AwaitConnected() const {
  // Once it is writable it is connected, or has failed.
  pollfd waits{socket_.get(), POLLOUT, 0};
  int error = ETIMEDOUT;
  socklen_t size = sizeof error;
  if (poll(&waits, 1, kConnectMs) == 1) getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

void Line::Close(Outcome outcome) {
  socket_.Reset();
  connection_->EndAll(outcome);
}

bool Line::Flush() {
  std::string_view bytes;
  while (!(bytes = connection_->Unsent()).empty()) {
    const ssize_t taken = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0 && errno == EINTR) continue;
    // After these two the end is about to be read, and perhaps answers before it. Others would leave what is in flight without any.
    if (taken < 0 && errno != EAGAIN && errno != ENOTCONN) return errno == EPIPE || errno == ECONNRESET;
    if (taken < 0) break;
    connection_->TookUnsent(static_cast<size_t>(taken));
  }
  Await(!bytes.empty());
  return true;
}

bool Line::Receive(std::vector<char>* buffer) {
  const ssize_t size = recv(socket_.get(), buffer->data(), buffer->size(), MSG_DONTWAIT);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  connection_->Receive(std::string_view(buffer->data(), static_cast<size_t>(size)));
  return size > 0;
}

void Line::Await(bool room) {
  if (awaits_room_ == room) return;
  awaits_room_ = room;
  epoll_event event{};
  event.events = room ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = this;
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket_.get(), &event);
}

}  // namespace penstock::loadgen
