// For tests: bodies of inference requests from text, and what came of decoding them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "codec/http_request.h"
#include "codec/limits.h"
#include "memory/slice.h"

namespace penstock::codec::testing {

// A slice over memory of exactly this size (a block has room to spare), so that a sanitizer sees every byte read past it.
inline memory::Slice SliceOf(std::string_view bytes) {
  const auto owner = std::make_shared<const std::vector<uint8_t>>(bytes.begin(), bytes.end());
  return memory::Slice{owner->data(), owner->size(), memory::MemoryKind::kPageable, owner};
}

inline memory::SliceChain ChainOf(const std::vector<std::string_view>& pieces) {
  memory::SliceChain chain;
  for (const std::string_view piece : pieces) chain.Append(SliceOf(piece));
  return chain;
}

inline Result<serving::InferRequest> Decode(std::string_view json, const CodecLimits& limits = {}) {
  return DecodeHttpInfer(ChainOf({json}), -1, limits);
}

// One input of the given members between braces, alone in a request.
inline std::string OneInput(const std::string& members) { return R"({"inputs":[{"name":"x",)" + members + "}]}"; }

inline std::string Tensor(const std::string& dtype, const std::string& shape, const std::string& data) {
  return OneInput(R"("shape":)" + shape + R"(,"datatype":")" + dtype + R"(","data":)" + data);
}

inline std::string Bytes(const memory::SliceChain& chain) {
  std::string bytes(chain.size(), '\0');
  chain.CopyTo(reinterpret_cast<uint8_t*>(bytes.data()));
  return bytes;
}

template <typename T>
std::vector<T> Elements(const memory::SliceChain& chain) {
  std::vector<T> elements(chain.size() / sizeof(T));
  if (!elements.empty()) chain.CopyTo(reinterpret_cast<uint8_t*>(elements.data()));
  return elements;
}

// "ERR_X message", or "OK".
inline std::string Outcome(const Status& status) {
  return status.ok() ? "OK" : std::string(StatusCodeName(status.code())) + " " + status.message();
}

}  // namespace penstock::codec::testing
