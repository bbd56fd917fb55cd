#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>

#include "base/random.h"
#include "transport/http1_head.h"

namespace penstock::transport {
namespace {

constexpr char kPost[] =
    "POST /v2/models/digits/infer?x=1 HTTP/1.1\r\nHost: localhost:8000\r\nContent-Length: 12\r\nInference-Header-Content-Length:7  \r\n"
    "Empty:\r\nUser-Agent:  caf\t\xC3\xA9 (x; y)\r\n\r\n";

// Bytes of their own allocation, so that AddressSanitizer sees a read past their end.
class Bytes {
 public:
  explicit Bytes(std::string_view text) : size_(text.size()), data_(std::make_unique<char[]>(text.size())) {
    std::memcpy(data_.get(), text.data(), text.size());
  }
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  const size_t size_;
  const std::unique_ptr<char[]> data_;
};

Http1Parsed Parsed(std::string_view text) {
  const Bytes bytes(text);
  Http1RequestHead head;
  return ParseHttp1Request(bytes.view(), &head);
}

// A head with these lines behind Host.
std::string Get(const std::string& lines) { return "GET /v2 HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n"; }

Http1RequestHead Whole(const std::string& text) {
  static std::string kept;
  kept = text;
  Http1RequestHead head;
  EXPECT_EQ(ParseHttp1Request(kept, &head), Http1Parsed::kWhole) << text;
  return head;
}

TEST(Http1Request, SaysWhatTheHeadSays) {
  const Http1RequestHead head = Whole(std::string(kPost) + "{\"inputs\":[]");
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/v2/models/digits/infer?x=1");
  EXPECT_FALSE(head.is_http10);
  ASSERT_EQ(head.fields.size(), 5u);
  EXPECT_EQ(head.fields[2].name, "Inference-Header-Content-Length");
  EXPECT_EQ(head.fields[2].value, "7");
  EXPECT_EQ(head.fields[3].value, "");
  EXPECT_EQ(head.fields[4].value, "caf\t\xC3\xA9 (x; y)");
  EXPECT_EQ(head.bytes, std::strlen(kPost));
  EXPECT_TRUE(head.has_length);
  EXPECT_EQ(head.content_length, 12u);
  EXPECT_FALSE(head.is_chunked);
  EXPECT_TRUE(head.keeps_alive);
  EXPECT_FALSE(head.expects_continue);
  EXPECT_TRUE(head.is_plain);
}

TEST(Http1Request, KeepsNothingOfTheRequestBefore) {
  Http1RequestHead head;
  const std::string first = "POST / HTTP/1.0\r\nConnection: close\r\nContent-Length: 5\r\nUpgrade: x\r\n\r\n";
  const std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
  ASSERT_EQ(ParseHttp1Request(first, &head), Http1Parsed::kWhole);
  ASSERT_EQ(ParseHttp1Request(chunked, &head), Http1Parsed::kWhole);
  const std::string last = Get("");
  ASSERT_EQ(ParseHttp1Request(last, &head), Http1Parsed::kWhole);
  EXPECT_EQ(head.fields.size(), 1u);
  EXPECT_FALSE(head.is_http10 || head.has_length || head.is_chunked || head.expects_continue);
  EXPECT_EQ(head.content_length, 0u);
  EXPECT_TRUE(head.keeps_alive && head.is_plain);
}

TEST(Http1Request, WaitsForTheRestOfEveryPrefix) {
  const std::string texts[] = {kPost, Get("Connection: close\r\nExpect: 100-continue\r\n"), "HEAD /metrics HTTP/1.0\r\n\r\n",
                               Get("Transfer-Encoding: chunked\r\n")};
  for (const std::string& text : texts) {
    for (size_t size = 0; size < text.size(); ++size) EXPECT_EQ(Parsed(text.substr(0, size)), Http1Parsed::kPart) << text.substr(0, size);
    EXPECT_EQ(Parsed(text), Http1Parsed::kWhole) << text;
  }
}

TEST(Http1Request, TellsWhetherTheConnectionGoesOn) {
  EXPECT_FALSE(Whole(Get("connection: Close\r\n")).keeps_alive);
  EXPECT_FALSE(Whole(Get("Proxy-Connection: close\r\n")).keeps_alive);
  EXPECT_TRUE(Whole(Get("CONNECTION: KEEP-ALIVE\r\n")).keeps_alive);
  EXPECT_FALSE(Whole("GET / HTTP/1.0\r\n\r\n").keeps_alive);
  EXPECT_TRUE(Whole("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keeps_alive);
}

TEST(Http1Request, TellsWhatAsksForMoreThanAnAnswer) {
  EXPECT_TRUE(Whole(Get("Expect: 100-Continue\r\n")).expects_continue);
  EXPECT_TRUE(Whole(Get("Expect: 100-Continue\r\n")).is_plain);
  const char* const lines[] = {"Upgrade: h2c\r\n",
                               "Trailer: x\r\n",
                               "Expect: \r\n",
                               "Expect: 200-ok\r\n",
                               "Expect: 100-continue, x\r\n",
                               "Expect: 100-continue\r\nExpect: 100-continue\r\n",
                               "Connection: upgrade\r\n",
                               "Connection: keep-alive, close\r\n",
                               "Connection: keep-alive\r\nConnection: close\r\n",
                               "Connection:\r\n",
                               "Proxy-Connection: x\r\n"};
  for (const char* const line : lines) EXPECT_FALSE(Whole(Get(line)).is_plain) << line;
  EXPECT_FALSE(Whole("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").is_plain);
}

TEST(Http1Request, ReadsALengthUpToWhatJavaScriptCountsExactly) {
  EXPECT_EQ(Whole(Get("content-LENGTH:0\r\n")).content_length, 0u);
  EXPECT_EQ(Whole(Get("Content-Length: 9007199254740991\r\n")).content_length, 9007199254740991u);
  const char* const wrong[] = {"",
                               "-1",
                               "+5",
                               "0x10",
                               "1e3",
                               "5 5",
                               "5,5",
                               "5;",
                               "00",
                               "05",
                               "1.0",
                               "\"5\"",
                               "\xD9\xA5",
                               "9007199254740992",
                               "18446744073709551616",
                               "99999999999999999999999"};
  for (const char* const value : wrong) {
    EXPECT_EQ(Parsed(Get("Content-Length: " + std::string(value) + "\r\n")), Http1Parsed::kRefused) << value;
  }
}

// The forms of request smuggling: what one reader takes for one request and another for two.
TEST(Http1Request, RefusesWhatTwoReadersMightTakeForDifferentThings) {
  const std::string lines[] = {
      "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
      "Content-Length: 5\r\nContent-Length: 5\r\n",
      "Content-Length: 5\r\ncontent-length: 6\r\n",
      "Content-Length : 5\r\n",
      "Content-Length\t: 5\r\n",
      " Content-Length: 5\r\n",
      "Content-Length: 5\n",
      "Content-Length: 5\r",
      "Content-Length: 5\rX: y\r\n",
      "Content-Length: 5\n\r\n",
      "Content-Length:\r\n 5\r\n",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: identity\r\n",
      "Transfer-Encoding: gzip, chunked\r\n",
      "Transfer-Encoding: chunked, chunked\r\n",
      "Transfer-Encoding: chunked, identity\r\n",
      "Transfer-Encoding: xchunked\r\n",
      "Transfer-Encoding: \"chunked\"\r\n",
      "Transfer-Encoding: chunked;q=1\r\n",
      "Transfer-Encoding: \vchunked\r\n",
      "Transfer-Encoding:\r\n chunked\r\n",
      "Transfer-Encoding:\r\n",
      "Transfer-Encoding : chunked\r\n",
      "Transfer-Encoding: chunked\t\r\n",
      "Transfer-Encoding:\tchunked\r\n",
      "Connection: close \t\r\n",
      "X: \t\r\n",
      "X: y\r\n folded\r\n",
      "X: y\r\n\tfolded\r\n",
      "X: y\r\rZ: 1\r\n",
      "X: y\n",
      "X: y\nContent-Length: 5\r\n",
      "X: \x01\r\n",
      "X: \x7F\r\n",
      "X: \x1B[31m\r\n",
      std::string("X: \0\r\n", 6),
      std::string("X\0: y\r\n", 7),
      "X y: z\r\n",
      "X(y): z\r\n",
      "X\xC3\xA9: z\r\n",
      ": z\r\n",
      "no colon\r\n",
      "nocolon\r\n",
      "Host: a\r\n",
      "host: b\r\n",
  };
  for (const std::string& line : lines) EXPECT_EQ(Parsed(Get(line)), Http1Parsed::kRefused) << line;
  EXPECT_EQ(Parsed("GET / HTTP/1.1\r\nHost: a\r\n\rX"), Http1Parsed::kRefused);
  EXPECT_EQ(Parsed("GET / HTTP/1.1\r\nHost: a\r\n\n"), Http1Parsed::kRefused);
  EXPECT_EQ(Parsed("GET / HTTP/1.1\r\n\r\n"), Http1Parsed::kRefused);
  EXPECT_EQ(Parsed("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Http1Parsed::kRefused);
}

TEST(Http1Request, RefusesAnUncommonRequestLine) {
  const std::string lines[] = {"\r\nGET / HTTP/1.1",
                               " GET / HTTP/1.1",
                               "GET  / HTTP/1.1",
                               "GET /  HTTP/1.1",
                               "GET\t/ HTTP/1.1",
                               "GET / HTTP/1.1 ",
                               "get / HTTP/1.1",
                               "GETS / HTTP/1.1",
                               "BREW / HTTP/1.1",
                               "PRI * HTTP/2.0",
                               "CONNECT a:80 HTTP/1.1",
                               "OPTIONS * HTTP/1.1",
                               "GET HTTP/1.1",
                               "GET  HTTP/1.1",
                               "GET /",
                               "GET http://a/ HTTP/1.1",
                               "GET //[::1 HTTP/1.2",
                               "GET a HTTP/1.1",
                               "GET ?a HTTP/1.1",
                               "GET /#a HTTP/1.1",
                               "GET /\"a\" HTTP/1.1",
                               "GET /\\a HTTP/1.1",
                               "GET /a\xC3\xA9 HTTP/1.1",
                               "GET /a\x7F HTTP/1.1",
                               std::string("GET /\0 HTTP/1.1", 15),
                               "GET / HTTP/0.9",
                               "GET / HTTP/2.0",
                               "GET / HTTP/1.2",
                               "GET / HTTP/1.10",
                               "GET / HTTP/01.1",
                               "GET / http/1.1",
                               "GET / HTTP/1.1\n",
                               "GET / ICE/1.1",
                               "\x16\x03\x01"};
  for (const std::string& line : lines) EXPECT_EQ(Parsed(line + "\r\nHost: a\r\n\r\n"), Http1Parsed::kRefused) << line;
}

TEST(Http1Request, RefusesAsSoonAsSomethingIsWrong) {
  for (const char* const begin :
       {"X", "GEX", "POSTS", "GET h", "GET /\x80", "GET / X", "GET / HTTP/2", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\n "}) {
    EXPECT_EQ(Parsed(begin), Http1Parsed::kRefused) << begin;
  }
}

TEST(Http1Request, BoundsTheHead) {
  const auto filled = [](size_t bytes) { return Get("X: " + std::string(bytes - Get("X: \r\n").size(), 'x') + "\r\n"); };
  EXPECT_EQ(Parsed(filled(kMaxHttp1HeadBytes)), Http1Parsed::kWhole);
  EXPECT_EQ(Parsed(filled(kMaxHttp1HeadBytes).substr(0, kMaxHttp1HeadBytes - 1)), Http1Parsed::kPart);
  EXPECT_EQ(Parsed(filled(kMaxHttp1HeadBytes + 1)), Http1Parsed::kRefused);
  EXPECT_EQ(Parsed(filled(kMaxHttp1HeadBytes + 1).substr(0, kMaxHttp1HeadBytes)), Http1Parsed::kRefused);
  EXPECT_EQ(Parsed("POST /" + std::string(1 << 20, 'a')), Http1Parsed::kRefused);
}

// The head that a whole one says, without the spaces around values.
std::string Written(const Http1RequestHead& head) {
  std::string text = std::string(head.method) + " " + std::string(head.target) + (head.is_http10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  for (const Http1Field& field : head.fields) text += std::string(field.name) + ":" + std::string(field.value) + "\r\n";
  return text + "\r\n";
}

std::string WithoutSpacesAroundValues(std::string_view head) {
  std::string text;
  for (size_t line = 0; !head.empty(); ++line) {
    const size_t end = head.find("\r\n");
    std::string_view rest = head.substr(0, end);
    head.remove_prefix(end + 2);
    const size_t colon = line == 0 ? std::string_view::npos : rest.find(':');
    if (colon != std::string_view::npos) {
      text += rest.substr(0, colon + 1);
      rest.remove_prefix(colon + 1);
      const size_t first = rest.find_first_not_of(' ');
      rest = first == std::string_view::npos ? std::string_view() : rest.substr(first, rest.find_last_not_of(' ') + 1 - first);
    }
    text += rest;
    text += "\r\n";
  }
  return text;
}

TEST(Http1Request, TakesOfChangedRequestsOnlyWhatItCanWriteAgain) {
  Random random(7);
  const auto below = [&random](size_t limit) { return static_cast<size_t>(random.Between(0, static_cast<int64_t>(limit) - 1)); };
  const std::string seeds[] = {kPost, Get("Transfer-Encoding: chunked\r\nConnection: close\r\n"),
                               Get("Expect: 100-continue\r\nUpgrade: x\r\n")};
  const std::string_view pieces[] = {
      "\r\n", "\n", "\r", " ", "\t", ":", "0", "Content-Length: 1\r\n", "\r\n\r\n", std::string_view("\0", 1), "\x80"};
  size_t whole = 0;
  for (int round = 0; round < 60'000; ++round) {
    std::string text = seeds[below(std::size(seeds))];
    for (size_t changes = 1 + below(3); changes > 0; --changes) {
      const size_t at = below(text.size());
      switch (below(4)) {
        case 0:
          text[at] = static_cast<char>(below(256));
          break;
        case 1:
          text.erase(at, 1 + below(4));
          break;
        case 2:
          text.insert(at, pieces[below(std::size(pieces))]);
          break;
        default:
          text.insert(at, text.substr(below(text.size()), below(20)));
      }
      if (text.empty()) text = " ";
    }
    const Bytes bytes(text);
    Http1RequestHead head;
    if (ParseHttp1Request(bytes.view(), &head) != Http1Parsed::kWhole) continue;
    ++whole;
    ASSERT_EQ(Written(head), WithoutSpacesAroundValues(bytes.view().substr(0, head.bytes))) << text;
    ASSERT_EQ(Parsed(Written(head)), Http1Parsed::kWhole) << text;
  }
  EXPECT_GT(whole, 10'000u);
  EXPECT_LT(whole, 50'000u);
}

TEST(Http1Request, KeepsLittleOfALargeHeadOnceItsFieldsAreDropped) {
  std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 4000; ++i) bytes += "a:\r\n";
  bytes += "\r\n";
  Http1RequestHead head;
  ASSERT_EQ(ParseHttp1Request(bytes, &head), Http1Parsed::kWhole);
  EXPECT_GT(head.fields.capacity(), 3000u);
  head.DropFields();
  EXPECT_LE(head.fields.capacity(), Http1RequestHead::kFieldsKept);
  ASSERT_EQ(ParseHttp1Request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &head), Http1Parsed::kWhole);
  const size_t kept = head.fields.capacity();
  head.DropFields();
  EXPECT_EQ(head.fields.capacity(), kept);
  EXPECT_EQ(head.method, "GET");
}

}  // namespace
}  // namespace penstock::transport
