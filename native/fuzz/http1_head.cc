// Heads of HTTP/1.1: a head means the same however much of it, and of what follows, has come; and what is accepted is what the header of
// the parser promises, judged here by other means.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/exact_copy.h"
#include "fuzz/targets.h"
#include "transport/http1_head.h"

namespace penstock::fuzz {
namespace {

using transport::Http1Field;
using transport::Http1Parsed;
using transport::Http1RequestHead;
using transport::Http1ResponseHead;

constexpr uint64_t kLengthLimit = 1ull << 53;

bool IsToken(std::string_view text) {
  constexpr std::string_view kToken = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&'*+-.^_`|~";
  return !text.empty() && text.find_first_not_of(kToken) == std::string_view::npos;
}

bool IsValue(std::string_view text) {
  if (text.empty()) return true;
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  const auto is_control = [](char c) { return (static_cast<uint8_t>(c) < 0x20 && c != '\t') || c == 0x7F; };
  return !is_space(text.front()) && !is_space(text.back()) && std::none_of(text.begin(), text.end(), is_control);
}

bool IsNamed(const Http1Field& field, std::string_view lower) {
  const auto is_same = [](char b, char a) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; };
  return std::equal(lower.begin(), lower.end(), field.name.begin(), field.name.end(), is_same);
}

bool LiesIn(std::string_view part, std::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

bool IsSame(const Http1RequestHead& a, const Http1RequestHead& b) {
  const auto same_field = [](const Http1Field& x, const Http1Field& y) { return x.name == y.name && x.value == y.value; };
  return a.method == b.method && a.target == b.target && a.is_http10 == b.is_http10 && a.has_length == b.has_length &&
         a.content_length == b.content_length && a.is_chunked == b.is_chunked && a.keeps_alive == b.keeps_alive &&
         a.expects_continue == b.expects_continue && a.is_plain == b.is_plain &&
         std::equal(a.fields.begin(), a.fields.end(), b.fields.begin(), b.fields.end(), same_field);
}

bool IsSame(const Http1ResponseHead& a, const Http1ResponseHead& b) {
  return a.status == b.status && a.has_length == b.has_length && a.content_length == b.content_length && a.is_chunked == b.is_chunked &&
         a.keeps_alive == b.keeps_alive;
}

// What a head says where `bytes` is all that has come of `whole`.
template <typename Head>
const char* TryPart(std::string_view whole, Http1Parsed expected, const Head& head, size_t bytes,
                    Http1Parsed (*parse)(std::string_view, Head*)) {
  const memory::Slice part = ExactCopy(whole.substr(0, bytes));
  Head found;
  const Http1Parsed parsed = parse(TextOf(part), &found);
  if (expected == Http1Parsed::kRefused) return parsed == Http1Parsed::kWhole ? "more bytes change a whole head into a refused one" : nullptr;
  if (expected == Http1Parsed::kPart || bytes < head.bytes) return parsed == Http1Parsed::kPart ? nullptr : "part of a head is more than a part";
  if (parsed != Http1Parsed::kWhole || found.bytes != head.bytes) return "a head ends where it ends whatever follows";
  return IsSame(found, head) ? nullptr : "a head means the same whatever follows";
}

template <typename Head>
const char* TryParts(std::string_view whole, Http1Parsed parsed, const Head& head, uint8_t choice,
                     Http1Parsed (*parse)(std::string_view, Head*)) {
  const size_t cuts[] = {whole.size() * choice / 256, whole.size() - 1, head.bytes - 1, head.bytes};
  const size_t count = parsed == Http1Parsed::kWhole ? 4 : 2;
  for (size_t i = 0; i < count; ++i) {
    if (const char* broken = TryPart(whole, parsed, head, cuts[i], parse)) return broken;
  }
  return nullptr;
}

const char* CheckFields(const Http1RequestHead& head, std::string_view bytes) {
  size_t hosts = 0;
  size_t lengths = 0;
  size_t codings = 0;
  for (const Http1Field& field : head.fields) {
    if (!LiesIn(field.name, bytes) || !LiesIn(field.value, bytes)) return "a field lies in the head";
    if (!IsToken(field.name)) return "a name is a token";
    if (!IsValue(field.value)) return "a value is visible, without white space around it";
    hosts += IsNamed(field, "host");
    codings += IsNamed(field, "transfer-encoding");
    if (!IsNamed(field, "content-length")) continue;
    ++lengths;
    if (field.value != std::to_string(head.content_length)) return "the length is what the field says, without another form";
  }
  if (hosts > 1 || (hosts == 0 && !head.is_http10)) return "there is one Host";
  if (lengths > 1 || head.has_length != (lengths == 1)) return "there is one length";
  if (!head.has_length && head.content_length != 0) return "no length is 0";
  if (codings > 1 || head.is_chunked != (codings == 1)) return "there is one coding";
  if (head.is_chunked && (head.has_length || head.is_http10)) return "there is one framing";
  return head.content_length < kLengthLimit ? nullptr : "a length is a number of JavaScript";
}

const char* CheckRequest(const Http1RequestHead& head, std::string_view input) {
  if (head.bytes == 0 || head.bytes > input.size() || head.bytes > transport::kMaxHttp1HeadBytes) return "a head has a size";
  const std::string_view bytes = input.substr(0, head.bytes);
  if (bytes.substr(bytes.size() - 4) != "\r\n\r\n") return "a head ends with an empty line";
  if (bytes.find("\r\n\r\n") != bytes.size() - 4) return "a head ends with the first empty line";
  if (!LiesIn(head.method, bytes) || !LiesIn(head.target, bytes)) return "method and target lie in the head";
  if (!IsToken(head.method) || head.target.empty() || head.target.front() != '/') return "the first line is a method and a path";
  if (head.target.find_first_of(" #\\\"<>^`{|}") != std::string_view::npos || !IsValue(head.target)) return "a target is that of a URI";
  return CheckFields(head, bytes);
}

// Written again in the one form that leaves no doubt, it must mean the same.
const char* TryWrittenAgain(const Http1RequestHead& head) {
  std::string text = std::string(head.method) + " " + std::string(head.target) + (head.is_http10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  for (const Http1Field& field : head.fields) text += std::string(field.name) + ":" + std::string(field.value) + "\r\n";
  text += "\r\n";
  Http1RequestHead again;
  if (ParseHttp1Request(text, &again) != Http1Parsed::kWhole || again.bytes != text.size()) return "what was read can be written and read";
  return IsSame(head, again) ? nullptr : "what was read, written and read means the same";
}

const char* TryHead(std::string_view bytes, uint8_t choice) {
  Http1RequestHead request;
  const Http1Parsed parsed = ParseHttp1Request(bytes, &request);
  if (parsed == Http1Parsed::kWhole) {
    if (const char* broken = CheckRequest(request, bytes)) return broken;
    if (const char* broken = TryWrittenAgain(request)) return broken;
  }
  if (const char* broken = TryParts(bytes, parsed, request, choice, transport::ParseHttp1Request)) return broken;
  Http1ResponseHead response;
  const Http1Parsed answered = ParseHttp1Response(bytes, &response);
  if (answered == Http1Parsed::kWhole) {
    if (parsed != Http1Parsed::kRefused) return "nothing is both a request and a response";
    if (response.bytes > bytes.size() || response.bytes > transport::kMaxHttp1HeadBytes) return "an answer's head has a size";
    if (response.status < 100 || response.status > 999) return "a status has three digits";
    if (response.is_chunked && response.has_length) return "an answer has one framing";
  }
  return TryParts(bytes, answered, response, choice, transport::ParseHttp1Response);
}

// Few, because they take long, end a head that is nearly too long: beside the choice, the second byte must fit the sum of the rest, so that
// most of what a fuzzer makes of a long one is short.
bool IsLong(std::string_view input) {
  constexpr uint8_t kLong = 0xFF;
  constexpr uint32_t kOneIn = 8;
  if (static_cast<uint8_t>(input[0]) != kLong) return false;
  uint32_t sum = 0;
  for (const char c : input.substr(2)) sum += static_cast<uint8_t>(c);
  return static_cast<uint8_t>(input[1]) % kOneIn == sum % kOneIn;
}

}  // namespace

const char* TryHttp1Head(std::string_view input) {
  if (input.size() < 2) return nullptr;
  const auto choice = static_cast<uint8_t>(input[0]);
  if (!IsLong(input)) return TryHead(input.substr(1), choice);
  const size_t filler = transport::kMaxHttp1HeadBytes - static_cast<uint8_t>(input[1]);
  std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  bytes.append(filler - bytes.size(), 'x').append(input.substr(2));
  return TryHead(bytes, choice);
}

}  // namespace penstock::fuzz
