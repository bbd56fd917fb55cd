// zlib's streams of a loop, used again: to make one costs many times what a small body takes to go through it.
#pragma once

#include <cstdint>
#include <memory>

#include "frontend/answer_encoding.h"
#include "transport/zlib_api.h"

namespace penstock::frontend {

enum class ZlibDirection : uint8_t {
  // For answers, with the settings of compress() in src/frontend/http/compression.ts. One holds 256 KiB.
  kDeflate,
  // For what clients have compressed, with the settings that createGunzip and createInflate of Node have.
  kInflate,
};

// [loop thread] Outlives the streams that it gave. Keeps one of each kind.
class ZlibStreams {
 public:
  // What one of kInflate holds at most: its window of 32 KiB, and the state of the decoder, some 10 KiB.
  static constexpr uint64_t kInflateBytes = 48 * 1024;

  // `zlib` is null where there is none: then nothing may be taken.
  ZlibStreams(const transport::Zlib* zlib, ZlibDirection direction) : zlib_(zlib), direction_(direction) {}
  ~ZlibStreams();
  ZlibStreams(const ZlibStreams&) = delete;
  ZlibStreams& operator=(const ZlibStreams&) = delete;

  const transport::Zlib* zlib() const { return zlib_; }
  // At its begin. Null when there is no memory.
  std::unique_ptr<transport::ZlibStream> Take(AnswerEncoding encoding);
  // However far it has come.
  void GiveBack(AnswerEncoding encoding, std::unique_ptr<transport::ZlibStream> stream);

 private:
  std::unique_ptr<transport::ZlibStream>& IdleOf(AnswerEncoding encoding) { return encoding == AnswerEncoding::kGzip ? gzip_ : deflate_; }
  int Begin(transport::ZlibStream* stream, int window_bits) const;
  int Reset(transport::ZlibStream* stream) const;
  void End(transport::ZlibStream* stream) const;

  const transport::Zlib* const zlib_;
  const ZlibDirection direction_;
  std::unique_ptr<transport::ZlibStream> gzip_;  // null = none waits
  std::unique_ptr<transport::ZlibStream> deflate_;
};

}  // namespace penstock::frontend
