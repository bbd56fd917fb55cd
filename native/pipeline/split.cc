#include "pipeline/split.h"

#include <cstring>
#include <utility>

#include "base/checked_math.h"

namespace penstock::pipeline {
namespace {

Status WrongSize(const std::string& name) {
  return Status(StatusCode::kModelRun, "output \"" + name + "\": its bytes do not fit its shape");
}

// The size of the next `elements` BYTES elements of `bytes` from `offset` on; false when they pass its end.
bool WalkElements(const memory::Slice& bytes, size_t offset, uint64_t elements, size_t* size) {
  size_t at = offset;
  for (uint64_t i = 0; i < elements; ++i) {
    uint32_t length = 0;
    if (bytes.size - at < sizeof(length)) return false;
    std::memcpy(&length, bytes.data + at, sizeof(length));
    at += sizeof(length);
    if (bytes.size - at < length) return false;
    at += length;
  }
  *size = at - offset;
  return true;
}

}  // namespace

Result<std::vector<session::Tensor>> CutRows(const session::Tensor& batch, const std::vector<int64_t>& rows, const std::string& name) {
  int64_t expected = 0;
  for (const int64_t part : rows) expected += part;  // of one batch: at most BatchingOptions::max_batch_rows
  if (batch.dims.empty() || batch.dims[0] != expected) {
    const std::string found = batch.dims.empty() ? "a scalar" : std::to_string(batch.dims[0]) + " rows";
    return Status(StatusCode::kModelRun,
                  "output \"" + name + "\": found " + found + " after a run of a batch, expected " + std::to_string(expected) + " rows");
  }
  uint64_t row_elements = 0;
  if (!ElementCount({batch.dims.begin() + 1, batch.dims.end()}, &row_elements)) return WrongSize(name);
  const size_t element_size = DataTypeSize(batch.dtype);

  std::vector<session::Tensor> parts;
  parts.reserve(rows.size());
  size_t offset = 0;
  for (const int64_t part : rows) {
    uint64_t elements = 0;
    uint64_t size = 0;
    if (!CheckedMul(row_elements, static_cast<uint64_t>(part), &elements)) return WrongSize(name);
    if (batch.dtype == DataType::kBytes) {
      if (!WalkElements(batch.bytes, offset, elements, &size)) return WrongSize(name);
    } else if (!CheckedMul(elements, element_size, &size) || size > batch.bytes.size - offset) {
      return WrongSize(name);
    }
    session::Tensor tensor{batch.dtype, batch.dims, batch.bytes.Sub(offset, size)};
    tensor.dims[0] = part;
    parts.push_back(std::move(tensor));
    offset += size;
  }
  if (offset != batch.bytes.size) return WrongSize(name);
  return parts;
}

}  // namespace penstock::pipeline
