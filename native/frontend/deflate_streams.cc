#include "frontend/deflate_streams.h"

#include <utility>

namespace penstock::frontend {

DeflateStreams::~DeflateStreams() {
  if (gzip_ != nullptr) zlib_->deflateEnd(gzip_.get());
  if (deflate_ != nullptr) zlib_->deflateEnd(deflate_.get());
}

std::unique_ptr<transport::ZlibStream> DeflateStreams::Take(AnswerEncoding encoding) {
  if (IdleOf(encoding) != nullptr) return std::move(IdleOf(encoding));
  auto stream = std::make_unique<transport::ZlibStream>();
  const int window_bits = transport::kZlibWindowBits + (encoding == AnswerEncoding::kGzip ? transport::kZlibGzip : 0);
  // The fastest level: tensors of floats hardly shrink further, and the answer is waited for.
  const int made = zlib_->deflateInit2_(stream.get(), transport::kZlibBestSpeed, transport::kZlibDeflated, window_bits,
                                        transport::kZlibMemLevel, transport::kZlibDefaultStrategy, zlib_->zlibVersion(), sizeof *stream);
  return made == transport::kZlibOk ? std::move(stream) : nullptr;
}

void DeflateStreams::GiveBack(AnswerEncoding encoding, std::unique_ptr<transport::ZlibStream> stream) {
  std::unique_ptr<transport::ZlibStream>& idle = IdleOf(encoding);
  if (idle == nullptr && zlib_->deflateReset(stream.get()) == transport::kZlibOk) {
    idle = std::move(stream);
  } else {
    zlib_->deflateEnd(stream.get());
  }
}

}  // namespace penstock::frontend
