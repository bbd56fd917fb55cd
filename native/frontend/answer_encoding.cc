#include "frontend/answer_encoding.h"

#include <optional>

#include "transport/http1_head.h"

namespace penstock::frontend {
namespace {

constexpr int kFullQuality = 1000;

// What String.prototype.trim takes away of characters that are one byte.
bool IsSpace(char c) { return (c >= '\t' && c <= '\r') || c == ' ' || c == '\xA0'; }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

// Takes what stands before the next `separator`, and that; all of it where there is none.
std::string_view TakePart(std::string_view* text, char separator) {
  const size_t at = text->find(separator);
  const std::string_view part = text->substr(0, at);
  text->remove_prefix(at == std::string_view::npos ? text->size() : at + 1);
  return part;
}

std::optional<AnswerEncoding> EncodingOf(std::string_view name) {
  for (const AnswerEncoding encoding : {AnswerEncoding::kGzip, AnswerEncoding::kDeflate, AnswerEncoding::kIdentity}) {
    if (transport::EqualsIgnoringCase(name, NameOf(encoding))) return encoding;
  }
  return std::nullopt;
}

// In thousandths; 0 (not acceptable) for anything but `0` or `1` with up to three digits behind a point, which are zeros behind a 1.
int ReadQuality(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1')) return 0;
  const bool is_one = text[0] == '1';
  int quality = is_one ? kFullQuality : 0;
  text.remove_prefix(1);
  if (text.empty()) return quality;
  if (text[0] != '.' || text.size() > 4) return 0;
  text.remove_prefix(1);
  int unit = kFullQuality / 10;
  for (const char c : text) {
    if (c < '0' || c > (is_one ? '0' : '9')) return 0;
    quality += (c - '0') * unit;
    unit /= 10;
  }
  return quality;
}

}  // namespace

std::string_view NameOf(AnswerEncoding encoding) {
  switch (encoding) {
    case AnswerEncoding::kGzip:
      return "gzip";
    case AnswerEncoding::kDeflate:
      return "deflate";
    default:
      return "identity";
  }
}

void EncodingChoice::Add(std::string_view accepted) {
  while (!accepted.empty()) Weigh(TakePart(&accepted, ','));
}

void EncodingChoice::Weigh(std::string_view entry) {
  const std::optional<AnswerEncoding> encoding = EncodingOf(Trim(TakePart(&entry, ';')));
  if (!encoding) return;
  int quality = kFullQuality;
  while (!entry.empty()) {
    const std::string_view parameter = Trim(TakePart(&entry, ';'));
    if (!transport::EqualsIgnoringCase(parameter.substr(0, 2), "q=")) continue;
    quality = ReadQuality(parameter.substr(2));
    break;
  }
  if (quality <= best_quality_) return;
  best_ = *encoding;
  best_quality_ = quality;
}

}  // namespace penstock::frontend
