// Bytes that a client of HTTP/1.1 has sent and nobody has taken yet.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "memory/block.h"
#include "memory/slice.h"
#include "transport/http1_head.h"

namespace penstock::frontend {

// Slices as they were received. Copied together are a head that comes in several of them, and what is small and stays.
class HttpInput {
 public:
  void Add(memory::Slice bytes);
  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }

  // The request that begins here; not empty. With kWhole, `head` has views of what TakeHead gives. After kPart it is not read again before
  // a line or the limit is reached: who sends a head byte by byte has it read once for each line.
  transport::Http1Parsed ReadHead(transport::Http1RequestHead* head);
  // After kWhole: the bytes of the head, which the views of it need.
  memory::Slice TakeHead(const transport::Http1RequestHead& head);

  // The next bytes that lie together; not empty.
  std::string_view Front() const;
  // Of them, at most so many; not empty.
  memory::Slice Take(size_t most);
  std::vector<memory::Slice> TakeAll();

  // Nothing more is taken for now: small pieces are copied, as each would keep the block that it was received into. All that is here keeps
  // a few times its size then, and one such block. Where there is no memory they stay as they are.
  void Gather();

 private:
  transport::Http1Parsed ReadJoinedHead(transport::Http1RequestHead* head);
  void Drop(size_t bytes);
  void EndIfEmpty();

  std::deque<memory::Slice> pieces_;
  size_t bytes_ = 0;           // of all pieces
  bool is_part_known_ = false;  // the head that begins here is not whole, unless a line or the limit has come since
  std::shared_ptr<memory::Block> block_;  // of the last small pieces; null when there are none
  size_t used_ = 0;                       // of it
};

}  // namespace penstock::frontend
