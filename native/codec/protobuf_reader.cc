#include "codec/protobuf_reader.h"

#include <cstring>
#include <utility>

#include "codec/request_fields.h"
#include "codec/utf8.h"

namespace penstock::codec {
namespace {

constexpr uint64_t kMaxFieldNumber = (1u << 29) - 1;

const char* WireTypeName(WireType type) {
  switch (type) {
    case WireType::kVarint:
      return "a varint";
    case WireType::kFixed64:
      return "a 64-bit value";
    case WireType::kLengthDelimited:
      return "a length-delimited value";
    case WireType::kGroupStart:
      return "the start of a group";
    case WireType::kGroupEnd:
      return "the end of a group";
    case WireType::kFixed32:
      return "a 32-bit value";
  }
  return "an unknown wire type";
}

const uint8_t* AsBytes(const char* text) { return reinterpret_cast<const uint8_t*>(text); }

std::string_view AsText(const uint8_t* begin, const uint8_t* end) {
  return std::string_view(reinterpret_cast<const char*>(begin), static_cast<size_t>(end - begin));
}

}  // namespace

ProtobufReader::ProtobufReader(std::string_view message, const char* origin, const std::vector<Gap>* gaps, std::string path, int depth_left)
    : origin_(AsBytes(origin)),
      gaps_(gaps),
      cursor_(AsBytes(message.data())),
      end_(cursor_ + message.size()),
      path_(std::move(path)),
      depth_left_(depth_left) {}

std::string ProtobufReader::PathOf(const FieldPath& member) const {
  return path_.empty() ? member.Text() : path_ + '.' + member.Text();
}

// In the outermost message as its client sent it. A gap lies before the byte it names, so that the end of a text is the end of the message.
size_t ProtobufReader::Offset(const uint8_t* at) const {
  const auto in_text = static_cast<size_t>(at - origin_);
  size_t offset = in_text;
  if (gaps_ == nullptr) return offset;
  for (const Gap& gap : *gaps_) {
    if (gap.at > in_text) break;
    offset += gap.bytes;  // no more than the size of the message
  }
  return offset;
}

std::string ProtobufReader::Position(const uint8_t* at) const { return " at byte " + std::to_string(Offset(at)); }

Status ProtobufReader::VarintError(const FieldPath& path, const uint8_t* cursor, const uint8_t* end) const {
  const bool cut = end - cursor < 10 && (cursor == end || end[-1] >= 0x80);
  return FieldError(StatusCode::kRequestProtobuf, path,
                    cut ? "a varint cut off" + Position(end) : "a varint longer than 10 bytes or over 64 bits" + Position(cursor),
                    "a varint of at most 64 bits");
}

Status ProtobufReader::Next() {
  const uint8_t* const start = cursor_;
  const auto refuse = [&](const std::string& found) {
    return FieldError(StatusCode::kRequestProtobuf, path_.empty() ? std::string("message") : path_, found + Position(start),
                      "the tag of a field");
  };
  uint64_t tag = 0;
  if (!TakeVarint(&cursor_, end_, &tag)) return VarintError(path_.empty() ? std::string("message") : path_, cursor_, end_);
  const uint64_t number = tag >> 3;
  if (number == 0 || number > kMaxFieldNumber) return refuse("field number " + std::to_string(number));
  number_ = static_cast<uint32_t>(number);
  type_ = static_cast<WireType>(tag & 7);
  switch (type_) {
    case WireType::kVarint:
    case WireType::kFixed64:
    case WireType::kLengthDelimited:
    case WireType::kFixed32:
      return Status::Ok();
    default:
      return refuse(std::string(WireTypeName(type_)) + " in field " + std::to_string(number));
  }
}

Status ProtobufReader::Expect(const FieldPath& member, WireType expected) const {
  if (type_ == expected) return Status::Ok();
  return FieldError(StatusCode::kRequestProtobuf, PathOf(member), WireTypeName(type_) + Position(cursor_), WireTypeName(expected));
}

Status ProtobufReader::Take(const FieldPath& member, size_t bytes, std::string_view* taken) {
  if (bytes > static_cast<size_t>(end_ - cursor_)) {
    const size_t left = Offset(end_) - Offset(cursor_);
    return FieldError(StatusCode::kRequestProtobuf, PathOf(member), std::to_string(left) + " bytes left" + Position(cursor_),
                      std::to_string(bytes) + " bytes");
  }
  *taken = AsText(cursor_, cursor_ + bytes);
  cursor_ += bytes;
  return Status::Ok();
}

Status ProtobufReader::TakeDelimited(const FieldPath& member, std::string_view* taken) {
  uint64_t length = 0;
  if (!TakeVarint(&cursor_, end_, &length)) return VarintError(PathOf(member), cursor_, end_);
  return Take(member, length, taken);
}

Status ProtobufReader::Varint(const FieldPath& member, uint64_t* value) {
  PENSTOCK_RETURN_IF_ERROR(Expect(member, WireType::kVarint));
  if (!TakeVarint(&cursor_, end_, value)) return VarintError(PathOf(member), cursor_, end_);
  return Status::Ok();
}

Status ProtobufReader::Double(const FieldPath& member, double* value) {
  PENSTOCK_RETURN_IF_ERROR(Expect(member, WireType::kFixed64));
  std::string_view bytes;
  PENSTOCK_RETURN_IF_ERROR(Take(member, sizeof(*value), &bytes));
  std::memcpy(value, bytes.data(), sizeof(*value));
  return Status::Ok();
}

Status ProtobufReader::Bytes(const FieldPath& member, std::string_view* value) {
  PENSTOCK_RETURN_IF_ERROR(Expect(member, WireType::kLengthDelimited));
  return TakeDelimited(member, value);
}

Status ProtobufReader::Text(const FieldPath& member, std::string_view* value) {
  PENSTOCK_RETURN_IF_ERROR(Bytes(member, value));
  const size_t valid = Utf8ValidPrefix(*value);
  if (valid == value->size()) return Status::Ok();
  return FieldError(StatusCode::kRequestProtobuf, PathOf(member), Quote(*value) + Position(AsBytes(value->data()) + valid), "UTF-8 text");
}

Result<ProtobufReader> ProtobufReader::Message(const FieldPath& member, std::string path) {
  std::string_view bytes;
  PENSTOCK_RETURN_IF_ERROR(Bytes(member, &bytes));
  if (depth_left_ <= 1) {
    return FieldError(StatusCode::kRequestDepth, path, "a message nested too deep" + Position(AsBytes(bytes.data())), "fewer levels");
  }
  return ProtobufReader(bytes, reinterpret_cast<const char*>(origin_), gaps_, std::move(path), depth_left_ - 1);
}

Status ProtobufReader::Elements(const FieldPath& member, WireType element, std::string_view* bytes) {
  const size_t width = element == WireType::kFixed64 ? 8 : element == WireType::kFixed32 ? 4 : 1;
  if (type_ != WireType::kLengthDelimited) {
    PENSTOCK_RETURN_IF_ERROR(Expect(member, element));
    if (element != WireType::kVarint) return Take(member, width, bytes);
    const uint8_t* const start = cursor_;
    uint64_t value = 0;
    PENSTOCK_RETURN_IF_ERROR(Varint(member, &value));
    *bytes = AsText(start, cursor_);
    return Status::Ok();
  }
  PENSTOCK_RETURN_IF_ERROR(TakeDelimited(member, bytes));
  if (bytes->size() % width == 0) return Status::Ok();
  return FieldError(StatusCode::kRequestProtobuf, PathOf(member),
                    std::to_string(bytes->size()) + " packed bytes" + Position(AsBytes(bytes->data())),
                    "a multiple of " + std::to_string(width));
}

Status ProtobufReader::Length(const FieldPath& member) {
  PENSTOCK_RETURN_IF_ERROR(Expect(member, WireType::kLengthDelimited));
  uint64_t length = 0;
  if (!TakeVarint(&cursor_, end_, &length)) return VarintError(PathOf(member), cursor_, end_);
  return Status::Ok();
}

Status ProtobufReader::Skip() {
  constexpr std::string_view member = "(unknown field)";
  std::string_view ignored;
  uint64_t value = 0;
  switch (type_) {
    case WireType::kVarint:
      return Varint(member, &value);
    case WireType::kFixed64:
      return Take(member, 8, &ignored);
    case WireType::kFixed32:
      return Take(member, 4, &ignored);
    default:
      return TakeDelimited(member, &ignored);
  }
}

}  // namespace penstock::codec
