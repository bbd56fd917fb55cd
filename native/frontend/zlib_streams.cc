#include "frontend/zlib_streams.h"

#include <utility>

namespace penstock::frontend {

ZlibStreams::~ZlibStreams() {
  if (gzip_ != nullptr) End(gzip_.get());
  if (deflate_ != nullptr) End(deflate_.get());
}

std::unique_ptr<transport::ZlibStream> ZlibStreams::Take(AnswerEncoding encoding) {
  if (IdleOf(encoding) != nullptr) return std::move(IdleOf(encoding));
  auto stream = std::make_unique<transport::ZlibStream>();
  const int window_bits = transport::kZlibWindowBits + (encoding == AnswerEncoding::kGzip ? transport::kZlibGzip : 0);
  return Begin(stream.get(), window_bits) == transport::kZlibOk ? std::move(stream) : nullptr;
}

void ZlibStreams::GiveBack(AnswerEncoding encoding, std::unique_ptr<transport::ZlibStream> stream) {
  std::unique_ptr<transport::ZlibStream>& idle = IdleOf(encoding);
  if (idle == nullptr && Reset(stream.get()) == transport::kZlibOk) {
    idle = std::move(stream);
  } else {
    End(stream.get());
  }
}

int ZlibStreams::Begin(transport::ZlibStream* stream, int window_bits) const {
  const char* const version = zlib_->zlibVersion();
  if (direction_ == ZlibDirection::kInflate) return zlib_->inflateInit2_(stream, window_bits, version, sizeof *stream);
  // The fastest level: tensors of floats hardly shrink further, and the answer is waited for.
  return zlib_->deflateInit2_(stream, transport::kZlibBestSpeed, transport::kZlibDeflated, window_bits, transport::kZlibMemLevel,
                              transport::kZlibDefaultStrategy, version, sizeof *stream);
}

int ZlibStreams::Reset(transport::ZlibStream* stream) const {
  return direction_ == ZlibDirection::kInflate ? zlib_->inflateReset(stream) : zlib_->deflateReset(stream);
}

void ZlibStreams::End(transport::ZlibStream* stream) const {
  direction_ == ZlibDirection::kInflate ? zlib_->inflateEnd(stream) : zlib_->deflateEnd(stream);
}

}  // namespace penstock::frontend
