#include "serving/model_version.h"

#include <system_error>
#include <utility>

#include "serving/message_text.h"

namespace penstock::serving {
namespace {

using SessionTensors = std::vector<session::TensorSpec>;

Status Refuse(const std::string& path, const std::string& what) { return Status(StatusCode::kModelConfig, path + what); }

// Where each tensor of the configuration is in the file's signature. `kind` is "inputs" or "outputs", for messages.
Result<std::vector<size_t>> Match(const std::string& kind, const VersionSpec& spec, const std::vector<ApiTensor>& wanted,
                                  const SessionTensors& present, std::vector<bool>* matched) {
  matched->assign(present.size(), false);
  std::vector<size_t> positions;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const ApiTensor& tensor = wanted[i];
    const std::string path = kind + "[" + std::to_string(i) + "]";
    size_t at = 0;
    while (at < present.size() && present[at].name != tensor.name) ++at;
    if (at == present.size()) return Refuse(path, ".name: found " + Quoted(tensor.name) + ", which the model file does not have");
    if ((*matched)[at]) return Refuse(path, ".name: found " + Quoted(tensor.name) + " again, expected it once");
    (*matched)[at] = true;
    if (tensor.dtype != present[at].dtype || tensor.dtype == DataType::kInvalid) {
      return Refuse(path, ".datatype: found " + std::string(DataTypeName(tensor.dtype)) + ", the model file has " +
                              std::string(DataTypeName(present[at].dtype)) + " for " + Quoted(tensor.name));
    }
    for (const int64_t dim : tensor.dims) {
      if (dim < -1) return Refuse(path, ".dims: found " + ShapeText(tensor.dims) + ", expected dims of at least 0, or -1 for any");
    }
    if (spec.max_batch_size > 0 && (tensor.dims.empty() || tensor.dims.front() != -1)) {
      return Refuse(path, ".dims: found " + ShapeText(tensor.dims) + ", expected the batch dimension -1 first, as max_batch_size is " +
                              std::to_string(spec.max_batch_size));
    }
    positions.push_back(at);
  }
  return positions;
}

}  // namespace

Result<std::shared_ptr<ModelVersion>> ModelVersion::Create(std::shared_ptr<const session::Session> session, VersionSpec spec) {
  if (spec.max_batch_size < 0) return Refuse("max_batch_size", ": found " + std::to_string(spec.max_batch_size) + ", expected 0 or more");
  if (spec.pipeline.lanes < 1) return Refuse("lanes", ": found " + std::to_string(spec.pipeline.lanes) + ", expected 1 or more");
  const session::Signature& signature = session->signature();
  std::vector<bool> matched;
  Result<std::vector<size_t>> outputs = Match("outputs", spec, spec.outputs, signature.outputs, &matched);
  if (!outputs.ok()) return outputs.status();
  if (spec.outputs.empty()) return Refuse("outputs", ": found none, expected at least one");
  Result<std::vector<size_t>> inputs = Match("inputs", spec, spec.inputs, signature.inputs, &matched);
  if (!inputs.ok()) return inputs.status();
  for (size_t i = 0; i < matched.size(); ++i) {
    if (!matched[i]) return Refuse("inputs", ": missing input " + Quoted(signature.inputs[i].name) + ", which the model file requires");
  }
  try {
    auto room = std::make_unique<pipeline::Pipeline>(std::move(session), spec.pipeline);
    return std::shared_ptr<ModelVersion>(
        new ModelVersion(std::move(spec), std::move(inputs).value(), std::move(outputs).value(), std::move(room)));
  } catch (const std::system_error& error) {
    return Status(StatusCode::kModelLoad, "cannot start the model's threads: " + std::string(error.what()));
  }
}

ModelVersion::ModelVersion(VersionSpec spec, std::vector<size_t> inputs, std::vector<size_t> outputs,
                           std::unique_ptr<pipeline::Pipeline> pipeline)
    : spec_(std::move(spec)), input_index_(std::move(inputs)), output_index_(std::move(outputs)), pipeline_(std::move(pipeline)) {}

}  // namespace penstock::serving
