#include "frontend/http_request_body.h"

#include <cstring>
#include <string>
#include <utility>

#include "transport/receive_buffer.h"

namespace penstock::frontend {

void HttpRequestBody::Open(uint64_t bytes, ByteBudget* budget) {
  Drop();
  budget_ = budget;
  missing_ = bytes;
}

Status HttpRequestBody::Add(memory::Slice piece) {
  const bool gathers = piece.size < kSmallPieceBytes && pieces_ >= kPiecesBeforeGathering;
  if (gathers && (block_ == nullptr || piece.size > block_->size() - used_)) {
    ListBlock();
    Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(transport::ReceiveBuffer::kBlockBytes);
    if (!block.ok()) return block.status();
    block_ = std::move(block).value();
    used_ = 0;
    listed_ = 0;
  }
  if (!budget_->Take(piece.size)) {
    return Status(StatusCode::kInFlightFull, "this front-end thread is taking in its part of --max-receiving-bytes already, " +
                                                 std::to_string(budget_->limit()) + " bytes; try again later");
  }
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
  pieces_ = 0;
  chain_ = memory::SliceChain();
  block_ = nullptr;
  used_ = 0;
  listed_ = 0;
}

void HttpRequestBody::ListBlock() {
  if (block_ == nullptr || used_ == listed_) return;
  chain_.Append(memory::WholeSlice(block_).Sub(listed_, used_ - listed_));
  listed_ = used_;
}

}  // namespace penstock::frontend
