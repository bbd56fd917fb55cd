#include "frontend/request_decompression.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "transport/receive_buffer.h"

namespace penstock::frontend {
namespace {

// While it waits for its next turn.
constexpr uint64_t kWorkBytes = ZlibStreams::kInflateBytes + RequestDecompression::kBlockBytes;

}  // namespace

RequestDecompression::RequestDecompression(Loop* loop, AnswerEncoding encoding, uint64_t most_bytes, const memory::SliceChain& compressed,
                                           std::function<void()> on_turn)
    : loop_(loop), encoding_(encoding), most_bytes_(most_bytes), on_turn_(std::move(on_turn)), parts_(compressed.slices()) {}

RequestDecompression::Ran RequestDecompression::Run() {
  if (stream_ == nullptr) stream_ = loop_->inflate_streams().Take(encoding_);
  if (stream_ == nullptr) return Ran::kNoMemory;
  size_t left = kTurnBytes;
  const uint64_t most_made = bytes_ + kTurnBytes;
  while (!is_over_ && (is_full_ || part_ < parts_.size())) {
    if (left == 0 || bytes_ >= most_made) {
      if (!is_work_charged_ && !Charge(kWorkBytes)) return Ran::kNoBudget;
      is_work_charged_ = true;
      return Ran::kMore;
    }
    const size_t size = part_ < parts_.size() ? std::min(left, parts_[part_].size - part_taken_) : 0;
    const Ran ran = Inflate(size, transport::kZlibNoFlush);
    if (ran != Ran::kMore) return ran;
    left -= size - stream_->avail_in;
  }
  if (!is_over_) {
    const Ran ran = Inflate(0, transport::kZlibFinish);
    if (ran != Ran::kMore) return ran;
  }
  EndBody();
  EndWork();
  return Ran::kWhole;
}

// Each call of zlib and what follows from it is one of ZlibBase in Node (lib/zlib.js, src/node_zlib.cc): so is what is said to what it
// refuses.
RequestDecompression::Ran RequestDecompression::Inflate(size_t most, int flush) {
  if (block_ == nullptr) {
    Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(kBlockBytes);
    if (!block.ok()) return Ran::kNoMemory;
    block_ = std::move(block).value();
    used_ = 0;
  }
  stream_->next_in = most > 0 ? parts_[part_].data + part_taken_ : nullptr;
  stream_->avail_in = static_cast<unsigned>(most);  // <= kTurnBytes
  stream_->next_out = block_->data() + used_;
  stream_->avail_out = static_cast<unsigned>(block_->size() - used_);
  const size_t room = stream_->avail_out;
  const int result = InflateMembers(flush);
  const bool is_short = flush == transport::kZlibFinish && stream_->avail_out != 0;
  if (result != transport::kZlibStreamEnd && (is_short || (result != transport::kZlibOk && result != transport::kZlibBufError))) {
    return Failed(result);
  }
  is_full_ = stream_->avail_out == 0;
  is_over_ = !is_full_ && stream_->avail_in > 0;
  if (most > 0) {
    part_taken_ += most - stream_->avail_in;
    if (part_taken_ == parts_[part_].size) {
      parts_[part_] = memory::Slice();
      ++part_;
      part_taken_ = 0;
    }
  }
  return Made(room - stream_->avail_out);
}

int RequestDecompression::InflateMembers(int flush) {
  const transport::Zlib& zlib = *loop_->inflate_streams().zlib();
  int result = zlib.inflate(stream_.get(), flush);
  while (encoding_ == AnswerEncoding::kGzip && result == transport::kZlibStreamEnd && stream_->avail_in > 0 && *stream_->next_in != 0) {
    zlib.inflateReset(stream_.get());
    result = zlib.inflate(stream_.get(), flush);
  }
  return result;
}

RequestDecompression::Ran RequestDecompression::Failed(int result) {
  if (result == transport::kZlibMemError) return Ran::kNoMemory;
  if (stream_->message != nullptr) {
    fault_ = stream_->message;
  } else if (result == transport::kZlibOk || result == transport::kZlibBufError) {
    fault_ = "unexpected end of file";
  } else {
    fault_ = result == transport::kZlibNeedDict ? "Missing dictionary" : "Zlib error";
  }
  return Ran::kBroken;
}

RequestDecompression::Ran RequestDecompression::Made(size_t bytes) {
  bytes_ += bytes;
  used_ += bytes;
  if (most_bytes_ > 0 && bytes_ > most_bytes_) return Ran::kTooLarge;
  if (!Charge(bytes)) return Ran::kNoBudget;
  if (used_ == block_->size()) body_.Append(memory::WholeSlice(std::exchange(block_, nullptr)));
  return Ran::kMore;
}

bool RequestDecompression::Charge(uint64_t bytes) {
  if (!loop_->budget().Take(bytes)) return false;
  charged_ += bytes;
  return true;
}

void RequestDecompression::EndBody() {
  if (block_ == nullptr || used_ == 0) return;
  // What is little in its block would keep many times its size while the model has it.
  if (used_ < transport::ReceiveBuffer::kSmallBytes) {
    Result<std::shared_ptr<memory::Block>> fitting = memory::BlockPool::Process().Allocate(used_);
    if (fitting.ok()) {
      std::memcpy(fitting.value()->data(), block_->data(), used_);
      block_ = std::move(fitting).value();
    }
  }
  body_.Append(memory::WholeSlice(std::exchange(block_, nullptr)).Sub(0, used_));
}

// The client may take its time before it asks for what is to be done with the body.
void RequestDecompression::EndWork() {
  if (stream_ != nullptr) loop_->inflate_streams().GiveBack(encoding_, std::move(stream_));
  if (!std::exchange(is_work_charged_, false)) return;
  loop_->budget().GiveBack(kWorkBytes);
  charged_ -= kWorkBytes;
}

memory::SliceChain RequestDecompression::TakeBody() { return std::exchange(body_, memory::SliceChain()); }

void RequestDecompression::Close() {
  EndWork();
  loop_->budget().GiveBack(std::exchange(charged_, 0));
  parts_.clear();
  body_ = memory::SliceChain();
  block_ = nullptr;
}

}  // namespace penstock::frontend
