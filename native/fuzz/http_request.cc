// Bodies of POST infer: JSON, JSON with binary tensors behind it, and raw ones; the same in one piece and in several.
#include <cstdint>
#include <string_view>

#include "codec/http_request.h"
#include "fuzz/decoded_request.h"
#include "fuzz/exact_copy.h"
#include "fuzz/targets.h"
#include "memory/block.h"

namespace penstock::fuzz {
namespace {

// What Inference-Header-Content-Length says: mostly nothing, else that the last few bytes are tensors, or something about the body.
int64_t ChooseJsonBytes(uint8_t choice, size_t bytes) {
  if (choice % 4 == 0) return -1;
  const auto size = static_cast<int64_t>(bytes);
  return choice % 4 == 1 ? size - choice / 4 : choice / 4 * (size + 2) / 64;
}

const char* TryBody(std::string_view bytes, uint8_t choice, int64_t json_bytes, const codec::CodecLimits& limits) {
  const PoolBound bound(bytes.size());
  const memory::SliceChain body(ExactCopy(bytes));
  const memory::SliceChain chain = InPieces(bytes, choice);
  const auto whole = codec::DecodeHttpInfer(body, json_bytes, limits);
  if (const char* broken = CheckRequest(whole, body, limits)) return broken;
  const PoolBound bound_of_pieces(bytes.size());
  const auto pieces = codec::DecodeHttpInfer(chain, json_bytes, limits);
  if (const char* broken = CheckRequest(pieces, chain, limits)) return broken;
  return CheckSame(whole, pieces);
}

}  // namespace

const char* TryHttpRequest(std::string_view input) {
  if (input.size() < 3) return nullptr;
  const uint64_t before = memory::BlockPool::Process().live_bytes();
  const std::string_view bytes = input.substr(3);
  const auto limits = ChooseLimits(static_cast<uint8_t>(input[1]));
  const int64_t json_bytes = ChooseJsonBytes(static_cast<uint8_t>(input[2]), bytes.size());
  if (const char* broken = TryBody(bytes, static_cast<uint8_t>(input[0]), json_bytes, limits)) return broken;
  return memory::BlockPool::Process().live_bytes() == before ? nullptr : "all memory is given back";
}

}  // namespace penstock::fuzz
