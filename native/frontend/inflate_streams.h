// zlib's streams of a loop for what clients have compressed, used again: each has a window of 32 KiB beside its state.
#pragma once

#include <cstdint>
#include <memory>

#include "frontend/answer_encoding.h"
#include "transport/zlib_api.h"

namespace penstock::frontend {

// [loop thread] Outlives the streams that it gave. Keeps one of each kind.
class InflateStreams {
 public:
  // What one holds at most: its window, and the state of the decoder, some 10 KiB.
  static constexpr uint64_t kStreamBytes = 48 * 1024;

  // Null where there is none: then nothing may be taken.
  explicit InflateStreams(const transport::Zlib* zlib) : zlib_(zlib) {}
  ~InflateStreams();
  InflateStreams(const InflateStreams&) = delete;
  InflateStreams& operator=(const InflateStreams&) = delete;

  const transport::Zlib* zlib() const { return zlib_; }
  // At its begin, with the settings that createGunzip and createInflate of Node have. Null when there is no memory.
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
