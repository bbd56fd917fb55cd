#include "loadgen/reply_reader.h"

#include <algorithm>
#include <charconv>

namespace penstock::loadgen {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

bool SameIgnoringCase(std::string_view a, std::string_view b) {
  const auto small = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return small(x) == small(y); });
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// All of `text` is digits of this base, and the number fits.
bool ParseNumber(std::string_view text, int base, uint64_t* number) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), *number, base);
  return error == std::errc() && rest == text.data() + text.size() && !text.empty();
}

}  // namespace

void ReplyReader::Reset() {
  part_ = Part::kHead;
  line_.clear();
  status_ = 0;
  keeps_open_ = true;
  has_length_ = is_chunked_ = false;
  body_.Reset();
  rest_ = 0;
}

ReplyReader::State ReplyReader::Read(std::string_view bytes) {
  while (!bytes.empty() && part_ != Part::kBroken) {
    switch (part_) {
      case Part::kHead:
        ReadHead(&bytes);
        break;
      case Part::kSized:
      case Part::kChunk:
      case Part::kUntilEnd:
        TakeBody(&bytes);
        break;
      case Part::kChunkSize:
      case Part::kChunkEnd:
      case Part::kTrailer:
        ReadChunkLine(&bytes);
        break;
      case Part::kDone:
      case Part::kBroken:
        part_ = Part::kBroken;
        break;
    }
  }
  if (part_ == Part::kDone) return State::kDone;
  return part_ == Part::kBroken ? State::kBroken : State::kMore;
}

ReplyReader::State ReplyReader::End() { return part_ == Part::kUntilEnd ? State::kDone : State::kBroken; }

void ReplyReader::ReadHead(std::string_view* bytes) {
  const size_t before = line_.size();
  line_.append(bytes->substr(0, kMaxHeadBytes - before + 1));
  const size_t end = line_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  if (end == std::string::npos) {
    bytes->remove_prefix(bytes->size());
    if (line_.size() > kMaxHeadBytes) part_ = Part::kBroken;
    return;
  }
  bytes->remove_prefix(end + 4 - before);
  if (!ParseHead(std::string_view(line_).substr(0, end + 2))) {
    part_ = Part::kBroken;
    return;
  }
  line_.clear();
  if (status_ / 100 == 1) return Reset();  // the answer is still to come
  if (is_chunked_) {
    part_ = Part::kChunkSize;
  } else if (status_ == 204 || status_ == 304 || (has_length_ && rest_ == 0)) {
    part_ = Part::kDone;
  } else {
    part_ = has_length_ ? Part::kSized : Part::kUntilEnd;
    if (!has_length_) keeps_open_ = false;
  }
}

// `head`: lines, each with its end.
bool ReplyReader::ParseHead(std::string_view head) {
  size_t end = head.find(kLineEnd);
  const std::string_view first = head.substr(0, end);
  uint64_t status = 0;
  const bool has_version = first.substr(0, 9) == "HTTP/1.1 " || first.substr(0, 9) == "HTTP/1.0 ";
  if (!has_version || first.size() < 12 || (first.size() > 12 && first[12] != ' ')) return false;
  if (!ParseNumber(first.substr(9, 3), 10, &status)) return false;
  status_ = static_cast<int>(status);
  keeps_open_ = first[7] == '1';
  for (head.remove_prefix(end + 2); !head.empty(); head.remove_prefix(end + 2)) {
    end = head.find(kLineEnd);
    if (!ParseField(head.substr(0, end))) return false;
  }
  return status_ >= 100 && !(has_length_ && is_chunked_);
}

bool ReplyReader::ParseField(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = Trimmed(line.substr(colon + 1));
  if (SameIgnoringCase(name, "content-length")) {
    uint64_t length = 0;
    if (!ParseNumber(value, 10, &length) || (has_length_ && length != rest_)) return false;
    has_length_ = true;
    rest_ = length;
  } else if (SameIgnoringCase(name, "transfer-encoding")) {
    if (!SameIgnoringCase(value, "chunked")) return false;
    is_chunked_ = true;
  } else if (SameIgnoringCase(name, "connection")) {
    if (SameIgnoringCase(value, "close")) keeps_open_ = false;
    if (SameIgnoringCase(value, "keep-alive")) keeps_open_ = true;
  }
  return true;
}

// The line with a chunk's size, the empty one after its bytes, and those after the last.
void ReplyReader::ReadChunkLine(std::string_view* bytes) {
  const size_t before = line_.size();
  line_.append(bytes->substr(0, kMaxHeadBytes - before + 1));
  const size_t end = line_.find(kLineEnd, before == 0 ? 0 : before - 1);
  if (end == std::string::npos) {
    bytes->remove_prefix(bytes->size());
    if (line_.size() > kMaxHeadBytes) part_ = Part::kBroken;
    return;
  }
  bytes->remove_prefix(end + 2 - before);
  const std::string_view line = std::string_view(line_).substr(0, end);
  if (part_ == Part::kChunkSize) {
    // What follows a semicolon is for others.
    if (!ParseNumber(Trimmed(line.substr(0, line.find(';'))), 16, &rest_)) {
      part_ = Part::kBroken;
    } else {
      part_ = rest_ == 0 ? Part::kTrailer : Part::kChunk;
    }
  } else if (part_ == Part::kChunkEnd) {
    part_ = line.empty() ? Part::kChunkSize : Part::kBroken;
  } else if (line.empty()) {
    part_ = Part::kDone;
  }
  line_.clear();
}

void ReplyReader::TakeBody(std::string_view* bytes) {
  const bool has_end = part_ != Part::kUntilEnd;
  const std::string_view taken = has_end ? bytes->substr(0, rest_) : *bytes;
  body_.Take(taken);
  bytes->remove_prefix(taken.size());
  if (!has_end) return;
  rest_ -= taken.size();
  if (rest_ == 0) part_ = part_ == Part::kSized ? Part::kDone : Part::kChunkEnd;
}

}  // namespace penstock::loadgen
