// The body of one HTTP request while it arrives, uncopied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/status.h"
#include "frontend/loop.h"
#include "memory/block.h"
#include "memory/slice.h"
#include "transport/receive_buffer.h"

namespace penstock::frontend {

// [loop thread] Holds a few times the memory of the bytes it was given, however small the pieces are that they come in, and two blocks of
// the ReceiveBuffer at most, those of the first piece and the last. What it was given counts against the budget of the loop.
class HttpRequestBody {
 public:
  // Non-empty pieces of a body whose length nobody has said, as src/frontend/http/request-body.ts has it.
  static constexpr uint32_t kMostPieces = 65'536;
  // A smaller piece behind the first is copied when more must follow it: each would keep the block that it was received into.
  static constexpr size_t kSmallBytes = transport::ReceiveBuffer::kSmallBytes;

  HttpRequestBody() = default;
  ~HttpRequestBody() { Drop(); }
  HttpRequestBody(const HttpRequestBody&) = delete;
  HttpRequestBody& operator=(const HttpRequestBody&) = delete;

  // `bytes`: what will come in all. The budget outlives it.
  void Open(uint64_t bytes, ByteBudget* budget);
  // It comes in chunks, of `most_bytes` in all at most; 0 = no limit.
  void OpenChunked(uint64_t most_bytes, ByteBudget* budget);
  // Until the body is whole; of one in chunks, whatever may still come.
  uint64_t missing() const { return missing_; }

  // At most `missing` bytes, or those of a chunk. Errors, after which nothing may be added: kInFlightFull, kMemory, kRequestTooLarge.
  Status Add(memory::Slice piece);

  // What has come, in order; it counts until Drop.
  memory::SliceChain Take();
  // Gives all back, to the budget as well. May be repeated.
  void Drop();

 private:
  static constexpr uint64_t kSmallestBlockBytes = 1024;

  Status CheckChunks() const;
  uint64_t NextBlockBytes(size_t piece) const;
  void ListBlock();

  ByteBudget* budget_ = nullptr;
  uint64_t missing_ = 0;
  uint64_t charged_ = 0;  // to the budget
  bool is_chunked_ = false;
  uint64_t most_bytes_ = 0;  // of one in chunks
  uint32_t pieces_ = 0;
  memory::SliceChain chain_;
  std::shared_ptr<memory::Block> block_;  // of small pieces
  size_t used_ = 0;                       // of it
  size_t listed_ = 0;                     // where its part begins that is not in the chain yet
};

}  // namespace penstock::frontend
