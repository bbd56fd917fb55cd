// What waits to leave by a socket: slices in their order, sent together, never copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "memory/slice.h"

namespace penstock::transport {

// Not thread-safe.
class SocketOutput {
 public:
  enum class Sent { kAll, kSome, kBroken };  // kSome: EPOLLOUT (level-triggered) says when to go on
  // Of one Flush: a client that takes as fast as it is given must not hold up the others of its loop.
  static constexpr size_t kMostFlushedBytes = 1024 * 1024;

  // Owns what it is given until the kernel has it. Empty ones are dropped.
  void Append(memory::Slice slice);
  // Small texts that follow each other become one.
  void Append(std::string text);

  size_t bytes() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }
  // Taken by the kernel since the beginning: one that does not grow is a client that does not read.
  uint64_t sent_bytes() const { return sent_bytes_; }

  // Sends as much as the kernel takes, but no more than `most_bytes`, many slices a call. Never raises SIGPIPE.
  Sent Flush(int fd, size_t most_bytes = kMostFlushedBytes);

  // Who sends otherwise looks at what waits, and drops what the kernel has of it.
  struct Bytes {
    const uint8_t* data = nullptr;
    size_t size = 0;
  };
  // Those behind the first `skipped`, `most` at most, in one piece: where they lie if they do, joined in `scratch` otherwise, which has
  // room for `most`. They hold until the next change.
  Bytes Peek(size_t skipped, size_t most, uint8_t* scratch) const;
  // Of the front; no more than there are.
  void Drop(size_t bytes);

 private:
  struct Piece {
    std::string text;     // when there is no slice
    memory::Slice slice;
    const char* data() const;
    size_t size() const;
  };

  std::deque<Piece> pieces_;
  size_t first_sent_ = 0;  // of the first piece
  size_t bytes_ = 0;
  uint64_t sent_bytes_ = 0;
};

}  // namespace penstock::transport
