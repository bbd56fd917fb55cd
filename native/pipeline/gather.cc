#include "pipeline/gather.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "base/checked_math.h"
#include "pipeline/rows_apart.h"

namespace penstock::pipeline {
namespace {

// The memory in which input `index` of all jobs lies already, one after the other and aligned; without an owner when it does not.
memory::Slice WhereItLies(const std::vector<Job*>& jobs, size_t index) {
  memory::Slice whole;
  for (const Job* job : jobs) {
    const JobInput& input = job->inputs[index];
    if (!input.in_place || input.data.slices().size() > 1) return {};
    if (input.data.empty()) continue;
    const memory::Slice& slice = input.data.slices().front();
    if (whole.size == 0) {
      const bool aligned = reinterpret_cast<uintptr_t>(slice.data) % memory::BlockPool::kAlignment == 0;
      const bool of_host = slice.kind == memory::MemoryKind::kPageable || slice.kind == memory::MemoryKind::kPinned;
      if (!aligned || !of_host) return {};
      whole = slice;
    } else if (slice.owner == whole.owner && slice.data == whole.data + whole.size) {
      whole.size += slice.size;
    } else {
      return {};
    }
  }
  return whole;
}

Status TooLarge() { return Status(StatusCode::kMemory, "the inputs of this batch are larger than any memory"); }

// In the batch, padding of its rows included. LayOut has seen to it that the product fits.
uint64_t SizeOf(const PieceLayout& layout) { return layout.pieces * layout.padded_bytes; }

// Null where the rows of input `index` of all jobs are of the same length.
const RaggedInput* FindUneven(const std::vector<Job*>& jobs, size_t index, const std::vector<RaggedInput>& ragged) {
  for (const RaggedInput& found : ragged) {
    if (found.input != index) continue;
    const int64_t length = jobs.front()->inputs[index].dims[found.dim];
    const auto differs = [&](const Job* job) { return job->inputs[index].dims[found.dim] != length; };
    return std::any_of(jobs.begin(), jobs.end(), differs) ? &found : nullptr;
  }
  return nullptr;
}

// How input `index` of each job lies in the batch; `uneven` may be null.
Status LayOutAll(const std::vector<Job*>& jobs, size_t index, const RaggedInput* uneven, session::Tensor* tensor, PieceLayout* layouts) {
  int64_t longest = 0;
  if (uneven != nullptr) {
    for (const Job* job : jobs) longest = std::max(longest, job->inputs[index].dims[uneven->dim]);
    tensor->dims[uneven->dim] = longest;
  }
  for (size_t j = 0; j < jobs.size(); ++j) {
    const JobInput& input = jobs[j]->inputs[index];
    if (uneven == nullptr) {
      layouts[j] = {1, input.data.size(), input.data.size()};
    } else if (!LayOut(input.dims, uneven->dim, longest, DataTypeSize(input.dtype), &layouts[j])) {
      return TooLarge();
    }
  }
  return Status::Ok();
}

// Dims and bytes of input `index` of all jobs and the padding together; `*padding_bytes` of them are the padding's, which is rows of its
// own. `layouts` gets one a job.
Status Measure(const std::vector<Job*>& jobs, size_t index, int64_t padding, const RaggedInput* uneven, session::Tensor* tensor,
               uint64_t* bytes, uint64_t* padding_bytes, PieceLayout* layouts) {
  const JobInput& first = jobs.front()->inputs[index];
  tensor->dtype = first.dtype;
  tensor->dims = first.dims;
  PENSTOCK_RETURN_IF_ERROR(LayOutAll(jobs, index, uneven, tensor, layouts));
  *bytes = SizeOf(layouts[0]);
  for (size_t i = 1; i < jobs.size(); ++i) {
    if (!CheckedAdd(*bytes, SizeOf(layouts[i]), bytes)) return TooLarge();
    if (__builtin_add_overflow(tensor->dims[0], jobs[i]->inputs[index].dims[0], &tensor->dims[0])) return TooLarge();
  }
  *padding_bytes = 0;
  if (padding == 0) return Status::Ok();
  // An empty BYTES element is its length alone: four bytes of zero, however long the elements of the jobs are.
  const size_t element_size = first.dtype == DataType::kBytes ? sizeof(uint32_t) : DataTypeSize(first.dtype);
  std::vector<int64_t> dims = tensor->dims;
  dims[0] = padding;
  uint64_t elements = 0;
  if (!ElementCount(dims, &elements) || !CheckedMul(elements, element_size, padding_bytes)) return TooLarge();
  if (!CheckedAdd(*bytes, *padding_bytes, bytes)) return TooLarge();
  if (__builtin_add_overflow(tensor->dims[0], padding, &tensor->dims[0])) return TooLarge();
  return Status::Ok();
}

}  // namespace

Result<Gathered> Gather(const std::vector<Job*>& jobs, int64_t padding, memory::BlockSource* memory, const std::vector<bool>& apart,
                        const std::vector<RaggedInput>& ragged) {
  Gathered gathered;
  const size_t inputs = jobs.front()->inputs.size();
  gathered.tensors.resize(inputs);
  // Everything that can fail comes before the first client slice is let go.
  std::vector<std::shared_ptr<memory::Block>> blocks(inputs);  // null: runs as it lies, or is left out
  std::vector<uint64_t> padding_bytes(inputs);
  std::vector<const RaggedInput*> uneven(inputs);
  std::vector<PieceLayout> layouts(inputs * jobs.size());
  for (size_t i = 0; i < inputs; ++i) {
    if (jobs.front()->inputs[i].dtype == DataType::kInvalid) continue;  // left out by all of them
    uint64_t bytes = 0;
    uneven[i] = FindUneven(jobs, i, ragged);
    PENSTOCK_RETURN_IF_ERROR(
        Measure(jobs, i, padding, uneven[i], &gathered.tensors[i], &bytes, &padding_bytes[i], &layouts[i * jobs.size()]));
    if (padding == 0 && uneven[i] == nullptr) gathered.tensors[i].bytes = WhereItLies(jobs, i);
    if (gathered.tensors[i].bytes.owner != nullptr) continue;
    if (uneven[i] == nullptr && i < apart.size() && apart[i] && CollectRowsApart(jobs, i, &gathered.tensors[i].rows)) {
      gathered.tensors[i].bytes = {nullptr, bytes, memory::MemoryKind::kPinned, nullptr};
      continue;
    }
    Result<std::shared_ptr<memory::Block>> block = memory->Allocate(bytes);
    if (!block.ok()) return block.status();
    blocks[i] = std::move(block).value();
  }
  std::vector<memory::SliceChain> parts(inputs * jobs.size());
  for (size_t i = 0; i < inputs; ++i) {
    if (blocks[i] == nullptr) continue;
    const memory::Slice whole = memory::WholeSlice(blocks[i]);
    size_t offset = 0;
    for (size_t j = 0; j < jobs.size(); ++j) {
      const PieceLayout& layout = layouts[i * jobs.size() + j];
      const size_t size = SizeOf(layout);
      parts[i * jobs.size() + j] = PiecesWithin(whole.Sub(offset, size), layout);
      offset += size;
    }
  }

  for (size_t i = 0; i < inputs; ++i) {
    if (blocks[i] == nullptr) continue;
    uint8_t* destination = blocks[i]->data();
    for (size_t j = 0; j < jobs.size(); ++j) {
      JobInput& input = jobs[j]->inputs[i];
      const PieceLayout& layout = layouts[i * jobs.size() + j];
      if (uneven[i] == nullptr) {
        input.data.CopyTo(destination);
      } else {
        PadPieces(input.data, layout, uneven[i]->value, destination);
      }
      destination += SizeOf(layout);
      gathered.bytes_copied += input.data.size();
      input.data = std::move(parts[i * jobs.size() + j]);
      input.in_place = true;
    }
    std::memset(destination, 0, padding_bytes[i]);
    gathered.tensors[i].bytes = memory::WholeSlice(std::move(blocks[i]));
  }
  return gathered;
}

}  // namespace penstock::pipeline
