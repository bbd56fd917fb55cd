// Reads the protobuf wire format from memory that somebody else owns: nothing is copied, nothing is read past the end.
//
// Stricter than protobuf where silence would hide a client's mistake: a known field of the wrong wire type is an error, groups are
// refused, text must be UTF-8. As protobuf does it: unknown fields are skipped, varints may be padded up to 10 bytes.
// Every error names the field's path and the byte offset in the outermost message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "codec/field_path.h"

namespace penstock::codec {

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kGroupStart = 3, kGroupEnd = 4, kFixed32 = 5 };

// Moves *cursor past one varint. False, with *cursor where it was, when it does not end before `end`, is longer than 10 bytes or does
// not fit 64 bits.
inline bool TakeVarint(const uint8_t** cursor, const uint8_t* end, uint64_t* value) {
  const uint8_t* at = *cursor;
  uint64_t result = 0;
  for (int shift = 0; shift < 70 && at < end; shift += 7) {
    const uint8_t byte = *at++;
    if (shift == 63 && byte > 1) return false;
    result |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) {
      *value = result;
      *cursor = at;
      return true;
    }
  }
  return false;
}

class ProtobufReader {
 public:
  // `bytes` of the message are left out of the text before its byte `at`.
  struct Gap {
    size_t at;
    size_t bytes;
  };

  // The outermost message. `max_depth`: how many levels of messages may be entered, this one included. `gaps`, which must outlive this
  // reader and those of the messages in it: what was left out of `message`, in order; null = nothing. All of them lie between fields or
  // before the bytes of a length-delimited one, none inside the messages that are entered.
  ProtobufReader(std::string_view message, int max_depth, const std::vector<Gap>* gaps = nullptr)
      : ProtobufReader(message, message.data(), gaps, std::string(), max_depth) {}

  bool AtEnd() const { return cursor_ == end_; }
  // "inputs[0]"; empty for the outermost message.
  const std::string& path() const { return path_; }
  // Path of a field of this message.
  std::string PathOf(const FieldPath& member) const;

  // Reads the next field's tag; then exactly one of the calls below takes its value. Errors of all of them: kRequestProtobuf.
  Status Next();
  uint32_t number() const { return number_; }

  Status Varint(const FieldPath& member, uint64_t* value);
  Status Double(const FieldPath& member, double* value);
  Status Bytes(const FieldPath& member, std::string_view* value);
  Status Text(const FieldPath& member, std::string_view* value);
  // Enters an embedded message; `path` is what its errors start with. Also kRequestDepth.
  Result<ProtobufReader> Message(const FieldPath& member, std::string path);
  // One value, or a packed run of values, of a repeated scalar field of wire type `element`: the bytes of the elements, one after another.
  // Runs of fixed-size elements hold whole ones; varints are not looked at yet.
  Status Elements(const FieldPath& member, WireType element, std::string_view* bytes);
  // Of a length-delimited value whose bytes are all left out: nothing more is to be taken.
  Status Length(const FieldPath& member);
  // A field nobody knows.
  Status Skip();

  // Why TakeVarint said no at `cursor`, with `end` the end of what it was given.
  Status VarintError(const FieldPath& path, const uint8_t* cursor, const uint8_t* end) const;

 private:
  ProtobufReader(std::string_view message, const char* origin, const std::vector<Gap>* gaps, std::string path, int depth_left);

  Status Expect(const FieldPath& member, WireType expected) const;
  Status Take(const FieldPath& member, size_t bytes, std::string_view* taken);
  Status TakeDelimited(const FieldPath& member, std::string_view* taken);
  size_t Offset(const uint8_t* at) const;
  std::string Position(const uint8_t* at) const;

  const uint8_t* origin_;  // of the outermost message
  const std::vector<Gap>* gaps_;
  const uint8_t* cursor_;
  const uint8_t* end_;
  std::string path_;
  int depth_left_;
  uint32_t number_ = 0;
  WireType type_ = WireType::kVarint;
};

}  // namespace penstock::codec
