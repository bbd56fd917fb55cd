#include "frontend/inflate_streams.h"

#include <utility>

namespace penstock::frontend {

InflateStreams::~InflateStreams() {
  if (gzip_ != nullptr) zlib_->inflateEnd(gzip_.get());
  if (deflate_ != nullptr) zlib_->inflateEnd(deflate_.get());
}

std::unique_ptr<transport::ZlibStream> InflateStreams::Take(AnswerEncoding encoding) {
  if (IdleOf(encoding) != nullptr) return std::move(IdleOf(encoding));
  auto stream = std::make_unique<transport::ZlibStream>();
  const int window_bits = transport::kZlibWindowBits + (encoding == AnswerEncoding::kGzip ? transport::kZlibGzip : 0);
  const int made = zlib_->inflateInit2_(stream.get(), window_bits, zlib_->zlibVersion(), sizeof *stream);
  return made == transport::kZlibOk ? std::move(stream) : nullptr;
}

void InflateStreams::GiveBack(AnswerEncoding encoding, std::unique_ptr<transport::ZlibStream> stream) {
  std::unique_ptr<transport::ZlibStream>& idle = IdleOf(encoding);
  if (idle == nullptr && zlib_->inflateReset(stream.get()) == transport::kZlibOk) {
    idle = std::move(stream);
  } else {
    zlib_->inflateEnd(stream.get());
  }
}

}  // namespace penstock::frontend
