#include "serving/tensor_checks.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/checked_math.h"
#include "serving/message_text.h"
#include "serving/raw_request.h"

namespace penstock::serving {
namespace {

// The batch dimension must agree between inputs: who said it first, and what.
struct BatchSeen {
  int64_t rows = 0;  // 0 = no input seen yet
  const std::string* input = nullptr;
};

// Where an input stands in the request, for messages.
struct InputPath {
  bool is_raw = false;
  size_t index = 0;
  std::string Text() const { return is_raw ? std::string("body") : "inputs[" + std::to_string(index) + "]"; }
};

const ApiTensor* FindTensor(const std::vector<ApiTensor>& tensors, const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&name](const ApiTensor& tensor) { return tensor.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

Status CheckShape(const ApiTensor& expected, const std::vector<int64_t>& shape, const InputPath& path) {
  bool fits = shape.size() == expected.dims.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] >= 0 && (expected.dims[i] == -1 || shape[i] == expected.dims[i]);
  if (fits) return Status::Ok();
  return Status(StatusCode::kTensorShape, path.Text() + ".shape: found " + ShapeText(shape) + ", expected " + ShapeText(expected.dims) +
                                              " for input " + Quoted(expected.name));
}

Status CheckBatch(int64_t max_batch_size, const RequestTensor& tensor, const InputPath& path, BatchSeen* seen) {
  const int64_t rows = tensor.shape.front();
  const auto refuse = [&](StatusCode code, const std::string& expected) {
    return Status(code, path.Text() + ".shape[0]: found batch size " + std::to_string(rows) + ", " + expected);
  };
  if (rows < 1) return refuse(StatusCode::kTensorShape, "batch size must be at least 1");
  if (rows > max_batch_size) return refuse(StatusCode::kTensorBatch, "expected at most " + std::to_string(max_batch_size));
  if (seen->rows != 0 && seen->rows != rows) {
    return refuse(StatusCode::kTensorBatch, "expected " + std::to_string(seen->rows) + " as in input " + Quoted(*seen->input));
  }
  *seen = BatchSeen{rows, &tensor.name};
  return Status::Ok();
}

Status CheckData(const RequestTensor& tensor, const InputPath& path) {
  uint64_t elements = 0;
  if (!ElementCount(tensor.shape, &elements)) {
    return Status(StatusCode::kTensorShape, path.Text() + ".shape: found " + ShapeText(tensor.shape) + ", whose element count overflows");
  }
  if (tensor.dtype == DataType::kBytes) {
    return tensor.data_is_checked ? Status::Ok() : CheckBytesFraming(tensor.data, elements, path.Text());
  }
  uint64_t bytes = 0;
  if (!CheckedMul(elements, DataTypeSize(tensor.dtype), &bytes) || tensor.data.size() != bytes) {
    return Status(StatusCode::kTensorSize, path.Text() + ": found " + std::to_string(tensor.data.size()) + " bytes, expected " +
                                               std::to_string(bytes) + " for shape " + ShapeText(tensor.shape) + " " +
                                               std::string(DataTypeName(tensor.dtype)));
  }
  if (tensor.dtype == DataType::kBool && !tensor.data_is_checked) return CheckBools(tensor.data, path.Text());
  return Status::Ok();
}

// Adds what a checked tensor holds in memory while its request lives: its bytes, and for BYTES the string object that ONNX Runtime makes of
// each element, which is eight times the bytes of an empty one. False on overflow.
bool AddMemory(const RequestTensor& tensor, uint64_t* bytes) {
  uint64_t strings = 0;
  if (tensor.dtype == DataType::kBytes && (!ElementCount(tensor.shape, &strings) || !CheckedMul(strings, sizeof(std::string), &strings))) {
    return false;
  }
  return CheckedAdd(*bytes, tensor.data.size(), bytes) && CheckedAdd(*bytes, strings, bytes);
}

Status PlaceInputs(const ModelVersion& version, InferRequest* request, pipeline::Job* job) {
  const VersionSpec& spec = version.spec();
  std::vector<bool> given(spec.inputs.size(), false);
  BatchSeen batch;
  job->inputs.resize(version.job_inputs());
  for (size_t i = 0; i < request->inputs.size(); ++i) {
    RequestTensor& tensor = request->inputs[i];
    const InputPath path{request->is_raw, i};
    const ApiTensor* expected = FindTensor(spec.inputs, tensor.name);
    if (expected == nullptr) {
      return Status(StatusCode::kTensorName,
                    path.Text() + ".name: found " + Quoted(tensor.name) + ", expected one of " + NameList(spec.inputs));
    }
    const size_t position = static_cast<size_t>(expected - spec.inputs.data());
    if (given[position]) {
      return Status(StatusCode::kTensorName, path.Text() + ".name: found " + Quoted(tensor.name) + " again, expected it once");
    }
    given[position] = true;
    if (tensor.dtype != expected->dtype) {
      return Status(StatusCode::kTensorDtype, path.Text() + ".datatype: found " + std::string(DataTypeName(tensor.dtype)) + ", expected " +
                                                  std::string(DataTypeName(expected->dtype)) + " for input " + Quoted(expected->name));
    }
    PENSTOCK_RETURN_IF_ERROR(CheckShape(*expected, tensor.shape, path));
    if (spec.max_batch_size > 0) PENSTOCK_RETURN_IF_ERROR(CheckBatch(spec.max_batch_size, tensor, path, &batch));
    PENSTOCK_RETURN_IF_ERROR(CheckData(tensor, path));
    if (!AddMemory(tensor, &job->bytes)) return Status(StatusCode::kTensorSize, path.Text() + ": the sizes of the inputs overflow");
    // Data that the codec made was decoded, which is no copy.
    if (request->was_joined && !tensor.data_is_checked) job->bytes_copied_before += tensor.data.size();
    job->inputs[version.session_input(position)] =
        pipeline::JobInput{tensor.dtype, std::move(tensor.shape), std::move(tensor.data), tensor.data_is_checked};
  }
  for (size_t i = 0; i < given.size(); ++i) {
    if (given[i] || spec.inputs[i].optional) continue;
    return Status(StatusCode::kTensorName, "inputs: missing input " + Quoted(spec.inputs[i].name) + ", expected " + NameList(spec.inputs));
  }
  // Where all are optional: somebody must say how many rows there are.
  if (request->inputs.empty() && !given.empty()) {
    return Status(StatusCode::kTensorName, "inputs: found none, expected at least one of " + NameList(spec.inputs));
  }
  job->rows = batch.rows == 0 ? 1 : batch.rows;
  return Status::Ok();
}

// Requests of one class of lengths share a batch. Inputs that disagree in their length are the model's to judge, and get no padding: only
// their like shares a batch with them.
std::string LengthKey(const pipeline::Ragged& ragged, const pipeline::Job& job) {
  if (pipeline::IsOneLength(job, ragged)) return {'~', static_cast<char>(pipeline::LengthClass(pipeline::LengthOf(job, ragged)))};
  std::string key = "=";
  for (const pipeline::RaggedInput& input : ragged.inputs) {
    const int64_t length = job.inputs[input.input].dims.empty() ? 0 : job.inputs[input.input].dims[input.dim];
    key.append(reinterpret_cast<const char*>(&length), sizeof(length));
  }
  return key;
}

// Which optional inputs are given, then the dims beyond the batch of every input where they may differ, as they lie in memory: ranks are
// checked, so equal text is equal inputs and equal shapes.
std::string GroupOf(const ModelVersion& version, const pipeline::Job& job) {
  std::string group;
  for (const size_t position : version.optional_inputs()) group += job.inputs[position].dtype == DataType::kInvalid ? '-' : '+';
  for (const size_t position : version.inputs_to_match()) {
    const std::vector<int64_t>& dims = job.inputs[position].dims;
    if (dims.empty()) continue;  // left out: what is given has the batch dimension
    group.append(reinterpret_cast<const char*>(dims.data() + 1), (dims.size() - 1) * sizeof(int64_t));
  }
  if (version.ragged() != nullptr) group += LengthKey(*version.ragged(), job);
  return group;
}

// What the padding of this job can come to at most, in any company. False on overflow.
bool AddPadding(const pipeline::Ragged& ragged, pipeline::Job* job) {
  const int64_t length = pipeline::LengthOf(*job, ragged);
  if (length == 0 || !pipeline::IsOneLength(*job, ragged)) return true;
  for (const pipeline::RaggedInput& input : ragged.inputs) {
    uint64_t padded = job->inputs[input.input].data.size();
    const uint64_t bytes = padded;
    const auto longest = static_cast<uint64_t>(pipeline::LongestOfClass(length));
    if (!CheckedMul(padded / static_cast<uint64_t>(length), longest, &padded)) return false;
    if (!CheckedAdd(job->bytes, padded - bytes, &job->bytes)) return false;
  }
  return true;
}

Status PlanOutputs(const ModelVersion& version, const InferRequest& request, pipeline::Job* job, ReplyPlan* plan) {
  const VersionSpec& spec = version.spec();
  const OutputForm fallback = request.binary_output ? OutputForm::kBinary : OutputForm::kJson;
  const auto add = [&](size_t position, OutputForm form) {
    const ApiTensor& output = spec.outputs[position];
    plan->outputs.push_back({output.name, output.dtype, form == OutputForm::kDefault ? fallback : form});
    job->outputs.push_back(version.session_output(position));
  };
  if (request.outputs.empty()) {
    for (size_t position = 0; position < spec.outputs.size(); ++position) add(position, OutputForm::kDefault);
    return Status::Ok();
  }
  std::vector<bool> taken(spec.outputs.size(), false);
  for (size_t i = 0; i < request.outputs.size(); ++i) {
    const RequestedOutput& wanted = request.outputs[i];
    const auto refuse = [&](const std::string& expected) {
      return Status(StatusCode::kTensorName,
                    "outputs[" + std::to_string(i) + "].name: found " + Quoted(wanted.name) + expected + NameList(spec.outputs));
    };
    const ApiTensor* output = FindTensor(spec.outputs, wanted.name);
    if (output == nullptr) return refuse(", expected one of ");
    const size_t position = static_cast<size_t>(output - spec.outputs.data());
    if (taken[position]) return refuse(" again, expected at most once each of ");
    taken[position] = true;
    add(position, wanted.form);
  }
  return Status::Ok();
}

}  // namespace

Result<CheckedRequest> CheckRequest(const ModelVersion& version, InferRequest request) {
  CheckedRequest checked;
  checked.job = std::make_shared<pipeline::Job>();
  if (request.is_raw) PENSTOCK_RETURN_IF_ERROR(NameRawInput(version.spec(), &request));
  PENSTOCK_RETURN_IF_ERROR(PlaceInputs(version, &request, checked.job.get()));
  if (version.ragged() != nullptr && !AddPadding(*version.ragged(), checked.job.get())) {
    return Status(StatusCode::kTensorSize, "inputs: their padded sizes overflow");
  }
  // A tensor of four bytes in a message of megabytes keeps the megabytes: the limits on memory must see them.
  checked.job->bytes = std::max(checked.job->bytes, request.message_bytes);
  checked.job->group = GroupOf(version, *checked.job);
  checked.job->protocol = request.protocol;
  checked.job->priority = request.priority;
  checked.job->timeout_us = request.timeout_us;
  PENSTOCK_RETURN_IF_ERROR(PlanOutputs(version, request, checked.job.get(), &checked.plan));
  checked.plan.model_name = version.spec().model_name;
  checked.plan.model_version = std::to_string(version.spec().version);
  checked.plan.id = std::move(request.id);
  return checked;
}

}  // namespace penstock::serving
