// Rows of different length in one batch: what is put behind each on the way in, and cut off again on the way out. No threads, no state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "memory/block.h"
#include "memory/slice.h"
#include "pipeline/job.h"
#include "session/session.h"

namespace penstock::pipeline {

// An input whose rows may differ in one dimension, their length, and still share a batch.
struct RaggedInput {
  size_t input = 0;            // position in the signature
  size_t dim = 1;              // never 0, the batch
  std::vector<uint8_t> value;  // the one element to pad with, as it lies in memory
};

// An output that is as long as the rows that went in, in one dimension or several (scores of each word for each other).
struct RaggedOutput {
  size_t output = 0;         // position in the signature
  std::vector<size_t> dims;  // rising, at least one, never 0
};

// All inputs of one request have the same length, or it shares no batch with requests of other lengths.
struct Ragged {
  std::vector<RaggedInput> inputs;  // at least one
  std::vector<RaggedOutput> outputs;
};

// Of a job's first input that may differ and is given; 0 where it has none.
int64_t LengthOf(const Job& job, const Ragged& ragged);
// All its inputs that may differ and are given have that length.
bool IsOneLength(const Job& job, const Ragged& ragged);

// Only lengths of one class share a batch: 0, 1, 2, 3 to 4, 5 to 8, 9 to 16 and so on. The longest is less than twice the shortest, so that
// padding never doubles the bytes.
uint8_t LengthClass(int64_t length);
// The largest length of the class of this one. INT64_MAX where that would be beyond it.
int64_t LongestOfClass(int64_t length);

// How a tensor lies around one of its dimensions: the pieces that follow each other there, without and with what is put behind each.
struct PieceLayout {
  uint64_t pieces = 0;
  uint64_t bytes = 0;         // of a piece
  uint64_t padded_bytes = 0;  // at least `bytes`
};

// Of a tensor of these dims, whose dimension `dim` is padded to `longest`. False where a size is larger than any memory.
[[nodiscard]] bool LayOut(const std::vector<int64_t>& dims, size_t dim, int64_t longest, size_t element_size, PieceLayout* layout);

// Copies `data`, which has layout.pieces * layout.bytes, to `destination`, which has room for layout.pieces * layout.padded_bytes, with
// `value` again and again behind each piece. What is added is a multiple of the value's size.
void PadPieces(const memory::SliceChain& data, const PieceLayout& layout, const std::vector<uint8_t>& value, uint8_t* destination);

// The other way round, without a copy: where PadPieces has put the data within `padded`.
memory::SliceChain PiecesWithin(const memory::Slice& padded, const PieceLayout& layout);

// `tensor` with only the first `length` in each of `dims`, where it has `longest`: a view where that is one range of its bytes, otherwise a
// copy in memory of `source`, whose size is added to `*copied`. `name` is for the error. Not for BYTES.
// Errors: kModelRun when it has another size in one of `dims`, kMemory.
Result<session::Tensor> CutToLength(const session::Tensor& tensor, const std::vector<size_t>& dims, int64_t longest, int64_t length,
                                    const std::string& name, memory::BlockSource* source, uint64_t* copied);

}  // namespace penstock::pipeline
