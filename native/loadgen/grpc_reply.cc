#include "loadgen/grpc_reply.h"

#include <charconv>

#include "transport/nghttp2_api.h"

namespace penstock::loadgen {
namespace {

// Of gRPC's codes those that are told apart here.
constexpr int kOk = 0;
constexpr int kUnknown = 2;
constexpr int kResourceExhausted = 8;
constexpr int kInternal = 13;
constexpr int kUnavailable = 14;

int ParseStatus(std::string_view text, int otherwise) {
  int status = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), status);
  return error == std::errc() && rest == text.data() + text.size() && status >= 0 ? status : otherwise;
}

// What clients make of an answer without a status of gRPC (grpc/doc/http-grpc-status-mapping.md), as far as it matters.
int StatusOfHttp(int status) { return status == 429 || (status >= 502 && status <= 504) ? kUnavailable : kUnknown; }

// And of a stream that was reset (grpc/doc/PROTOCOL-HTTP2.md, "Errors").
int StatusOfReset(uint32_t error) {
  if (error == transport::kHttp2RefusedStream) return kUnavailable;
  return error == transport::kHttp2EnhanceYourCalm ? kResourceExhausted : kInternal;
}

}  // namespace

void GrpcReply::Reset() {
  message_.Reset();
  prefix_bytes_ = 0;
  length_ = 0;
  is_compressed_ = has_ended_ = false;
  http_status_ = 0;
  grpc_status_ = -1;
}

void GrpcReply::TakeField(std::string_view name, std::string_view value) {
  if (name == ":status") http_status_ = ParseStatus(value, 0);
  if (name == "grpc-status") grpc_status_ = ParseStatus(value, kUnknown);
}

void GrpcReply::TakeBody(std::string_view bytes) {
  for (; prefix_bytes_ < kGrpcPrefixBytes && !bytes.empty(); bytes.remove_prefix(1)) {
    const auto byte = static_cast<uint8_t>(bytes.front());
    if (prefix_bytes_++ == 0) {
      is_compressed_ = byte != 0;
    } else {
      length_ = length_ << 8 | byte;
    }
  }
  message_.Take(bytes);
}

Outcome GrpcReply::outcome(uint32_t stream_error) const {
  const int status = has_ended_ ? Status() : StatusOfReset(stream_error);
  if (status == kOk) return message_is_expected() ? Outcome::kAnswered : Outcome::kWrong;
  return status == kUnavailable || status == kResourceExhausted ? Outcome::kShed : Outcome::kFailed;
}

int GrpcReply::Status() const { return grpc_status_ >= 0 ? grpc_status_ : StatusOfHttp(http_status_); }

// Of a unary call there is one message; nobody has allowed the server to compress it.
bool GrpcReply::message_is_expected() const {
  return prefix_bytes_ == kGrpcPrefixBytes && !is_compressed_ && message_.taken() == length_ && message_.is_expected();
}

}  // namespace penstock::loadgen
