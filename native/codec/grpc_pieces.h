// A ModelInferRequest that arrived in pieces, made readable in one: the raw contents taken out, the rest joined.
#pragma once

#include <cstddef>
#include <vector>

#include "base/status.h"
#include "codec/protobuf_reader.h"
#include "memory/slice.h"

namespace penstock::codec {

struct MessagePieces {
  // The message, or what is left of it without the bytes of its raw contents, whose tags and lengths stay.
  memory::Slice text;
  // Where bytes were left out of `text`: those of raw contents, and the rest of a message behind a field that nobody can read.
  std::vector<ProtobufReader::Gap> gaps;
  // Values of raw_input_contents that were left out, in order, as ranges of the message.
  std::vector<memory::SliceChain> raw;
};

// Walks the fields of the outermost message, looking inside none. Reading the text with its gaps gives what reading the joined message
// would give, complaints included. The text is joined in memory of the block pool. At most `max_raw` raw contents are left out, and nothing
// after them is kept: whoever reads one more refuses the message. Errors: kMemory. Throws std::bad_alloc.
Result<MessagePieces> TakeOutRawContents(const memory::SliceChain& message, size_t max_raw);

}  // namespace penstock::codec
