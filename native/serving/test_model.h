// Models and requests for the tests of this folder.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "serving/catalog.h"
#include "serving/infer_request.h"
#include "serving/model_version.h"
#include "session/fake_session.h"

namespace penstock::serving {

// A slice that owns a copy of `bytes`.
inline memory::Slice OwnedSlice(const std::string& bytes) {
  auto owner = std::make_shared<const std::string>(bytes);
  return memory::Slice{reinterpret_cast<const uint8_t*>(owner->data()), owner->size(), memory::MemoryKind::kPageable, owner};
}

inline memory::SliceChain Pieces(const std::vector<std::string>& pieces) {
  memory::SliceChain chain;
  for (const std::string& piece : pieces) chain.Append(OwnedSlice(piece));
  return chain;
}

inline RequestTensor MakeTensor(std::string name, DataType dtype, std::vector<int64_t> shape, const std::string& bytes) {
  return RequestTensor{std::move(name), dtype, std::move(shape), memory::SliceChain(OwnedSlice(bytes)), false};
}

inline session::Signature SignatureOf(const VersionSpec& spec) {
  session::Signature signature;
  const auto copy = [](const std::vector<ApiTensor>& from, std::vector<session::TensorSpec>* to) {
    for (const ApiTensor& tensor : from) {
      to->push_back({tensor.name, tensor.dtype, tensor.dims, std::vector<std::string>(tensor.dims.size()), tensor.optional});
    }
  };
  copy(spec.inputs, &signature.inputs);
  copy(spec.outputs, &signature.outputs);
  return signature;
}

// Input "x" FP32 [-1,4] and output "y" like it, batches of up to 8 rows.
inline VersionSpec EchoSpec(int64_t version = 1) {
  VersionSpec spec;
  spec.model_name = "echo";
  spec.version = version;
  spec.max_batch_size = 8;
  spec.inputs = {{"x", DataType::kFp32, {-1, 4}}};
  spec.outputs = {{"y", DataType::kFp32, {-1, 4}}};
  return spec;
}

inline std::shared_ptr<session::FakeSession> FakeFor(const VersionSpec& spec) {
  return std::make_shared<session::FakeSession>(SignatureOf(spec));
}

inline std::shared_ptr<ModelVersion> MakeVersion(const VersionSpec& spec) {
  return ModelVersion::Create(FakeFor(spec), spec, nullptr).value();
}

inline InferRequest EchoRequest(int64_t rows = 1) {
  InferRequest request;
  request.model_name = "echo";
  request.inputs.push_back(MakeTensor("x", DataType::kFp32, {rows, 4}, std::string(static_cast<size_t>(rows) * 16, '\1')));
  return request;
}

}  // namespace penstock::serving
