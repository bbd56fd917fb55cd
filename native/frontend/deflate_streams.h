// zlib's streams of a loop, used again: to make one costs many times what a small answer takes to compress, for 256 KiB of memory.
#pragma once

#include <memory>

#include "frontend/answer_encoding.h"
#include "transport/zlib_api.h"

namespace penstock::frontend {

// [loop thread] Outlives the streams that it gave. Keeps one of each kind.
class DeflateStreams {
 public:
  // Null where there is none: then nothing may be taken.
  explicit DeflateStreams(const transport::Zlib* zlib) : zlib_(zlib) {}
  ~DeflateStreams();
  DeflateStreams(const DeflateStreams&) = delete;
  DeflateStreams& operator=(const DeflateStreams&) = delete;

  const transport::Zlib* zlib() const { return zlib_; }
  // At its begin, with the settings of compress() in src/frontend/http/compression.ts. Null when there is no memory.
  std::unique_ptr<transport::ZlibStream> Take(AnswerEncoding encoding);
  // However far it has come.
  void GiveBack(AnswerEncoding encoding, std::unique_ptr<transport::ZlibStream> stream);

 private:
  std::unique_ptr<transport::ZlibStream>& IdleOf(AnswerEncoding encoding) { return encoding == AnswerEncoding::kGzip ? gzip_ : deflate_; }

  const transport::Zlib* const zlib_;
  std::unique_ptr<transport::ZlibStream> gzip_;  // null = none waits
  std::unique_ptr<transport::ZlibStream> deflate_;
};

}  // namespace penstock::frontend
