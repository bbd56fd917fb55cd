// Jobs for tests of this folder.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/job.h"

namespace penstock::pipeline {

// Bytes that are counted by an owner of their own, as a client's message would be.
inline memory::Slice OwnedSlice(std::vector<uint8_t> bytes) {
  const auto owner = std::make_shared<std::vector<uint8_t>>(std::move(bytes));
  return {owner->data(), owner->size(), memory::MemoryKind::kPageable, owner};
}

inline std::vector<uint8_t> FloatBytes(const std::vector<float>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(float));
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

inline std::vector<float> FloatsOf(const session::Tensor& tensor) {
  std::vector<float> values(tensor.bytes.size / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data, tensor.bytes.size);
  return values;
}

inline std::vector<uint8_t> Framed(const std::vector<std::string>& elements) {
  std::vector<uint8_t> bytes;
  for (const std::string& element : elements) {
    const auto length = static_cast<uint32_t>(element.size());
    const auto* raw = reinterpret_cast<const uint8_t*>(&length);
    bytes.insert(bytes.end(), raw, raw + sizeof(length));
    bytes.insert(bytes.end(), element.begin(), element.end());
  }
  return bytes;
}

// `rows` rows, the first dimension of each of these FP32 inputs; asks for all outputs of a session that has as many.
inline std::shared_ptr<Job> FloatJob(int64_t rows, const std::vector<std::vector<float>>& inputs) {
  auto job = std::make_shared<Job>();
  job->rows = rows;
  for (const std::vector<float>& values : inputs) {
    const auto columns = static_cast<int64_t>(values.size()) / rows;
    job->outputs.push_back(job->inputs.size());
    job->inputs.push_back({DataType::kFp32, {rows, columns}, memory::SliceChain(OwnedSlice(FloatBytes(values))), false});
    job->bytes += values.size() * sizeof(float);
  }
  return job;
}

}  // namespace penstock::pipeline
