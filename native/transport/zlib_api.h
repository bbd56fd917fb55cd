// The part of zlib's C interface that Penstock calls, in our own words: its header is on no user's machine.
//
// As old as zlib 1.2. The target `zlib_header_check` compares all of it with the official header.
#pragma once

#include <cstdint>

namespace penstock::transport {

// z_stream. All zero before it is initialised; never copied or moved after that, because its state points back at it.
struct ZlibStream {
  const uint8_t* next_in = nullptr;
  unsigned avail_in = 0;
  unsigned long total_in = 0;
  uint8_t* next_out = nullptr;
  unsigned avail_out = 0;
  unsigned long total_out = 0;
  const char* message = nullptr;
  void* state = nullptr;
  void* (*allocate)(void* opaque, unsigned items, unsigned size) = nullptr;  // null = malloc
  void (*release)(void* opaque, void* bytes) = nullptr;
  void* opaque = nullptr;
  int data_type = 0;
  unsigned long adler = 0;
  unsigned long reserved = 0;
};

constexpr int kZlibNoFlush = 0;
constexpr int kZlibFinish = 4;
constexpr int kZlibOk = 0;
constexpr int kZlibStreamEnd = 1;
constexpr int kZlibNeedDict = 2;
constexpr int kZlibMemError = -4;
constexpr int kZlibBufError = -5;        // nothing could be done; not an error of the stream
constexpr int kZlibBestSpeed = 1;        // level
constexpr int kZlibDeflated = 8;         // method
constexpr int kZlibDefaultStrategy = 0;
constexpr int kZlibWindowBits = 15;      // the most, and the default; 16 more ask for gzip's frame
constexpr int kZlibGzip = 16;
constexpr int kZlibMemLevel = 8;         // the default

// Name as in the C interface, result, parameters. Results of int are one of the numbers above or a negative error.
#define PENSTOCK_ZLIB_FUNCTIONS(X)                                                                                                  \
  X(zlibVersion, const char*, ())                                                                                                   \
  X(deflateInit2_, int,                                                                                                             \
    (ZlibStream*, int level, int method, int window_bits, int mem_level, int strategy, const char* version, int stream_bytes))      \
  X(deflate, int, (ZlibStream*, int flush))                                                                                         \
  X(deflateReset, int, (ZlibStream*))                                                                                               \
  X(deflateEnd, int, (ZlibStream*))                                                                                                 \
  X(inflateInit2_, int, (ZlibStream*, int window_bits, const char* version, int stream_bytes))                                      \
  X(inflate, int, (ZlibStream*, int flush))                                                                                         \
  X(inflateReset, int, (ZlibStream*))                                                                                               \
  X(inflateEnd, int, (ZlibStream*))

// One pointer for each function.
struct Zlib {
#define PENSTOCK_ZLIB_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  PENSTOCK_ZLIB_FUNCTIONS(PENSTOCK_ZLIB_MEMBER)
#undef PENSTOCK_ZLIB_MEMBER
};

}  // namespace penstock::transport
