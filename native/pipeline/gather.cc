#include "pipeline/gather.h"

#include <memory>
#include <utility>

#include "base/checked_math.h"
#include "memory/block.h"

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
      if (!aligned || slice.kind != memory::MemoryKind::kPageable) return {};
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

// Dims and bytes of input `index` of all jobs together.
Status Measure(const std::vector<Job*>& jobs, size_t index, session::Tensor* tensor, uint64_t* bytes) {
  const JobInput& first = jobs.front()->inputs[index];
  tensor->dtype = first.dtype;
  tensor->dims = first.dims;
  *bytes = first.data.size();
  for (size_t i = 1; i < jobs.size(); ++i) {
    const JobInput& input = jobs[i]->inputs[index];
    if (!CheckedAdd(*bytes, input.data.size(), bytes)) return TooLarge();
    if (__builtin_add_overflow(tensor->dims[0], input.dims[0], &tensor->dims[0])) return TooLarge();
  }
  return Status::Ok();
}

}  // namespace

Result<Gathered> Gather(const std::vector<Job*>& jobs) {
  Gathered gathered;
  const size_t inputs = jobs.front()->inputs.size();
  gathered.tensors.resize(inputs);
  // Everything that can fail comes before the first client slice is let go.
  std::vector<std::shared_ptr<memory::Block>> blocks(inputs);  // null: runs in place
  for (size_t i = 0; i < inputs; ++i) {
    uint64_t bytes = 0;
    PENSTOCK_RETURN_IF_ERROR(Measure(jobs, i, &gathered.tensors[i], &bytes));
    gathered.tensors[i].bytes = WhereItLies(jobs, i);
    if (gathered.tensors[i].bytes.owner != nullptr) continue;
    Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(bytes);
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
    gathered.tensors[i].bytes = memory::WholeSlice(std::move(blocks[i]));
  }
  return gathered;
}

}  // namespace penstock::pipeline
