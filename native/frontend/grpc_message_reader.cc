#include "frontend/grpc_message_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace penstock::frontend {
namespace {

constexpr size_t kGatheredBytes = 2 * GrpcMessageReader::kLeastPieceBytes;

}  // namespace

GrpcMessageReader::Read GrpcMessageReader::Take(const memory::Slice& bytes) {
  size_t at = 0;
  while (at < bytes.size) {
    if (prefix_bytes_ < sizeof prefix_) {
      const size_t part = std::min(sizeof prefix_ - prefix_bytes_, bytes.size - at);
      std::memcpy(prefix_ + prefix_bytes_, bytes.data + at, part);
      prefix_bytes_ += part;
      at += part;
      if (prefix_bytes_ < sizeof prefix_) return Read::kOk;
      const Read begun = BeginMessage();
      if (begun != Read::kOk) return begun;
    } else {
      const size_t part = std::min<size_t>(left_, bytes.size - at);
      const Read kept = Keep(bytes.Sub(at, part));
      if (kept != Read::kOk) return kept;
      left_ -= static_cast<uint32_t>(part);
      at += part;
    }
    if (left_ > 0) continue;
    if (has_message_) return Read::kSecond;
    EndGathered();
    gathered_.reset();
    has_message_ = true;
    prefix_bytes_ = 0;
  }
  return Read::kOk;
}

GrpcMessageReader::Read GrpcMessageReader::BeginMessage() {
  size_ = uint32_t{prefix_[1]} << 24 | uint32_t{prefix_[2]} << 16 | uint32_t{prefix_[3]} << 8 | prefix_[4];
  if (size_ > most_bytes_) return Read::kTooLarge;
  left_ = size_;
  if (has_message_) return Read::kOk;  // a second one is waited for, and not kept
  is_compressed_ = prefix_[0] == 1;  // others mean nothing to grpc-js
  awaited_ = size_;
  shared_->awaited_bytes += awaited_;
  return Read::kOk;
}

GrpcMessageReader::Read GrpcMessageReader::Keep(const memory::Slice& piece) {
  if (has_message_) return Read::kOk;
  if (!shared_->loop->budget().Take(piece.size)) return Read::kNoBudget;
  budget_bytes_ += piece.size;
  awaited_ -= piece.size;
  shared_->awaited_bytes -= piece.size;
  if (piece.size < kLeastPieceBytes && piece.size < size_) return Gather(piece) ? Read::kOk : Read::kNoMemory;
  EndGathered();
  message_.Append(piece);
  return Read::kOk;
}

bool GrpcMessageReader::Gather(const memory::Slice& piece) {
  if (gathered_ == nullptr || gathered_->size() - gathered_end_ < piece.size) {
    EndGathered();
    auto block = memory::BlockPool::Process().Allocate(std::max(piece.size, std::min<size_t>(kGatheredBytes, left_)));
    if (!block.ok()) return false;
    gathered_ = std::move(block).value();
    gathered_begin_ = gathered_end_ = 0;
  }
  std::memcpy(gathered_->data() + gathered_end_, piece.data, piece.size);
  gathered_end_ += piece.size;
  return true;
}

void GrpcMessageReader::EndGathered() {
  if (gathered_ == nullptr) return;
  message_.Append(memory::WholeSlice(gathered_).Sub(gathered_begin_, gathered_end_ - gathered_begin_));
  gathered_begin_ = gathered_end_;
}

memory::SliceChain GrpcMessageReader::TakeMessage() {
  memory::SliceChain message = std::exchange(message_, {});
  Drop();
  return message;
}

void GrpcMessageReader::Drop() {
  message_ = {};
  gathered_.reset();
  shared_->loop->budget().GiveBack(std::exchange(budget_bytes_, 0));
  shared_->awaited_bytes -= std::exchange(awaited_, 0);
}

}  // namespace penstock::frontend
