// Takes the data out of a chunked body, and knows what stood around it as long as that may have to be read again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "transport/http1_head.h"

namespace penstock::transport {

// A body that is refused can be given to another reader, who then sees the same message: the data so far as one chunk, lines(), and the
// bytes that have not been taken. Strict as Http1ChunkScanner; trailers that would say something about framing or connection are refused.
class Http1ChunkReader {
 public:
  enum class Read : uint8_t {
    kLines,    // no data in what was taken
    kData,     // nothing else
    kEnd,      // of the body
    kRefused,  // nothing more may be read
  };

  // Takes `taken` bytes from the begin of `bytes`, which are not empty.
  Read Next(std::string_view bytes, size_t* taken);
  // Reads to the end, for nobody. True when it is reached, or never will be.
  bool Skip(std::string_view bytes);

  // Of the chunk that is being read, what is still to come; 0 between chunks.
  uint64_t data_left() const { return scanner_.data_left(); }
  // What has been taken since the last data; the end of the chunk of that data is its begin.
  const std::string& lines() const { return lines_; }

 private:
  Http1ChunkScanner scanner_;
  std::string lines_;  // bounded by the scanner
};

}  // namespace penstock::transport
