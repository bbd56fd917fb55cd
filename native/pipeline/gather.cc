#include "pipeline/gather.h"

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

// Dims and bytes of input `index` of all jobs and the padding together; `*padding_bytes` of them are the padding's.
Status Measure(const std::vector<Job*>& jobs, size_t index, int64_t padding, session::Tensor* tensor, uint64_t* bytes,
               uint64_t* padding_bytes) {
  const JobInput& first = jobs.front()->inputs[index];
  tensor->dtype = first.dtype;
  tensor->dims = first.dims;
  *bytes = first.data.size();
  for (size_t i = 1; i < jobs.size(); ++i) {
    const JobInput& input = jobs[i]->inputs[index];
    if (!CheckedAdd(*bytes, input.data.size(), bytes)) return TooLarge();
    if (__builtin_add_overflow(tensor->dims[0], input.dims[0], &tensor->dims[0])) return TooLarge();
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

Result<Gathered> Gather(const std::vector<Job*>& jobs, int64_t padding, memory::BlockSource* memory, const std::vector<bool>& apart) {
  Gathered gathered;
  const size_t inputs = jobs.front()->inputs.size();
  gathered.tensors.resize(inputs);
  // Everything that can fail comes before the first client slice is let go.
  std::vector<std::shared_ptr<memory::Block>> blocks(inputs);  // null: runs as it lies, or is left out
  std::vector<uint64_t> padding_bytes(inputs);
  for (size_t i = 0; i < inputs; ++i) {
    if (jobs.front()->inputs[i].dtype == DataType::kInvalid) continue;  // left out by all of them
    uint64_t bytes = 0;
    PENSTOCK_RETURN_IF_ERROR(Measure(jobs, i, padding, &gathered.tensors[i], &bytes, &padding_bytes[i]));
    if (padding == 0) gathered.tensors[i].bytes = WhereItLies(jobs, i);
    if (gathered.tensors[i].bytes.owner != nullptr) continue;
    if (i < apart.size() && apart[i] && CollectRowsApart(jobs, i, &gathered.tensors[i].rows)) {
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
      const size_t size = jobs[j]->inputs[i].data.size();
      parts[i * jobs.size() + j] = memory::SliceChain(whole.Sub(offset, size));
      offset += size;
    }
  }

  for (size_t i = 0; i < inputs; ++i) {
    if (blocks[i] == nullptr) continue;
    uint8_t* destination = blocks[i]->data();
    for (size_t j = 0; j < jobs.size(); ++j) {
      JobInput& input = jobs[j]->inputs[i];
      input.data.CopyTo(destination);
      destination += input.data.size();
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
