// Texts in gzip and deflate, for tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "frontend/answer_encoding.h"
#include "transport/zlib_library.h"

namespace penstock::frontend {

inline std::string Compressed(const std::string& text, AnswerEncoding encoding) {
  const transport::Zlib& zlib = *transport::FindZlib();
  transport::ZlibStream stream;
  const int bits = transport::kZlibWindowBits + (encoding == AnswerEncoding::kGzip ? transport::kZlibGzip : 0);
  EXPECT_EQ(zlib.deflateInit2_(&stream, transport::kZlibBestSpeed, transport::kZlibDeflated, bits, transport::kZlibMemLevel,
                               transport::kZlibDefaultStrategy, zlib.zlibVersion(), sizeof stream),
            transport::kZlibOk);
  std::string out(text.size() + text.size() / 1000 + 1000, '\0');
  stream.next_in = reinterpret_cast<const uint8_t*>(text.data());
  stream.avail_in = static_cast<unsigned>(text.size());
  stream.next_out = reinterpret_cast<uint8_t*>(out.data());
  stream.avail_out = static_cast<unsigned>(out.size());
  EXPECT_EQ(zlib.deflate(&stream, transport::kZlibFinish), transport::kZlibStreamEnd);
  out.resize(stream.total_out);
  zlib.deflateEnd(&stream);
  return out;
}
inline std::string Gzipped(const std::string& text) { return Compressed(text, AnswerEncoding::kGzip); }
inline std::string Deflated(const std::string& text) { return Compressed(text, AnswerEncoding::kDeflate); }

}  // namespace penstock::frontend
