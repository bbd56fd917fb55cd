// The answer to one unary gRPC call, as its header fields and bytes come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "loadgen/expected_body.h"
#include "loadgen/totals.h"

namespace penstock::loadgen {

// Before each message: a byte that says whether it is compressed, and its length, big-endian.
inline constexpr size_t kGrpcPrefixBytes = 5;

class GrpcReply {
 public:
  // `expected`: the message, without its prefix. Outlives it.
  explicit GrpcReply(const ExpectedBody* expected) : message_(expected) {}

  // For the next call.
  void Reset();
  // Of the headers or the trailers.
  void TakeField(std::string_view name, std::string_view value);
  void TakeBody(std::string_view bytes);
  // The server has said all.
  void End() { has_ended_ = true; }

  // Once the stream is closed, with this HTTP/2 error.
  Outcome outcome(uint32_t stream_error) const;

 private:
  int Status() const;
  bool message_is_expected() const;

  BodyCheck message_;
  size_t prefix_bytes_ = 0;  // that have come
  uint64_t length_ = 0;      // of the message
  bool is_compressed_ = false;
  bool has_ended_ = false;
  int http_status_ = 0;
  int grpc_status_ = -1;     // none has come
};

}  // namespace penstock::loadgen
