#include "frontend/http_answer.h"

#include <utility>

#include "codec/number_text.h"
#include "codec/utf8.h"

namespace penstock::frontend {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Of the statuses in src/frontend/error-reply.ts; the texts are those of RFC 9110, as in STATUS_CODES of node:http.
std::string_view ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

// Of an answer, with room for the small document that SocketOutput joins to it.
constexpr size_t kUsualBytes = 512;

void AppendStatus(int status, std::string* out) {
  *out += "HTTP/1.1 ";
  *out += std::to_string(status);
  *out += ' ';
  *out += ReasonOf(status);
  *out += "\r\n";
}

void AppendField(std::string_view name, std::string_view value, std::string* out) {
  *out += name;
  *out += ": ";
  *out += value;
  *out += "\r\n";
}

// What node:http adds to the fields that it is given, and the empty line. `is_close_said`: `Connection: close` is among those already.
void AppendEnd(const AnswerStyle& style, bool is_close_said, std::string* out) {
  *out += *style.date_line;
  if (is_close_said) {
    *out += "\r\n";
  } else if (style.closes) {
    *out += "Connection: close\r\n\r\n";
  } else if (style.keep_alive_timeout_ns <= 0) {
    *out += "Connection: keep-alive\r\n\r\n";
  } else {
    *out += "Connection: keep-alive\r\nKeep-Alive: timeout=";
    codec::AppendInteger(style.keep_alive_timeout_ns / kNsPerSecond, out);
    *out += "\r\n\r\n";
  }
}

// `json_bytes`: -1 where all of the body is the document.
std::string InferHead(int64_t json_bytes, uint64_t body_bytes, AnswerEncoding encoding, const AnswerStyle& style) {
  std::string head;
  head.reserve(kUsualBytes);
  if (json_bytes >= 0) {
    head += "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nInference-Header-Content-Length: ";
    codec::AppendInteger(json_bytes, &head);
    head += "\r\nContent-Length: ";
  } else {
    head += "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";
  }
  codec::AppendInteger(static_cast<int64_t>(body_bytes), &head);
  head += "\r\n";
  if (encoding != AnswerEncoding::kIdentity) AppendField("Content-Encoding", NameOf(encoding), &head);
  if (style.is_going) AppendField("Connection", "close", &head);
  AppendEnd(style, style.is_going, &head);
  return head;
}

// Length of what stands at `text` for one U+FFFD: no character begins there, but what may be the begin of one. At least 1.
size_t BrokenLength(std::string_view text) {
  const auto byte = [text](size_t index) { return index < text.size() ? static_cast<uint8_t>(text[index]) : 0; };
  const uint8_t lead = byte(0);
  if (lead < 0xE0 || lead > 0xF4) return 1;
  // Unicode 15, table 3-7: the second byte of some is bounded more narrowly.
  const uint8_t lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < lowest || byte(1) > highest) return 1;
  return lead >= 0xF0 && byte(2) >= 0x80 && byte(2) <= 0xBF ? 3 : 2;
}

// What JSON.stringify writes for an ASCII character.
void AppendJsonCharacter(char c, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  static constexpr std::string_view kShort = "\"\\\b\t\n\f\r";
  static constexpr std::string_view kLetters = "\"\\btnfr";
  const size_t index = kShort.find(c);
  if (index != std::string_view::npos) {
    *out += {'\\', kLetters[index]};
  } else if (static_cast<uint8_t>(c) < 0x20) {
    *out += {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
  } else {
    *out += c;
  }
}

}  // namespace

uint64_t WriteInferAnswer(codec::HttpReply reply, const AnswerStyle& style, transport::SocketOutput* output) {
  // Cannot overflow: all of it is in memory.
  uint64_t bytes = reply.json.size();
  for (const memory::Slice& tail : reply.tails) bytes += tail.size;
  const int64_t json_bytes = reply.is_binary ? static_cast<int64_t>(reply.json.size()) : -1;
  output->Append(InferHead(json_bytes, bytes, AnswerEncoding::kIdentity, style));
  output->Append(std::move(reply.json));
  for (memory::Slice& tail : reply.tails) output->Append(std::move(tail));
  return bytes;
}

uint64_t WriteCompressedAnswer(std::vector<memory::Slice> pieces, AnswerEncoding encoding, int64_t json_bytes, const AnswerStyle& style,
                               transport::SocketOutput* output) {
  uint64_t bytes = 0;
  for (const memory::Slice& piece : pieces) bytes += piece.size;
  output->Append(InferHead(json_bytes, bytes, encoding, style));
  for (memory::Slice& piece : pieces) output->Append(std::move(piece));
  return bytes;
}

uint64_t WriteErrorAnswer(const ErrorReply& reply, int64_t retry_after_s, const AnswerStyle& style, transport::SocketOutput* output) {
  const std::string body = "{\"error\":" + JsonText(reply.message) + "}";
  const std::string retry_after = retry_after_s > 0 ? "Retry-After: " + std::to_string(retry_after_s) + "\r\n" : "";
  const bool says_close = style.is_going || style.is_body_pending;
  std::string answer;
  answer.reserve(kUsualBytes + body.size());
  AppendStatus(reply.http_status, &answer);
  if (style.is_body_pending) answer += retry_after;
  AppendField("Content-Type", "application/json", &answer);
  AppendField("Content-Length", std::to_string(body.size()), &answer);
  if (!style.is_body_pending) answer += retry_after;
  if (says_close) AppendField("Connection", "close", &answer);
  AppendEnd(style, says_close, &answer);
  if (!style.is_head) answer += body;
  output->Append(std::move(answer));
  return style.is_head ? 0 : body.size();
}

void WriteTimeoutAnswer(transport::SocketOutput* output) {
  const std::string body = R"({"error":"the request did not arrive in time"})";
  std::string answer = "HTTP/1.1 408 Request Timeout\r\n";
  AppendField("Connection", "close", &answer);
  AppendField("Content-Type", "application/json", &answer);
  AppendField("Content-Length", std::to_string(body.size()), &answer);
  output->Append(answer + "\r\n" + body);
}

std::string JsonText(std::string_view text) {
  std::string out = "\"";
  out.reserve(text.size() + 2);
  const char* const end = text.data() + text.size();
  while (!text.empty()) {
    const size_t length = codec::Utf8SequenceLength(text.data(), end);
    if (length == 1) {
      AppendJsonCharacter(text[0], &out);
    } else if (length > 1) {
      out += text.substr(0, length);
    } else {
      out += kReplacement;
    }
    text.remove_prefix(length > 0 ? length : BrokenLength(text));
  }
  return out + '"';
}

}  // namespace penstock::frontend
