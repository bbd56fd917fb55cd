#include "pipeline/rows_apart.h"

#include <memory>
#include <new>
#include <utility>

#include "base/checked_math.h"

namespace penstock::pipeline {
namespace {

// Where a kernel can read it: an address that is not aligned for its elements would break the context. Never asked about BYTES.
bool IsMapped(const JobInput& input) {
  if (!input.in_place || input.data.slices().size() != 1) return false;
  const uint64_t device = input.data.slices().front().device;
  return device != 0 && device % DataTypeSize(input.dtype) == 0;
}

bool Pays(const JobInput& input, int64_t rows) {
  return input.dtype != DataType::kInvalid && rows > 0 && input.data.size() / static_cast<uint64_t>(rows) >= kSmallestRowApart &&
         !IsMapped(input);
}

// Of a block, so that each input begins aligned.
bool RoundUp(uint64_t bytes, uint64_t* rounded) {
  if (!CheckedAdd(bytes, memory::BlockPool::kAlignment - 1, rounded)) return false;
  *rounded = *rounded / memory::BlockPool::kAlignment * memory::BlockPool::kAlignment;
  return true;
}

void Move(const std::vector<size_t>& inputs, const std::shared_ptr<memory::Block>& block, Job* job) {
  const memory::Slice whole = memory::WholeSlice(block);
  std::vector<memory::SliceChain> places;
  uint64_t offset = 0;
  for (const size_t i : inputs) {
    const uint64_t size = job->inputs[i].data.size();
    places.emplace_back(whole.Sub(offset, size));
    if (!RoundUp(offset + size, &offset)) return;  // never: no block is so large
  }
  // Nothing below can fail.
  for (size_t k = 0; k < inputs.size(); ++k) {
    JobInput& input = job->inputs[inputs[k]];
    const memory::Slice& place = places[k].slices().front();
    input.data.CopyTo(block->data() + (place.data - whole.data));
    job->bytes_copied_before += place.size;
    input.data = std::move(places[k]);
    input.in_place = true;
  }
}

}  // namespace

std::vector<bool> InputsTakenApart(const session::Session& session) {
  std::vector<bool> apart(session.signature().inputs.size());
  for (size_t i = 0; i < apart.size(); ++i) apart[i] = session.TakesRowsApart(i);
  return apart;
}

void MoveToMappedMemory(const std::vector<bool>& apart, int64_t max_batch_rows, memory::BlockSource* memory, Job* job) noexcept {
  if (job->rows >= max_batch_rows) return;
  try {
    std::vector<size_t> inputs;
    uint64_t bytes = 0;
    for (size_t i = 0; i < job->inputs.size() && i < apart.size(); ++i) {
      const JobInput& input = job->inputs[i];
      if (!apart[i] || !Pays(input, job->rows)) continue;
      if (!CheckedAdd(bytes, input.data.size(), &bytes) || !RoundUp(bytes, &bytes) || bytes > kLargestApart) return;
      inputs.push_back(i);
    }
    if (inputs.empty()) return;
    const std::shared_ptr<memory::Block> block = memory->TryMapped(bytes);
    if (block != nullptr) Move(inputs, block, job);
  } catch (const std::bad_alloc&) {
    // The lane gathers it, or says what is short.
  }
}

bool CollectRowsApart(const std::vector<Job*>& jobs, size_t index, std::vector<memory::Slice>* rows) {
  for (const Job* job : jobs) {
    if (!IsMapped(job->inputs[index])) return false;
  }
  rows->reserve(jobs.size());
  for (const Job* job : jobs) rows->push_back(job->inputs[index].data.slices().front());
  return true;
}

}  // namespace penstock::pipeline
