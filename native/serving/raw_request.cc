#include "serving/raw_request.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/checked_math.h"
#include "memory/block.h"
#include "serving/message_text.h"

namespace penstock::serving {
namespace {

constexpr size_t kPrefixBytes = 4;

Status Refuse(const std::string& why) { return Status(StatusCode::kRequestField, "body: a raw binary request " + why); }

Status FrameOneElement(const memory::SliceChain& body, memory::SliceChain* framed) {
  if (body.size() > UINT32_MAX) {
    return Status(StatusCode::kRequestTooLarge,
                  "body: found " + std::to_string(body.size()) + " bytes, expected at most 4294967295 for one BYTES element");
  }
  Result<std::shared_ptr<memory::Block>> prefix = memory::BlockPool::Process().Allocate(kPrefixBytes);
  if (!prefix.ok()) return prefix.status();
  for (size_t i = 0; i < kPrefixBytes; ++i) prefix.value()->data()[i] = static_cast<uint8_t>(body.size() >> (8 * i));
  framed->Append(memory::WholeSlice(std::move(prefix).value()));
  for (const memory::Slice& slice : body.slices()) framed->Append(slice);
  return Status::Ok();
}

// Fills in the one -1 of `shape`, if there is one, so that `bytes` bytes are exactly its elements.
Status DeduceDim(const ApiTensor& input, uint64_t bytes, std::vector<int64_t>* shape) {
  const auto variable = std::find(shape->begin(), shape->end(), -1);
  if (variable == shape->end()) return Status::Ok();
  if (std::find(variable + 1, shape->end(), -1) != shape->end()) {
    return Refuse("needs an input with at most one variable dim, input " + Quoted(input.name) + " is " + ShapeText(input.dims));
  }
  *variable = 1;
  uint64_t unit = 0;
  if (!ElementCount(*shape, &unit) || !CheckedMul(unit, DataTypeSize(input.dtype), &unit) || unit == 0 || bytes % unit != 0) {
    return Status(StatusCode::kTensorSize, "body: found " + std::to_string(bytes) + " bytes, expected a multiple of " +
                                               std::to_string(unit) + " for input " + Quoted(input.name) + " of shape " +
                                               ShapeText(input.dims) + " " + std::string(DataTypeName(input.dtype)));
  }
  *variable = static_cast<int64_t>(bytes / unit);
  return Status::Ok();
}

}  // namespace

Status NameRawInput(const VersionSpec& spec, InferRequest* request) {
  if (spec.inputs.size() != 1) {
    return Refuse("needs a model with exactly 1 input, model " + Quoted(spec.model_name) + " has " + std::to_string(spec.inputs.size()));
  }
  const ApiTensor& input = spec.inputs.front();
  RequestTensor tensor;
  tensor.name = input.name;
  tensor.dtype = input.dtype;
  tensor.shape = input.dims;
  const bool batched = spec.max_batch_size > 0;
  if (batched) tensor.shape.front() = 1;

  if (input.dtype == DataType::kBytes) {
    const size_t batch_dims = batched ? 1 : 0;
    if (tensor.shape.size() != batch_dims + 1 || tensor.shape.back() != 1) {
      return Refuse("needs a BYTES input of one element, input " + Quoted(input.name) + " is " + ShapeText(input.dims));
    }
    PENSTOCK_RETURN_IF_ERROR(FrameOneElement(request->raw_body, &tensor.data));
    tensor.data_is_checked = true;
  } else {
    PENSTOCK_RETURN_IF_ERROR(DeduceDim(input, request->raw_body.size(), &tensor.shape));
    tensor.data = std::move(request->raw_body);
  }
  request->inputs.clear();
  request->inputs.push_back(std::move(tensor));
  request->outputs.clear();
  request->binary_output = true;
  return Status::Ok();
}

}  // namespace penstock::serving
