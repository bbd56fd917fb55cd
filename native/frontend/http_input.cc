#include "frontend/http_input.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace penstock::frontend {
namespace {

std::string_view TextOf(const memory::Slice& bytes) { return {reinterpret_cast<const char*>(bytes.data), bytes.size}; }

memory::Slice SliceOf(std::shared_ptr<const std::string> text) {
  return memory::Slice{reinterpret_cast<const uint8_t*>(text->data()), text->size(), memory::MemoryKind::kPageable, text};
}

}  // namespace

void HttpInput::Add(memory::Slice bytes) {
  if (bytes.size == 0) return;
  bytes_ += bytes.size;
  pieces_.push_back(std::move(bytes));
}

transport::Http1Parsed HttpInput::ReadHead(transport::Http1RequestHead* head) {
  transport::Http1Parsed parsed = transport::ParseHttp1Request(TextOf(pieces_.front()), head);
  if (parsed != transport::Http1Parsed::kPart) return parsed;
  // Also where there is one piece: who says half a head and waits must not keep the block that it was received into.
  auto joined = std::make_shared<std::string>();
  for (const memory::Slice& piece : pieces_) {
    joined->append(TextOf(piece).substr(0, transport::kMaxHttp1HeadBytes - joined->size()));
  }
  if (pieces_.size() > 1) parsed = transport::ParseHttp1Request(*joined, head);
  if (parsed == transport::Http1Parsed::kRefused) return parsed;
  // Half a head is smaller than the limit, so that all of it has been joined.
  const size_t used = parsed == transport::Http1Parsed::kWhole ? head->bytes : joined->size();
  Drop(used);
  pieces_.push_front(SliceOf(std::move(joined)).Sub(0, used));
  bytes_ += used;
  return parsed;
}

memory::Slice HttpInput::TakeHead(const transport::Http1RequestHead& head) { return Take(head.bytes); }

memory::Slice HttpInput::Take(size_t most) {
  memory::Slice taken = pieces_.front().Sub(0, std::min(most, pieces_.front().size));
  Drop(taken.size);
  return taken;
}

std::vector<memory::Slice> HttpInput::TakeAll() {
  std::vector<memory::Slice> all(pieces_.begin(), pieces_.end());
  pieces_.clear();
  bytes_ = 0;
  return all;
}

void HttpInput::Drop(size_t bytes) {
  bytes_ -= bytes;
  while (bytes > 0) {
    memory::Slice& front = pieces_.front();
    if (bytes < front.size) {
      front = front.Sub(bytes, front.size - bytes);
      return;
    }
    bytes -= front.size;
    pieces_.pop_front();
  }
}

}  // namespace penstock::frontend
