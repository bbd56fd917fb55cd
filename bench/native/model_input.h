// Made-up inputs for the programs that run a model with one input.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>

#include "base/checked_math.h"
#include "memory/block.h"
#include "session/session.h"

namespace penstock::bench {

// Symbolic dimensions become `open_dim`, but the first one the batch. FP32 rows are random, those of other types zeros.
inline Result<session::Tensor> MakeInput(const session::TensorSpec& spec, int64_t batch, int64_t open_dim = 1,
                                         memory::BlockSource& source = memory::BlockPool::Process()) {
  session::Tensor input;
  input.dtype = spec.dtype;
  for (const int64_t dim : spec.dims) input.dims.push_back(dim >= 0 ? dim : input.dims.empty() ? batch : open_dim);
  uint64_t elements = 0;
  uint64_t bytes = 0;
  if (!ElementCount(input.dims, &elements) || !CheckedMul(elements, DataTypeSize(input.dtype), &bytes)) {
    return Status(StatusCode::kMemory, "the batch is too large");
  }
  auto block = source.Allocate(bytes);
  if (!block.ok()) return block.status();
  std::fill_n(block.value()->data(), bytes, uint8_t{0});
  std::mt19937 random(1);
  for (uint64_t i = 0; input.dtype == DataType::kFp32 && i < elements; ++i) {
    const float value = static_cast<float>(random()) / 4294967296.0F;
    std::memcpy(block.value()->data() + i * sizeof value, &value, sizeof value);
  }
  input.bytes = memory::WholeSlice(block.value());
  return input;
}

}  // namespace penstock::bench
