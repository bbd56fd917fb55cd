#include "pipeline/pad_rows.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "base/checked_math.h"
#include "base/data_type.h"

namespace penstock::pipeline {
namespace {

// Takes the bytes of a chain in portions of any size.
class ChainReader {
 public:
  explicit ChainReader(const memory::SliceChain& chain) : slice_(chain.slices().data()) {}

  // So many bytes must be left.
  void Read(uint8_t* destination, size_t bytes) {
    while (bytes != 0) {
      const size_t part = std::min(bytes, slice_->size - offset_);
      std::memcpy(destination, slice_->data + offset_, part);
      destination += part;
      bytes -= part;
      offset_ += part;
      if (offset_ == slice_->size) {
        ++slice_;
        offset_ = 0;
      }
    }
  }

 private:
  const memory::Slice* slice_;
  size_t offset_ = 0;
};

// `bytes` of `value`, over and over.
void Fill(uint8_t* destination, size_t bytes, const std::vector<uint8_t>& value) {
  if (bytes == 0) return;
  const bool is_one_byte = std::all_of(value.begin(), value.end(), [&value](uint8_t byte) { return byte == value.front(); });
  if (is_one_byte) {
    std::memset(destination, value.front(), bytes);
    return;
  }
  std::memcpy(destination, value.data(), value.size());
  // What is there is doubled until all is.
  for (size_t done = value.size(); done < bytes; done *= 2) std::memcpy(destination + done, destination, std::min(done, bytes - done));
}

// Copies the pieces of one dimension after the other, from where they lie to one range without gaps.
struct Cutter {
  const std::vector<int64_t>& dims;  // of what is kept
  size_t last;                       // the last dimension that is cut: what is kept of it is one piece
  size_t piece_bytes;                // of what is kept
  std::vector<size_t> strides;       // bytes from one index of a dimension to the next, in the whole

  void Copy(const uint8_t* source, size_t dim, uint8_t** destination) const {
    if (dim == last) {
      std::memcpy(*destination, source, piece_bytes);
      *destination += piece_bytes;
      return;
    }
    for (int64_t i = 0; i < dims[dim]; ++i) Copy(source + static_cast<size_t>(i) * strides[dim], dim + 1, destination);
  }
};

Status TooLarge() { return Status(StatusCode::kMemory, "an output of this batch is larger than any memory"); }

}  // namespace

int64_t LengthOf(const Job& job, const Ragged& ragged) {
  for (const RaggedInput& input : ragged.inputs) {
    const std::vector<int64_t>& dims = job.inputs[input.input].dims;
    if (!dims.empty()) return dims[input.dim];
  }
  return 0;
}

bool IsOneLength(const Job& job, const Ragged& ragged) {
  const int64_t length = LengthOf(job, ragged);
  return std::all_of(ragged.inputs.begin(), ragged.inputs.end(), [&](const RaggedInput& input) {
    const std::vector<int64_t>& dims = job.inputs[input.input].dims;
    return dims.empty() || dims[input.dim] == length;
  });
}

uint8_t LengthClass(int64_t length) {
  if (length <= 1) return static_cast<uint8_t>(std::max<int64_t>(length, 0));
  return static_cast<uint8_t>(65 - __builtin_clzll(static_cast<uint64_t>(length - 1)));
}

int64_t LongestOfClass(int64_t length) {
  const uint8_t length_class = LengthClass(length);
  if (length_class <= 1) return length_class;
  return length_class > 63 ? std::numeric_limits<int64_t>::max() : int64_t{1} << (length_class - 1);
}

bool LayOut(const std::vector<int64_t>& dims, size_t dim, int64_t longest, size_t element_size, PieceLayout* layout) {
  const auto middle = dims.begin() + static_cast<std::ptrdiff_t>(dim);
  uint64_t inner = 0;
  PieceLayout found;
  uint64_t all = 0;
  const bool fits = ElementCount({dims.begin(), middle}, &found.pieces) && ElementCount({middle + 1, dims.end()}, &inner) &&
                    CheckedMul(inner, element_size, &inner) && CheckedMul(inner, static_cast<uint64_t>(*middle), &found.bytes) &&
                    CheckedMul(inner, static_cast<uint64_t>(longest), &found.padded_bytes) &&
                    CheckedMul(found.pieces, found.padded_bytes, &all);
  if (fits) *layout = found;
  return fits;
}

void PadPieces(const memory::SliceChain& data, const PieceLayout& layout, const std::vector<uint8_t>& value, uint8_t* destination) {
  if (layout.bytes == layout.padded_bytes) return data.CopyTo(destination);
  ChainReader reader(data);
  for (uint64_t i = 0; i < layout.pieces; ++i) {
    reader.Read(destination, layout.bytes);
    Fill(destination + layout.bytes, layout.padded_bytes - layout.bytes, value);
    destination += layout.padded_bytes;
  }
}

memory::SliceChain PiecesWithin(const memory::Slice& padded, const PieceLayout& layout) {
  if (layout.bytes == layout.padded_bytes) return memory::SliceChain(padded);
  memory::SliceChain chain;
  for (uint64_t i = 0; i < layout.pieces; ++i) chain.Append(padded.Sub(i * layout.padded_bytes, layout.bytes));
  return chain;
}

Result<session::Tensor> CutToLength(const session::Tensor& tensor, const std::vector<size_t>& dims, int64_t longest, int64_t length,
                                    const std::string& name, memory::BlockSource* source, uint64_t* copied) {
  session::Tensor cut = tensor;
  for (const size_t dim : dims) {
    if (dim >= tensor.dims.size() || tensor.dims[dim] != longest) {
      const std::string found = dim < tensor.dims.size() ? std::to_string(tensor.dims[dim]) : "nothing";
      return Status(StatusCode::kModelRun, "output \"" + name + "\": found " + found + " in dimension " + std::to_string(dim) +
                                               " after a run of rows padded to " + std::to_string(longest) + ", expected as much");
    }
    cut.dims[dim] = length;
  }
  if (length == longest) return cut;

  const size_t element_size = DataTypeSize(tensor.dtype);
  uint64_t elements = 0;
  uint64_t bytes = 0;
  if (!ElementCount(cut.dims, &elements) || !CheckedMul(elements, element_size, &bytes)) return TooLarge();
  Cutter cutter{cut.dims, dims.back(), 0, std::vector<size_t>(tensor.dims.size())};
  size_t stride = element_size;
  for (size_t dim = tensor.dims.size(); dim-- > 0;) {  // of a tensor that is in memory: nothing overflows
    cutter.strides[dim] = stride;
    stride *= static_cast<size_t>(tensor.dims[dim]);
  }
  cutter.piece_bytes = cutter.strides[cutter.last] * static_cast<size_t>(length);
  if (bytes == cutter.piece_bytes || bytes == 0) {
    cut.bytes = tensor.bytes.Sub(0, bytes);
    return cut;
  }
  Result<std::shared_ptr<memory::Block>> block = source->Allocate(bytes);
  if (!block.ok()) return block.status();
  uint8_t* destination = block.value()->data();
  cutter.Copy(tensor.bytes.data, 0, &destination);
  cut.bytes = memory::WholeSlice(std::move(block).value());
  *copied += bytes;
  return cut;
}

}  // namespace penstock::pipeline
