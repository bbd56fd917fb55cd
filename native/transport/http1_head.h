// Heads of HTTP/1.1 messages, read strictly: what two parsers might take for different things is not taken for anything here.
//
// RFC 9112. Nothing is answered from here: what is refused goes to node:http as it came, so that its answer is the only one there is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace penstock::transport {

// Views of the bytes that were read.
struct Http1Field {
  std::string_view name;
  std::string_view value;  // without the white space around it
};

struct Http1RequestHead {
  std::string_view method;
  std::string_view target;
  bool is_http10 = false;
  std::vector<Http1Field> fields;
  size_t bytes = 0;              // of the whole head with its empty line
  bool has_length = false;
  uint64_t content_length = 0;   // 0 without one
  bool is_chunked = false;       // Transfer-Encoding: chunked, and nothing else
  bool keeps_alive = true;       // what `Connection` and the version say
  bool expects_continue = false;
  bool is_plain = true;          // no Upgrade, no other expectation, no trailer announced, no second Host: nothing that asks for more than an answer
};

enum class Http1Parsed { kWhole, kPart, kRefused };

// `bytes` begin with a request. kPart: its head is not whole yet; the caller bounds how much it waits for. kRefused: anything but the strict
// grammar (CRLF, one Host, token names, no white space before the colon, no folding, visible ASCII or obs-text in values, digits only in one
// Content-Length, not both framings, HTTP/1.0 or 1.1). `head` is set with kWhole; its vector keeps its memory for the next.
Http1Parsed ParseHttp1Request(std::string_view bytes, Http1RequestHead* head);

// Compares without regard to ASCII case; `lower` is in lower case.
bool EqualsIgnoringCase(std::string_view text, std::string_view lower);

// Where the answer of a server of our own ends: it is trusted, and still not believed blindly.
struct Http1ResponseHead {
  int status = 0;
  size_t bytes = 0;
  bool has_length = false;
  uint64_t content_length = 0;
  bool is_chunked = false;
  bool keeps_alive = true;
};
Http1Parsed ParseHttp1Response(std::string_view bytes, Http1ResponseHead* head);

// Follows a chunked body to its end, trailers included, without changing it. Strict as above; chunk extensions are refused.
class Http1ChunkScanner {
 public:
  enum class State { kMore, kEnd, kRefused };
  // `data`: called for each piece of data, in place, in order; may be null.
  struct DataSink {
    virtual ~DataSink() = default;
    virtual void OnData(const char* data, size_t size) = 0;
  };
  // Takes bytes up to the end of the body; `taken` says how many.
  State Scan(std::string_view bytes, size_t* taken, DataSink* data);

 private:
  enum class Where : uint8_t { kSize, kSizeLf, kData, kDataCr, kDataLf, kTrailer, kTrailerLf, kEndLf, kEnd, kRefused };
  Where where_ = Where::kSize;
  uint64_t left_ = 0;          // of the chunk
  uint8_t size_digits_ = 0;
  size_t trailer_bytes_ = 0;
};

}  // namespace penstock::transport
