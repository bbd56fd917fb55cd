// Reads HTTP/1.1 answers as they come, strictly, and compares bodies with what is expected without keeping them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "loadgen/expected_body.h"

namespace penstock::loadgen {

class ReplyReader {
 public:
  enum class State : uint8_t {
    kMore,
    kDone,
    kBroken,  // what came is no answer, or goes on after its end
  };

  // `expected` outlives it.
  explicit ReplyReader(const ExpectedBody* expected) : body_(expected) {}

  // For the next answer of the same connection.
  void Reset();
  State Read(std::string_view bytes);
  // The connection has ended.
  State End();

  // These three hold once an answer is done.
  int status() const { return status_; }
  bool keeps_open() const { return keeps_open_; }
  bool body_is_expected() const { return body_.is_expected(); }

  static constexpr size_t kMaxHeadBytes = 64 * 1024;

 private:
  enum class Part : uint8_t { kHead, kSized, kUntilEnd, kChunkSize, kChunk, kChunkEnd, kTrailer, kDone, kBroken };

  void ReadHead(std::string_view* bytes);
  bool ParseHead(std::string_view head);
  bool ParseField(std::string_view line);
  void ReadChunkLine(std::string_view* bytes);
  void TakeBody(std::string_view* bytes);

  BodyCheck body_;
  Part part_ = Part::kHead;
  std::string line_;         // of a head or a chunk's line, as far as it has come
  int status_ = 0;
  bool keeps_open_ = true;
  bool has_length_ = false;
  bool is_chunked_ = false;
  uint64_t rest_ = 0;        // bytes to come, of the body or chunk
};

}  // namespace penstock::loadgen
