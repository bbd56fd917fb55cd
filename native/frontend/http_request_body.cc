#include "frontend/http_request_body.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace penstock::frontend {

void HttpRequestBody::Open(uint64_t bytes, ByteBudget* budget) {
  Drop();
  budget_ = budget;
  missing_ = bytes;
  is_chunked_ = false;
}

void HttpRequestBody::OpenChunked(uint64_t most_bytes, ByteBudget* budget) {
  Open(UINT64_MAX, budget);
  is_chunked_ = true;
  most_bytes_ = most_bytes;
  pieces_ = 0;
}

Status HttpRequestBody::Add(memory::Slice piece) {
  // A body that comes in one or two pieces stays where it is: only what waits for more is copied.
  const bool gathers = !chain_.empty() && piece.size < kSmallBytes && piece.size < missing_;
  if (gathers && (block_ == nullptr || piece.size > block_->size() - used_)) {
    ListBlock();
    Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(NextBlockBytes(piece.size));
    if (!block.ok()) return block.status();
    block_ = std::move(block).value();
    used_ = 0;
    listed_ = 0;
  }
  if (!budget_->Take(piece.size)) return budget_->Full();
  charged_ += piece.size;
  missing_ -= piece.size;
  ++pieces_;
  if (gathers) {
    std::memcpy(block_->data() + used_, piece.data, piece.size);
    used_ += piece.size;
  } else {
    ListBlock();
    chain_.Append(std::move(piece));
  }
  return is_chunked_ ? CheckChunks() : Status::Ok();
}

Status HttpRequestBody::CheckChunks() const {
  if (most_bytes_ > 0 && charged_ > most_bytes_) {
    return Status(StatusCode::kRequestTooLarge, "the body is larger than the limit of " + std::to_string(most_bytes_) + " bytes");
  }
  if (pieces_ > kMostPieces) {
    return Status(StatusCode::kRequestTooLarge, "the body comes in more than " + std::to_string(kMostPieces) + " chunks");
  }
  return Status::Ok();
}

memory::SliceChain HttpRequestBody::Take() {
  ListBlock();
  block_ = nullptr;
  used_ = 0;
  listed_ = 0;
  return std::exchange(chain_, memory::SliceChain());
}

void HttpRequestBody::Drop() {
  if (charged_ > 0) budget_->GiveBack(charged_);
  charged_ = 0;
  missing_ = 0;
  chain_ = memory::SliceChain();
  block_ = nullptr;
  used_ = 0;
  listed_ = 0;
}

// As much as has come already: most of what it takes is used, whoever stops sending.
uint64_t HttpRequestBody::NextBlockBytes(size_t piece) const {
  const uint64_t wanted = std::max<uint64_t>(charged_, kSmallestBlockBytes);
  return std::max<uint64_t>(piece, std::min<uint64_t>({wanted, missing_, transport::ReceiveBuffer::kBlockBytes}));
}

void HttpRequestBody::ListBlock() {
  if (block_ == nullptr || used_ == listed_) return;
  chain_.Append(memory::WholeSlice(block_).Sub(listed_, used_ - listed_));
  listed_ = used_;
}

}  // namespace penstock::frontend
