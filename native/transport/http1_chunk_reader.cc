#include "transport/http1_chunk_reader.h"

namespace penstock::transport {
namespace {

// What node:http reads in trailers as it does in heads.
constexpr std::string_view kOfMeaning[] = {"connection", "content-length", "proxy-connection", "transfer-encoding", "upgrade"};

// `lines` end with the body. No line but those of trailers has a colon.
bool HasTrailerOfMeaning(std::string_view lines) {
  for (size_t begin = 0; begin < lines.size();) {
    const size_t end = lines.find("\r\n", begin);
    const std::string_view line = lines.substr(begin, end - begin);
    for (const std::string_view name : kOfMeaning) {
      if (line.size() > name.size() && line[name.size()] == ':' && EqualsIgnoringCase(line.substr(0, name.size()), name)) return true;
    }
    begin = end + 2;
  }
  return false;
}

}  // namespace

Http1ChunkReader::Read Http1ChunkReader::Next(std::string_view bytes, size_t* taken) {
  const bool is_data = scanner_.data_left() > 0;
  const Http1ChunkScanner::State state = scanner_.ScanRun(bytes, taken);
  if (is_data) {
    lines_.clear();
    return Read::kData;
  }
  lines_.append(bytes.substr(0, *taken));
  if (state == Http1ChunkScanner::State::kMore) return Read::kLines;
  return state == Http1ChunkScanner::State::kEnd && !HasTrailerOfMeaning(lines_) ? Read::kEnd : Read::kRefused;
}

bool Http1ChunkReader::Skip(std::string_view bytes) {
  size_t taken = 0;
  return scanner_.Scan(bytes, &taken) != Http1ChunkScanner::State::kMore;
}

}  // namespace penstock::transport
