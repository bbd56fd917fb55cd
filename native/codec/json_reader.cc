#include "codec/json_reader.h"

#include <cstring>

#include "codec/json_string.h"
#include "codec/number_scan.h"
#include "codec/request_fields.h"

namespace penstock::codec {
namespace {

std::string DescribeByte(const char* at, const char* end) {
  if (at == end) return "the end";
  const auto byte = static_cast<uint8_t>(*at);
  if (byte > 0x20 && byte < 0x7F) return std::string("'") + *at + "'";
  static constexpr char kHex[] = "0123456789abcdef";
  return std::string("byte 0x") + kHex[byte >> 4] + kHex[byte & 15];
}

}  // namespace

bool JsonReader::Fail(const char* at, std::string_view expected) {
  std::string message = "JSON at byte " + std::to_string(at - begin_) + ": found " + DescribeByte(at, end_) + ", expected ";
  status_ = Status(StatusCode::kRequestJson, message.append(expected));
  return false;
}

void JsonReader::SkipSpace() {
  while (at_ < end_ && IsJsonSpace(*at_)) ++at_;
}

JsonKind JsonReader::Peek() {
  SkipSpace();
  if (at_ == end_) return JsonKind::kOther;
  switch (*at_) {
    case '{':
      return JsonKind::kObject;
    case '[':
      return JsonKind::kArray;
    case '"':
      return JsonKind::kString;
    case 't':
    case 'f':
      return JsonKind::kBool;
    case 'n':
      return JsonKind::kNull;
    default:
      return *at_ == '-' || IsDigit(*at_) ? JsonKind::kNumber : JsonKind::kOther;
  }
}

bool JsonReader::Open(char bracket, const char* what) {
  SkipSpace();
  if (at_ == end_ || *at_ != bracket) return Fail(at_, what);
  if (depth_ >= max_depth_) {
    status_ = Status(StatusCode::kRequestDepth,
                     "JSON at byte " + std::to_string(at_ - begin_) + ": nested more than " + std::to_string(max_depth_) + " levels deep");
    return false;
  }
  ++at_;
  ++depth_;
  first_ = true;
  return true;
}

// Steps over the comma that is due, or over the closing bracket and out of the container.
bool JsonReader::Next(char close, const char* expected) {
  if (!ok()) return false;
  SkipSpace();
  if (at_ < end_ && *at_ == close) {
    ++at_;
    --depth_;
    first_ = false;
    return false;
  }
  if (!first_) {
    if (at_ == end_ || *at_ != ',') return Fail(at_, expected);
    ++at_;
    SkipSpace();
  }
  first_ = false;
  return true;
}

bool JsonReader::BeginObject() { return Open('{', "an object"); }
bool JsonReader::BeginArray() { return Open('[', "an array"); }
bool JsonReader::NextElement() { return Next(']', "',' or ']'"); }

bool JsonReader::NextMember() {
  std::string_view raw;
  return ReadName(&raw, nullptr);
}

bool JsonReader::NextMember(std::string_view* name, std::string* decoded) {
  bool has_escapes = false;
  if (!ReadName(name, &has_escapes)) return false;
  if (has_escapes) {
    decoded->resize(name->size());
    *name = std::string_view(decoded->data(), DecodeJsonString(*name, decoded->data()));
  }
  return true;
}

bool JsonReader::ReadName(std::string_view* raw, bool* has_escapes) {
  if (!Next('}', "',' or '}'")) return false;
  if (at_ == end_ || *at_ != '"') return Fail(at_, "a name in quotes");
  if (!ReadRawString(raw, has_escapes)) return false;
  SkipSpace();
  if (at_ == end_ || *at_ != ':') return Fail(at_, "':'");
  ++at_;
  return true;
}

bool JsonReader::ReadRawString(std::string_view* raw, bool* has_escapes) {
  SkipSpace();
  if (at_ == end_ || *at_ != '"') return Fail(at_, "a string");
  const char* const text = at_ + 1;
  const JsonStringScan scan = ScanJsonString(text, end_);
  if (scan.problem != nullptr) return Fail(scan.stop, scan.problem);
  *raw = std::string_view(text, static_cast<size_t>(scan.stop - text));
  if (has_escapes != nullptr) *has_escapes = scan.has_escapes;
  at_ = scan.stop + 1;
  return true;
}

bool JsonReader::ReadString(std::string* value) {
  std::string_view raw;
  bool has_escapes = false;
  if (!ReadRawString(&raw, &has_escapes)) return false;
  value->assign(raw);
  if (has_escapes) value->resize(DecodeJsonString(raw, value->data()));
  return true;
}

bool JsonReader::ReadNumber(std::string_view* text) {
  SkipSpace();
  NumberScan scan;
  if (!ScanNumber(at_, end_, &scan)) return Fail(scan.stop, "a number");
  *text = std::string_view(at_, static_cast<size_t>(scan.stop - at_));
  at_ = scan.stop;
  return true;
}

bool JsonReader::ReadWord(std::string_view word) {
  if (static_cast<size_t>(end_ - at_) < word.size() || std::memcmp(at_, word.data(), word.size()) != 0) return Fail(at_, word);
  at_ += word.size();
  return true;
}

bool JsonReader::ReadBool(bool* value) {
  SkipSpace();
  *value = at_ < end_ && *at_ == 't';
  return ReadWord(*value ? "true" : "false");
}

bool JsonReader::SkipScalar() {
  std::string_view text;
  bool flag = false;
  switch (Peek()) {
    case JsonKind::kString:
      return ReadRawString(&text);
    case JsonKind::kNumber:
      return ReadNumber(&text);
    case JsonKind::kBool:
      return ReadBool(&flag);
    case JsonKind::kNull:
      return ReadWord("null");
    default:
      return Fail(at_, "a value");
  }
}

bool JsonReader::SkipValue(uint64_t* scalars, std::string_view* text) {
  SkipSpace();
  const char* const start = at_;
  std::string open;  // opening brackets that have no partner yet; never more than max_depth_
  do {
    const JsonKind kind = Peek();
    if (kind == JsonKind::kArray || kind == JsonKind::kObject) {
      open += *at_;
      if (!(kind == JsonKind::kArray ? BeginArray() : BeginObject())) return false;
    } else {
      if (!SkipScalar()) return false;
      if (scalars != nullptr) ++*scalars;
    }
    while (!open.empty() && !(open.back() == '[' ? NextElement() : NextMember())) {
      if (!ok()) return false;
      open.pop_back();
    }
  } while (!open.empty());
  if (text != nullptr) *text = std::string_view(start, static_cast<size_t>(at_ - start));
  return true;
}

bool JsonReader::ReadEnd() {
  SkipSpace();
  return at_ == end_ || Fail(at_, "the end of the document");
}

std::string ShortText(std::string_view text) {
  constexpr size_t kLongest = 64;
  std::string shown(text.substr(0, kLongest));
  return text.size() > kLongest ? shown + "..." : shown;
}

Status WrongValue(JsonReader reader, StatusCode code, const FieldPath& path, std::string_view expected) {
  const JsonKind kind = reader.Peek();
  JsonReader probe = reader;
  std::string_view text;
  if (!probe.SkipValue(nullptr, &text)) return probe.status();
  if (kind == JsonKind::kObject) return FieldError(code, path, "an object", expected);
  if (kind == JsonKind::kArray) return FieldError(code, path, "an array", expected);
  std::string string;
  if (kind == JsonKind::kString && reader.ReadString(&string)) return FieldError(code, path, Quote(string), expected);
  return FieldError(code, path, ShortText(text), expected);
}

}  // namespace penstock::codec
