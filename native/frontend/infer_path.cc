#include "frontend/infer_path.h"

#include <algorithm>

#include "base/checked_math.h"

namespace penstock::frontend {
namespace {

constexpr int64_t kMaxSafeInteger = (int64_t{1} << 53) - 1;  // of JavaScript
constexpr std::string_view kModels = "/v2/models/";
constexpr std::string_view kVersions = "versions/";

bool IsDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Takes what stands before the next slash, and the slash. False when there is none.
bool TakeSegment(std::string_view* path, std::string_view* segment) {
  const size_t slash = path->find('/');
  if (slash == std::string_view::npos) return false;
  *segment = path->substr(0, slash);
  path->remove_prefix(slash + 1);
  return true;
}

bool ReadPath(std::string_view target, InferPath* found) {
  std::string_view path = target.substr(0, target.find('?'));
  if (path.substr(0, kModels.size()) != kModels) return false;
  path.remove_prefix(kModels.size());
  if (!TakeSegment(&path, &found->model) || found->model.empty() || found->model.find('%') != std::string_view::npos) return false;
  if (path.substr(0, kVersions.size()) == kVersions) {
    path.remove_prefix(kVersions.size());
    if (!TakeSegment(&path, &found->version) || !IsDigits(found->version)) return false;
  }
  return path == "infer";
}

bool ReadJsonBytes(std::string_view text, int64_t* bytes) {
  if (!IsDigits(text)) return false;
  uint64_t value = 0;
  for (const char c : text) {
    if (!CheckedMul(value, 10, &value) || !CheckedAdd(value, static_cast<uint64_t>(c - '0'), &value)) return false;
  }
  if (value > static_cast<uint64_t>(kMaxSafeInteger)) return false;
  *bytes = static_cast<int64_t>(value);
  return true;
}

// At most one of gzip and deflate, as parseBodyEncoding of src/frontend/http/infer-headers.ts has it. False for anything else.
bool ReadBodyEncoding(std::string_view codings, AnswerEncoding* encoding) {
  for (;;) {
    const size_t comma = codings.find(',');
    std::string_view coding = codings.substr(0, comma);
    while (!coding.empty() && (coding.front() == ' ' || coding.front() == '\t')) coding.remove_prefix(1);
    while (!coding.empty() && (coding.back() == ' ' || coding.back() == '\t')) coding.remove_suffix(1);
    if (!coding.empty() && !transport::EqualsIgnoringCase(coding, NameOf(AnswerEncoding::kIdentity))) {
      if (*encoding != AnswerEncoding::kIdentity) return false;
      for (const AnswerEncoding known : {AnswerEncoding::kGzip, AnswerEncoding::kDeflate}) {
        if (transport::EqualsIgnoringCase(coding, NameOf(known))) *encoding = known;
      }
      if (*encoding == AnswerEncoding::kIdentity) return false;
    }
    if (comma == std::string_view::npos) return true;
    codings.remove_prefix(comma + 1);
  }
}

// False: the field asks for what is not done here.
bool ReadField(const transport::Http1Field& field, std::string_view* json_bytes, EncodingChoice* choice, InferPath* found) {
  using transport::EqualsIgnoringCase;
  switch (field.name.size()) {
    case 31:
      if (!EqualsIgnoringCase(field.name, "inference-header-content-length")) return true;
      // Given once, or again with the same text.
      if (found->json_bytes >= 0) return field.value == *json_bytes;
      *json_bytes = field.value;
      return ReadJsonBytes(field.value, &found->json_bytes);
    case 16:
      return !EqualsIgnoringCase(field.name, "content-encoding") || ReadBodyEncoding(field.value, &found->body_encoding);
    case 15:
      if (EqualsIgnoringCase(field.name, "accept-encoding")) choice->Add(field.value);
      return true;
    default:
      return true;
  }
}

}  // namespace

std::optional<InferPath> FindInferPath(const transport::Http1RequestHead& head, uint64_t max_request_bytes, bool compresses) {
  if (head.method != "POST" || head.is_http10 || !head.is_plain) return std::nullopt;
  if (max_request_bytes > 0 && head.content_length > max_request_bytes) return std::nullopt;
  InferPath found;
  if (!ReadPath(head.target, &found)) return std::nullopt;
  std::string_view json_bytes;
  EncodingChoice choice;
  for (const transport::Http1Field& field : head.fields) {
    if (!ReadField(field, &json_bytes, &choice, &found)) return std::nullopt;
  }
  found.encoding = choice.best();
  const bool needs_zlib = found.encoding != AnswerEncoding::kIdentity || found.body_encoding != AnswerEncoding::kIdentity;
  if (needs_zlib && !compresses) return std::nullopt;
  return found;
}

}  // namespace penstock::frontend
