// What every decoded inference request keeps to, whichever codec has read it.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "codec/limits.h"
#include "memory/slice.h"
#include "serving/infer_request.h"

namespace penstock::fuzz {

// Small ones for odd choices, so that inputs of a few hundred bytes pass them.
codec::CodecLimits ChooseLimits(uint8_t choice);

// `message` in one to nine pieces, each of its own memory; the places follow from `choice`.
memory::SliceChain InPieces(std::string_view message, uint8_t choice);

// Bounds the block pool of the process while a message is decoded: to what its elements may grow to (a byte of a varint is eight of
// INT64) and its text, joined. A decoder that takes memory for what is only promised runs into it.
class PoolBound {
 public:
  explicit PoolBound(size_t message_bytes);
  ~PoolBound();
  PoolBound(const PoolBound&) = delete;
  PoolBound& operator=(const PoolBound&) = delete;

 private:
  const uint64_t before_;
};

// Null, or what is wrong with it: names, dtypes, shapes, limits, and data that lies neither in `message` nor in memory of its own.
const char* CheckRequest(const Result<serving::InferRequest>& decoded, const memory::SliceChain& message, const codec::CodecLimits& limits);

// Null, or what differs between what the same bytes gave in one piece and in several.
const char* CheckSame(const Result<serving::InferRequest>& whole, const Result<serving::InferRequest>& pieces);

}  // namespace penstock::fuzz
