// Messages of ModelInfer: the same in one piece and in several, within their limits, without memory for what is only promised.
#include <cstdint>
#include <string_view>

#include "codec/grpc_message.h"
#include "fuzz/decoded_request.h"
#include "fuzz/exact_copy.h"
#include "fuzz/targets.h"
#include "memory/block.h"

namespace penstock::fuzz {
namespace {

const char* TryMessage(std::string_view bytes, uint8_t choice, const codec::CodecLimits& limits) {
  const PoolBound bound(bytes.size());
  const memory::SliceChain message(ExactCopy(bytes));
  const memory::SliceChain chain = InPieces(bytes, choice);
  const auto whole = codec::DecodeModelInferRequest(message, limits);
  if (const char* broken = CheckRequest(whole, message, limits)) return broken;
  const PoolBound bound_of_pieces(bytes.size());
  const auto pieces = codec::DecodeModelInferRequest(chain, limits);
  if (const char* broken = CheckRequest(pieces, chain, limits)) return broken;
  return CheckSame(whole, pieces);
}

}  // namespace

const char* TryGrpcRequest(std::string_view input) {
  if (input.size() < 2) return nullptr;
  const uint64_t before = memory::BlockPool::Process().live_bytes();
  const auto limits = ChooseLimits(static_cast<uint8_t>(input[1]));
  if (const char* broken = TryMessage(input.substr(2), static_cast<uint8_t>(input[0]), limits)) return broken;
  return memory::BlockPool::Process().live_bytes() == before ? nullptr : "all memory is given back";
}

}  // namespace penstock::fuzz
