// Heads of HTTP/1.1 messages, read strictly: what two parsers might take for different things is not taken for anything here.
//
// RFC 9112. Nothing is answered from here: what is refused goes to node:http as it came, so that its answer is the only one there is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace penstock::transport {

// Of a head with its empty line. node:http counts names, values and target only: what it refuses as too long is always beyond this.
constexpr size_t kMaxHttp1HeadBytes = 16 * 1024;

// Views of the bytes that were read.
struct Http1Field {
  std::string_view name;
  std::string_view value;  // without the spaces around it
};

struct Http1RequestHead {
  std::string_view method;
  std::string_view target;
  bool is_http10 = false;
  std::vector<Http1Field> fields;
  size_t bytes = 0;  // of the whole head with its empty line
  bool has_length = false;
  uint64_t content_length = 0;  // 0 without one
  bool is_chunked = false;      // Transfer-Encoding: chunked, and nothing else
  bool keeps_alive = true;      // what `Connection` and the version say, if is_plain
  bool expects_continue = false;
  bool is_plain = true;  // no Upgrade, trailer, other expectation or option of the connection: nothing that asks for more than an answer

  // Its fields are not needed any more. Keeps the memory for kFieldsKept of them: the largest head would keep 128 KiB.
  static constexpr size_t kFieldsKept = 64;
  void DropFields();
};

enum class Http1Parsed { kWhole, kPart, kRefused };

// `bytes` begin with a request. kPart: its head is not whole yet, and nothing in it is wrong. kRefused: anything but the strict grammar
// (CRLF, a common method, a target of the form /path?query in the characters of RFC 3986, HTTP/1.0 or 1.1, one Host, token names, no white
// space before the colon, no tab around a value, no folding, visible ASCII or obs-text in values, digits without leading zeros and below
// 2^53 in one Content-Length, not both framings), and a head of more than kMaxHttp1HeadBytes. `head` is set with kWhole and otherwise
// undefined; its vector keeps its memory for the next, until DropFields.
Http1Parsed ParseHttp1Request(std::string_view bytes, Http1RequestHead* head);

// Compares without regard to ASCII case; `lower` is in lower case.
bool EqualsIgnoringCase(std::string_view text, std::string_view lower);

// Where the answer of a server of our own ends: it is trusted, and still not believed blindly. Statuses that have no body (1xx, which
// another answer follows, 204 and 304) have a length of 0 here whatever they say. Neither length nor chunks: until the connection ends.
struct Http1ResponseHead {
  int status = 0;
  size_t bytes = 0;
  bool has_length = false;
  uint64_t content_length = 0;
  bool is_chunked = false;
  bool keeps_alive = true;
};
Http1Parsed ParseHttp1Response(std::string_view bytes, Http1ResponseHead* head);

// Follows a chunked body to its end, trailers included, without changing it. Strict as above; of chunk extensions it knows those of plain
// tokens, `;name` and `;name=value`.
class Http1ChunkScanner {
 public:
  // Of the extensions of one chunk. node:http takes more.
  static constexpr size_t kMaxExtensionBytes = 1024;

  enum class State { kMore, kEnd, kRefused };
  // Takes bytes up to the end of the body; `taken` says how many. Trailers may have kMaxHttp1HeadBytes in all.
  State Scan(std::string_view bytes, size_t* taken);
  // The same, but no further than where data begins or ends: what it takes is data, or there is none in it.
  State ScanRun(std::string_view bytes, size_t* taken);
  // What comes next is data, and of this chunk so much; 0 where something else comes.
  uint64_t data_left() const { return where_ == Where::kData ? left_ : 0; }

 private:
  enum class Where : uint8_t {
    kSize,
    kExtensionBegin,
    kExtensionName,
    kExtensionValueBegin,
    kExtensionValue,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailer,  // at the begin of a line
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kEndLf,
    kEnd,
    kRefused
  };
  Where Next(char c);
  Where NextOfSize(char c);
  Where NextOfExtension(char c);
  Where NextOfTrailer(char c);
  State StateNow() const;

  Where where_ = Where::kSize;
  uint64_t left_ = 0;  // of the chunk
  uint8_t size_digits_ = 0;
  size_t extension_bytes_ = 0;
  size_t trailer_bytes_ = 0;
};

}  // namespace penstock::transport
