// Who takes the connections of a source, and how many each of them has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "transport/connection_source.h"
#include "transport/file_descriptor.h"

namespace penstock::transport {

// Not thread-safe: the lock of the source that it is a part of guards it.
class ConnectionTakers {
 public:
  struct Count {
    uint32_t thread;
    size_t connections;
  };

  bool empty() const { return takers_.empty(); }
  size_t connections() const { return connections_; }  // of all takers

  // As ConnectionSource has them. Remove gives back what was added, or null, to be dropped after the lock: what it does then may come back
  // to the source.
  uint64_t Add(std::shared_ptr<ConnectionTaker> taker, uint32_t thread);
  std::shared_ptr<ConnectionTaker> Remove(uint64_t name);
  void Ended(uint64_t name);

  // Not empty. To the taker that has fewest, so that no front-end thread has more than its share. Closed where memory is short.
  void HandOut(FileDescriptor connection);

  // One for each taker.
  std::vector<Count> Counts() const;

 private:
  struct Taker {
    uint64_t name;
    uint32_t thread;
    std::shared_ptr<ConnectionTaker> taker;
    size_t connections;
  };
  std::vector<Taker>::iterator Find(uint64_t name);

  std::vector<Taker> takers_;
  size_t connections_ = 0;
  size_t turn_ = 0;  // where the search for the fewest begins: takers with equal numbers alternate
  uint64_t next_name_ = 1;
};

}  // namespace penstock::transport
