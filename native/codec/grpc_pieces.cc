#include "codec/grpc_pieces.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "memory/block.h"

namespace penstock::codec {
namespace {

constexpr uint64_t kRawInputContents = 7;  // of ModelInferRequest
constexpr size_t kMaxVarint = 10;

// A position in a chain that only moves on.
class ChainWalk {
 public:
  // A tag and the number after it.
  static constexpr size_t kWindow = 2 * kMaxVarint;

  explicit ChainWalk(const memory::SliceChain& chain) : chain_(chain) {}

  size_t position() const { return position_; }
  size_t left() const { return chain_.size() - position_; }

  // The next kWindow bytes, or all when fewer are left: where they lie, or copied to `buffer` when they span slices.
  std::string_view Window(uint8_t (&buffer)[kWindow]) const {
    const size_t wanted = std::min(kWindow, left());
    if (wanted == 0) return {};
    const memory::Slice& here = chain_.slices()[slice_];
    if (here.size - offset_ >= wanted) return AsText(here.data + offset_, wanted);
    size_t filled = 0;
    size_t from = offset_;
    for (size_t i = slice_; filled < wanted; ++i, from = 0) {
      const memory::Slice& slice = chain_.slices()[i];
      const size_t take = std::min(slice.size - from, wanted - filled);
      std::memcpy(buffer + filled, slice.data + from, take);
      filled += take;
    }
    return AsText(buffer, wanted);
  }

  // Calls visit(slice, offset, size) for each range of the next `bytes`, which must be there, and moves behind them.
  template <typename Visit>
  void Pass(size_t bytes, Visit visit) {
    position_ += bytes;
    while (bytes > 0) {
      const memory::Slice& slice = chain_.slices()[slice_];
      const size_t take = std::min(slice.size - offset_, bytes);
      visit(slice, offset_, take);
      bytes -= take;
      offset_ += take;
      if (offset_ < slice.size) continue;
      ++slice_;
      offset_ = 0;
    }
  }

 private:
  static std::string_view AsText(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

  const memory::SliceChain& chain_;
  size_t slice_ = 0;
  size_t offset_ = 0;
  size_t position_ = 0;
};

struct Field {
  uint64_t number = 0;
  WireType type = WireType::kVarint;
  size_t head = 0;   // bytes of the tag, and of the varint after it where there is one
  size_t value = 0;  // bytes after those
};

// The field at the start of `window`; none when a reader of the message stops here. What the tag says is judged by that reader.
std::optional<Field> FieldAt(std::string_view window, size_t left) {
  const auto* const begin = reinterpret_cast<const uint8_t*>(window.data());
  const uint8_t* const end = begin + window.size();
  const uint8_t* cursor = begin;
  uint64_t tag = 0;
  if (!TakeVarint(&cursor, end, &tag)) return std::nullopt;
  Field field;
  field.number = tag >> 3;
  field.type = static_cast<WireType>(tag & 7);
  uint64_t number = 0;
  uint64_t value = 0;
  switch (field.type) {
    case WireType::kVarint:
      if (!TakeVarint(&cursor, end, &number)) return std::nullopt;
      break;
    case WireType::kFixed64:
      value = 8;
      break;
    case WireType::kFixed32:
      value = 4;
      break;
    case WireType::kLengthDelimited:
      if (!TakeVarint(&cursor, end, &value)) return std::nullopt;
      break;
    default:
      return std::nullopt;
  }
  field.head = static_cast<size_t>(cursor - begin);
  if (value > left - field.head) return std::nullopt;
  field.value = static_cast<size_t>(value);
  return field;
}

// Finds the raw contents and their gaps, and the size of the text.
size_t FindRawContents(const memory::SliceChain& message, size_t max_raw, MessagePieces* pieces) {
  ChainWalk walk(message);
  const auto pass = [](const memory::Slice&, size_t, size_t) {};
  uint8_t buffer[ChainWalk::kWindow];
  size_t left_out = 0;
  const auto leave_out = [&](size_t bytes) {
    if (bytes == 0) return;
    pieces->gaps.push_back({walk.position() - left_out, bytes});
    left_out += bytes;
  };
  while (walk.left() > 0) {
    const std::string_view window = walk.Window(buffer);
    const std::optional<Field> field = FieldAt(window, walk.left());
    const bool is_raw = field && field->number == kRawInputContents && field->type == WireType::kLengthDelimited;
    if (!field || (is_raw && pieces->raw.size() == max_raw)) {
      // The window is all that a reader looks at before it refuses the field.
      walk.Pass(window.size(), pass);
      leave_out(walk.left());
      break;
    }
    if (!is_raw) {
      walk.Pass(field->head + field->value, pass);
      continue;
    }
    walk.Pass(field->head, pass);
    leave_out(field->value);
    pieces->raw.emplace_back();
    walk.Pass(field->value, [pieces](const memory::Slice& slice, size_t offset, size_t size) {
      pieces->raw.back().Append(slice.Sub(offset, size));
    });
  }
  return message.size() - left_out;
}

void JoinText(const memory::SliceChain& message, const std::vector<ProtobufReader::Gap>& gaps, size_t text_bytes, uint8_t* destination) {
  ChainWalk walk(message);
  const auto copy = [&destination](const memory::Slice& slice, size_t offset, size_t size) {
    std::memcpy(destination, slice.data + offset, size);
    destination += size;
  };
  size_t copied = 0;
  for (const ProtobufReader::Gap& gap : gaps) {
    walk.Pass(gap.at - copied, copy);
    walk.Pass(gap.bytes, [](const memory::Slice&, size_t, size_t) {});
    copied = gap.at;
  }
  walk.Pass(text_bytes - copied, copy);
}

}  // namespace

Result<MessagePieces> TakeOutRawContents(const memory::SliceChain& message, size_t max_raw) {
  MessagePieces pieces;
  const size_t text_bytes = FindRawContents(message, max_raw, &pieces);
  Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(text_bytes);
  if (!block.ok()) return block.status();
  JoinText(message, pieces.gaps, text_bytes, block.value()->data());
  pieces.text = memory::WholeSlice(std::move(block).value());
  return pieces;
}

}  // namespace penstock::codec
