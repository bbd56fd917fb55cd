#include "frontend/hand_off.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace penstock::frontend {

using transport::FileDescriptor;

Result<FileDescriptor> HandOff::Connect() {
  // Held all the while, so that whoever is there to take it still is when it is handed over.
  std::lock_guard<std::mutex> lock(mutex_);
  if (takers_.empty()) return Status(StatusCode::kServerExiting, "no front-end thread takes connections");
  if (connections_ >= max_connections_) {
    return Status(StatusCode::kInFlightFull, "the front-end threads have " + std::to_string(connections_) +
                                                 " connections of this port, as many as --max-connections allows; try again later");
  }
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return Status(StatusCode::kInternal, std::string("no connection within the process: ") + std::strerror(errno));
  }
  FileDescriptor ours(ends[0]);
  FileDescriptor theirs(ends[1]);
  size_t chosen = turn_ % takers_.size();
  for (size_t i = 1; i < takers_.size(); ++i) {
    const size_t next = (turn_ + i) % takers_.size();
    if (takers_[next].connections < takers_[chosen].connections) chosen = next;
  }
  turn_ = chosen + 1;
  ++takers_[chosen].connections;
  ++connections_;
  takers_[chosen].taker->Take(std::move(theirs));
  return ours;
}

uint64_t HandOff::Attach(std::shared_ptr<transport::ConnectionTaker> taker, uint32_t /*thread*/) {
  std::lock_guard<std::mutex> lock(mutex_);
  takers_.push_back(Taker{next_name_, std::move(taker), 0});
  return next_name_++;
}

void HandOff::Detach(uint64_t name) {
  std::shared_ptr<transport::ConnectionTaker> left;  // goes after the lock: what it does then may come back here
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = std::find_if(takers_.begin(), takers_.end(), [name](const Taker& taker) { return taker.name == name; });
  if (found == takers_.end()) return;
  left = std::move(found->taker);
  connections_ -= found->connections;
  takers_.erase(found);
}

void HandOff::Ended(uint64_t name) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (Taker& taker : takers_) {
    if (taker.name != name || taker.connections == 0) continue;
    --taker.connections;
    --connections_;
  }
}

}  // namespace penstock::frontend
