// A cursor over one JSON document in contiguous text: RFC 8259 to the letter, no tree, no recursion.
//
// Methods that return bool return false both at the end of a container and on an error; ok() tells which. After an error nothing moves.
// A copy is a bookmark: it can read the same value again later. The text must outlive every copy. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "codec/field_path.h"

namespace penstock::codec {

enum class JsonKind : uint8_t { kObject, kArray, kString, kNumber, kBool, kNull, kOther };

class JsonReader {
 public:
  // At most `max_depth` containers may be open at once.
  JsonReader(std::string_view text, int max_depth)
      : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()), max_depth_(max_depth) {}

  bool ok() const { return status_.ok(); }
  // kRequestJson with the byte offset, or kRequestDepth.
  const Status& status() const { return status_; }

  // Kind of the value that comes next, by its first byte; kOther when no value starts with that byte, or at the end.
  JsonKind Peek();

  bool BeginObject();
  // Moves to the next member's value. False at the end of the object, which it then leaves.
  bool NextMember();
  // The same; its name, decoded, is of the text or, where that has escapes, of *decoded.
  bool NextMember(std::string_view* name, std::string* decoded);
  bool BeginArray();
  // Moves to the next element. False at the end of the array, which it then leaves.
  bool NextElement();

  bool ReadBool(bool* value);
  bool ReadString(std::string* value);
  // The text between the quotes, still with its escapes but checked; DecodeJsonString decodes it. `has_escapes` may be null.
  bool ReadRawString(std::string_view* raw, bool* has_escapes = nullptr);
  bool ReadNumber(std::string_view* text);
  // Any value, checked. Adds the strings, numbers, booleans and nulls passed to *scalars, and gives the value's text, unless null.
  bool SkipValue(uint64_t* scalars = nullptr, std::string_view* text = nullptr);
  // Nothing but white space may follow the document.
  bool ReadEnd();

  // For loops that read elements by themselves: where the next byte is, and having read up to `cursor`.
  const char* cursor() const { return at_; }
  const char* end() const { return end_; }
  void MoveTo(const char* cursor) { at_ = cursor; }

 private:
  bool Open(char bracket, const char* what);
  bool Next(char close, const char* expected);
  bool ReadName(std::string_view* raw, bool* has_escapes);
  bool SkipScalar();
  bool ReadWord(std::string_view word);
  void SkipSpace();
  bool Fail(const char* at, std::string_view expected);

  const char* begin_;
  const char* at_;
  const char* end_;
  int max_depth_;
  int depth_ = 0;
  bool first_ = false;  // a container was just opened, so no comma is due
  Status status_;
};

// Text of a JSON scalar for a message: at most 64 bytes of it.
std::string ShortText(std::string_view text);

// "`path`: found <the value that comes next>, expected `expected`". Fails with the reader's own error when what comes next is no value.
// `reader` is a copy on purpose: nothing moves.
Status WrongValue(JsonReader reader, StatusCode code, const FieldPath& path, std::string_view expected);

}  // namespace penstock::codec
