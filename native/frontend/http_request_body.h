// The body of one HTTP request while it arrives, uncopied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/status.h"
#include "frontend/loop.h"
#include "memory/block.h"
#include "memory/slice.h"

namespace penstock::frontend {

// [loop thread] Holds little more memory than the bytes it was given, however small the pieces are that they come in. What it holds counts
// against the budget of the loop.
class HttpRequestBody {
 public:
  // A piece smaller than this is copied once a body has shown to come in many of them: each would keep the block that it was received into.
  static constexpr size_t kSmallPieceBytes = 4096;
  static constexpr size_t kPiecesBeforeGathering = 64;

  HttpRequestBody() = default;
  ~HttpRequestBody() { Drop(); }
  HttpRequestBody(const HttpRequestBody&) = delete;
  HttpRequestBody& operator=(const HttpRequestBody&) = delete;

  // `bytes`: what will come in all. The budget outlives it.
  void Open(uint64_t bytes, ByteBudget* budget);
  uint64_t missing() const { return missing_; }

  // At most `missing` bytes. Errors, which take nothing: kInFlightFull, kMemory.
  Status Add(memory::Slice piece);

  // What has come, in order; it counts until Drop.
  memory::SliceChain Take();
  // Gives all back, to the budget as well. May be repeated.
  void Drop();

 private:
  void ListBlock();

  ByteBudget* budget_ = nullptr;
  uint64_t missing_ = 0;
  uint64_t charged_ = 0;  // to the budget
  memory::SliceChain chain_;
  size_t pieces_ = 0;
  std::shared_ptr<memory::Block> block_;  // of small pieces
  size_t used_ = 0;                       // of it
  size_t listed_ = 0;                     // where its part begins that is not in the chain yet
};

}  // namespace penstock::frontend
