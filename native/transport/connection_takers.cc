#include "transport/connection_takers.h"

#include <algorithm>
#include <new>
#include <utility>

namespace penstock::transport {

uint64_t ConnectionTakers::Add(std::shared_ptr<ConnectionTaker> taker, uint32_t thread) {
  takers_.push_back(Taker{next_name_, thread, std::move(taker), 0});
  return next_name_++;
}

std::shared_ptr<ConnectionTaker> ConnectionTakers::Remove(uint64_t name) {
  const auto found = Find(name);
  if (found == takers_.end()) return nullptr;
  std::shared_ptr<ConnectionTaker> taker = std::move(found->taker);
  connections_ -= found->connections;
  takers_.erase(found);
  return taker;
}

void ConnectionTakers::Ended(uint64_t name) {
  const auto found = Find(name);
  if (found == takers_.end() || found->connections == 0) return;
  --found->connections;
  --connections_;
}

void ConnectionTakers::HandOut(FileDescriptor connection) {
  size_t chosen = turn_ % takers_.size();
  for (size_t i = 1; i < takers_.size(); ++i) {
    const size_t next = (turn_ + i) % takers_.size();
    if (takers_[next].connections < takers_[chosen].connections) chosen = next;
  }
  turn_ = chosen + 1;
  try {
    takers_[chosen].taker->Take(std::move(connection));
  } catch (const std::bad_alloc&) {
    return;
  }
  ++takers_[chosen].connections;
  ++connections_;
}

std::vector<ConnectionTakers::Count> ConnectionTakers::Counts() const {
  std::vector<Count> counts;
  for (const Taker& taker : takers_) counts.push_back(Count{taker.thread, taker.connections});
  return counts;
}

std::vector<ConnectionTakers::Taker>::iterator ConnectionTakers::Find(uint64_t name) {
  return std::find_if(takers_.begin(), takers_.end(), [name](const Taker& taker) { return taker.name == name; });
}

}  // namespace penstock::transport
