#include "pipeline/gather.h"

#include <memory>
#include <utility>

#include "memory/block.h"

namespace penstock::pipeline {
namespace {

bool RunsInPlace(const JobInput& input) {
  if (!input.in_place || input.data.slices().size() != 1) return false;
  const memory::Slice& slice = input.data.slices().front();
  return slice.kind == memory::MemoryKind::kPageable &&
         reinterpret_cast<uintptr_t>(slice.data) % memory::BlockPool::kAlignment == 0;
}

}  // namespace

Result<Gathered> Gather(std::vector<JobInput>* inputs) {
  Gathered gathered;
  gathered.tensors.reserve(inputs->size());
  for (JobInput& input : *inputs) {
    session::Tensor tensor{input.dtype, std::move(input.dims), {}};
    gathered.bytes_received += input.data.size();
    if (RunsInPlace(input)) {
      tensor.bytes = input.data.slices().front();
    } else {
      Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(input.data.size());
      if (!block.ok()) return block.status();
      input.data.CopyTo(block.value()->data());
      gathered.bytes_copied += input.data.size();
      tensor.bytes = memory::WholeSlice(std::move(block).value());
    }
    input.data = memory::SliceChain();
    gathered.tensors.push_back(std::move(tensor));
  }
  inputs->clear();
  return gathered;
}

}  // namespace penstock::pipeline
