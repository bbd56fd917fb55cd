#include "frontend/hand_off.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/clock.h"

namespace penstock::frontend {

using transport::FileDescriptor;

Result<FileDescriptor> HandOff::Connect() {
  // Held all the while, so that whoever is there to take it still is when it is handed over.
  std::lock_guard<std::mutex> lock(mutex_);
  if (takers_.empty()) return Status(StatusCode::kServerExiting, "no front-end thread takes connections");
  if (takers_.connections() >= max_connections_) {
    return Status(StatusCode::kInFlightFull, "the front-end threads have " + std::to_string(takers_.connections()) +
                                                 " connections of this port, as many as --max-connections allows; try again later");
  }
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return Failed(errno);
  }
  FileDescriptor ours(ends[0]);
  FileDescriptor theirs(ends[1]);
  takers_.HandOut(std::move(theirs));
  return ours;
}

// Callers log a fault of ours, and there may be as many as clients ask for.
Status HandOff::Failed(int error) {
  const std::string message = std::string("no connection within the process: ") + std::strerror(error);
  const int64_t now_ns = MonotonicNs();
  if (told_ns_ != 0 && now_ns - told_ns_ < kNsPerSecond) return Status(StatusCode::kInFlightFull, message);
  told_ns_ = now_ns;
  return Status(StatusCode::kInternal, message);
}

uint64_t HandOff::Attach(std::shared_ptr<transport::ConnectionTaker> taker, uint32_t thread) {
  std::lock_guard<std::mutex> lock(mutex_);
  return takers_.Add(std::move(taker), thread);
}

void HandOff::Detach(uint64_t name) {
  std::shared_ptr<transport::ConnectionTaker> left;  // goes after the lock
  std::lock_guard<std::mutex> lock(mutex_);
  left = takers_.Remove(name);
}

void HandOff::Ended(uint64_t name) {
  std::lock_guard<std::mutex> lock(mutex_);
  takers_.Ended(name);
}

}  // namespace penstock::frontend
