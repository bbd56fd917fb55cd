#include "frontend/answer_compression.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "base/checked_math.h"

namespace penstock::frontend {

struct AnswerCompression::Block {
  memory::Owner charge;  // may be null
  std::unique_ptr<uint8_t[]> bytes;
  size_t capacity = 0;
};

std::unique_ptr<AnswerCompression> AnswerCompression::Begin(ZlibStreams* streams, AnswerEncoding encoding, codec::HttpReply* reply,
                                                            serving::Engine* engine, std::function<void()> on_turn) {
  uint64_t bytes = reply->json.size();
  for (const memory::Slice& tail : reply->tails) {
    if (!CheckedAdd(bytes, tail.size, &bytes)) return nullptr;
  }
  std::unique_ptr<AnswerCompression> compression(new AnswerCompression(streams, encoding, engine, bytes, std::move(on_turn)));
  if (!compression->Start()) return nullptr;
  auto document = std::make_shared<const std::string>(std::move(reply->json));
  const auto* text = reinterpret_cast<const uint8_t*>(document->data());
  compression->parts_.push_back(memory::Slice{text, document->size(), memory::MemoryKind::kPageable, document});
  for (memory::Slice& tail : reply->tails) {
    if (tail.size > 0) compression->parts_.push_back(std::move(tail));
  }
  return compression;
}

AnswerCompression::~AnswerCompression() {
  if (stream_ != nullptr) streams_->GiveBack(encoding_, std::move(stream_));
}

bool AnswerCompression::Start() {
  stream_ = streams_->Take(encoding_);
  // A small answer has room in as many bytes, and in those of the frame.
  constexpr size_t kFrameBytes = 64;
  return stream_ != nullptr && AddBlock(static_cast<size_t>(std::min<uint64_t>(bytes_, kBlockBytes - kFrameBytes)) + kFrameBytes);
}

AnswerCompression::Ran AnswerCompression::Run() {
  // Always whole turns, so that zlib moves its window where it would if it were given each part at once: where it does is in the bytes.
  size_t left = kTurnBytes;
  while (left > 0 && part_ < parts_.size()) {
    memory::Slice& part = parts_[part_];
    const size_t size = std::min(left, part.size - part_taken_);
    const bool is_part_end = part_taken_ + size == part.size;
    const bool is_end = is_part_end && part_ + 1 == parts_.size();
    if (!Deflate(part.data + part_taken_, size, is_end ? transport::kZlibFinish : transport::kZlibNoFlush)) return Ran::kFailed;
    left -= size;
    part_taken_ += size;
    if (!is_part_end) continue;
    part = memory::Slice();
    part_taken_ = 0;
    ++part_;
  }
  if (part_ < parts_.size()) return Ran::kMore;
  EndBlock();
  return Ran::kWhole;
}

bool AnswerCompression::Deflate(const uint8_t* bytes, size_t size, int flush) {
  stream_->next_in = bytes;
  stream_->avail_in = static_cast<unsigned>(size);  // <= kTurnBytes
  int result = transport::kZlibOk;
  while (stream_->avail_in > 0 || (flush == transport::kZlibFinish && result != transport::kZlibStreamEnd)) {
    if (stream_->avail_out == 0) {
      EndBlock();
      if (!AddBlock(kBlockBytes)) return false;
    }
    result = streams_->zlib()->deflate(stream_.get(), flush);
    if (result != transport::kZlibOk && result != transport::kZlibStreamEnd) return false;
  }
  return true;
}

bool AnswerCompression::AddBlock(size_t bytes) {
  auto block = std::make_shared<Block>();
  block->bytes.reset(new (std::nothrow) uint8_t[bytes]);
  if (block->bytes == nullptr) return false;
  block->capacity = bytes;
  if (!pieces_.empty()) block->charge = engine_->ChargeAnswer(bytes);
  stream_->next_out = block->bytes.get();
  stream_->avail_out = static_cast<unsigned>(bytes);
  block_ = std::move(block);
  return true;
}

void AnswerCompression::EndBlock() {
  const uint8_t* bytes = block_->bytes.get();
  const size_t size = block_->capacity - stream_->avail_out;
  pieces_.push_back(memory::Slice{bytes, size, memory::MemoryKind::kPageable, std::move(block_)});
}

}  // namespace penstock::frontend
