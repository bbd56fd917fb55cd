// Bytes that a client of HTTP/1.1 has sent and nobody has taken yet.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "memory/slice.h"
#include "transport/http1_head.h"

namespace penstock::frontend {

// Slices as they were received. Only a head that comes in several of them is copied together.
class HttpInput {
 public:
  void Add(memory::Slice bytes);
  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }

  // The request that begins here; not empty. With kWhole, `head` has views of what TakeHead gives.
  transport::Http1Parsed ReadHead(transport::Http1RequestHead* head);
  // After kWhole: the bytes of the head, which the views of it need.
  memory::Slice TakeHead(const transport::Http1RequestHead& head);

  // The next bytes that lie together, at most so many; not empty.
  memory::Slice Take(size_t most);
  std::vector<memory::Slice> TakeAll();

 private:
  void Drop(size_t bytes);

  std::deque<memory::Slice> pieces_;
  size_t bytes_ = 0;  // of all pieces
};

}  // namespace penstock::frontend
