#include "frontend/http_input.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "transport/receive_buffer.h"

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
  if (is_part_known_) {
    is_part_known_ = bytes_ < transport::kMaxHttp1HeadBytes && TextOf(bytes).find('\n') == std::string_view::npos;
  }
  pieces_.push_back(std::move(bytes));
}

transport::Http1Parsed HttpInput::ReadHead(transport::Http1RequestHead* head) {
  if (is_part_known_) return transport::Http1Parsed::kPart;
  transport::Http1Parsed parsed = transport::ParseHttp1Request(TextOf(pieces_.front()), head);
  if (parsed == transport::Http1Parsed::kPart && pieces_.size() > 1) parsed = ReadJoinedHead(head);
  is_part_known_ = parsed == transport::Http1Parsed::kPart;
  return parsed;
}

// The first piece has only a part of it.
transport::Http1Parsed HttpInput::ReadJoinedHead(transport::Http1RequestHead* head) {
  auto joined = std::make_shared<std::string>();
  for (const memory::Slice& piece : pieces_) {
    joined->append(TextOf(piece).substr(0, transport::kMaxHttp1HeadBytes - joined->size()));
  }
  const transport::Http1Parsed parsed = transport::ParseHttp1Request(*joined, head);
  if (parsed != transport::Http1Parsed::kWhole) return parsed;
  Drop(head->bytes);
  pieces_.push_front(SliceOf(std::move(joined)).Sub(0, head->bytes));
  bytes_ += head->bytes;
  return parsed;
}

memory::Slice HttpInput::TakeHead(const transport::Http1RequestHead& head) { return Take(head.bytes); }

std::string_view HttpInput::Front() const { return TextOf(pieces_.front()); }

memory::Slice HttpInput::Take(size_t most) {
  memory::Slice taken = pieces_.front().Sub(0, std::min(most, pieces_.front().size));
  Drop(taken.size);
  EndIfEmpty();
  return taken;
}

std::vector<memory::Slice> HttpInput::TakeAll() {
  std::vector<memory::Slice> all(pieces_.begin(), pieces_.end());
  pieces_.clear();
  bytes_ = 0;
  is_part_known_ = false;
  EndIfEmpty();
  return all;
}

void HttpInput::Gather() {
  // Those at the end that have not been copied: what is before them was large, or was copied when it was at the end.
  size_t first = pieces_.size();
  size_t bytes = 0;
  while (first > 0 && pieces_[first - 1].size < transport::ReceiveBuffer::kSmallBytes && pieces_[first - 1].owner != block_) {
    bytes += pieces_[--first].size;
  }
  if (bytes == 0) return;
  if (block_ == nullptr || bytes > block_->size() - used_) {
    // Room for as much again as there is. Cannot overflow: all of it is in memory.
    Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(bytes + bytes_);
    if (!block.ok()) return;
    block_ = std::move(block).value();
    used_ = 0;
  }
  memory::Slice gathered{block_->data() + used_, bytes, block_->kind(), block_};
  for (size_t at = first; at < pieces_.size(); ++at) {
    std::memcpy(block_->data() + used_, pieces_[at].data, pieces_[at].size);
    used_ += pieces_[at].size;
  }
  pieces_.resize(first);
  memory::Slice* const last = first == 0 ? nullptr : &pieces_.back();
  if (last != nullptr && last->owner == block_ && last->data + last->size == gathered.data) {
    last->size += bytes;
  } else {
    pieces_.push_back(std::move(gathered));
  }
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

void HttpInput::EndIfEmpty() {
  if (bytes_ > 0) return;
  block_ = nullptr;
  used_ = 0;
}

}  // namespace penstock::frontend
