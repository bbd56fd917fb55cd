#include "serving/model_version.h"

#include <algorithm>
#include <mutex>
#include <system_error>
#include <utility>

#include "pipeline/warm_up.h"
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
    if (tensor.optional && !present[at].optional) {
      return Refuse(path, ".optional: found true, expected false, as the model file has no value for input " + Quoted(tensor.name));
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

// Position of the tensor of this name; the size of `tensors` when there is none.
size_t PlaceOf(const std::vector<ApiTensor>& tensors, const std::string& name) {
  return static_cast<size_t>(
      std::find_if(tensors.begin(), tensors.end(), [&name](const ApiTensor& tensor) { return tensor.name == name; }) - tensors.begin());
}

Status CheckPaddedInput(const ApiTensor& tensor, const PaddedInput& padded, const std::string& path) {
  const auto dim = static_cast<size_t>(padded.dim);
  if (dim < 1 || dim >= tensor.dims.size() || std::count(tensor.dims.begin() + 1, tensor.dims.end(), -1) != 1 || tensor.dims[dim] != -1) {
    return Refuse(path, ".dim: found " + std::to_string(padded.dim) + ", expected the only open dimension of " + ShapeText(tensor.dims) +
                            " beyond the batch");
  }
  const size_t size = tensor.dtype == DataType::kBytes ? 0 : DataTypeSize(tensor.dtype);
  if (size == 0 || padded.value.size() != size) {
    return Refuse(path, ".value: found " + std::to_string(padded.value.size()) + " bytes, expected one element of " +
                            std::string(DataTypeName(tensor.dtype)));
  }
  return Status::Ok();
}

// What is to be padded and cut, by position in the signature; null where nothing is. `inputs` and `outputs`: where those of `spec` are.
Result<std::shared_ptr<const pipeline::Ragged>> FindRagged(const VersionSpec& spec, const std::vector<size_t>& inputs,
                                                           const std::vector<size_t>& outputs) {
  if (spec.padded_inputs.empty()) return std::shared_ptr<const pipeline::Ragged>();
  auto ragged = std::make_shared<pipeline::Ragged>();
  if (spec.max_batch_size == 0) return Refuse("padded_inputs", ": found some, expected none, as max_batch_size is 0");
  for (size_t i = 0; i < spec.padded_inputs.size(); ++i) {
    const PaddedInput& padded = spec.padded_inputs[i];
    const std::string path = "padded_inputs[" + std::to_string(i) + "]";
    const size_t place = PlaceOf(spec.inputs, padded.input);
    if (place == inputs.size()) return Refuse(path, ".input: found " + Quoted(padded.input) + ", which is not among the inputs");
    PENSTOCK_RETURN_IF_ERROR(CheckPaddedInput(spec.inputs[place], padded, path));
    ragged->inputs.push_back({inputs[place], static_cast<size_t>(padded.dim), padded.value});
  }
  for (size_t i = 0; i < spec.cut_outputs.size(); ++i) {
    const CutOutput& cut = spec.cut_outputs[i];
    const std::string path = "cut_outputs[" + std::to_string(i) + "]";
    const size_t place = PlaceOf(spec.outputs, cut.output);
    if (place == outputs.size()) return Refuse(path, ".output: found " + Quoted(cut.output) + ", which is not among the outputs");
    const ApiTensor& tensor = spec.outputs[place];
    const auto outside = [&tensor](int64_t dim) { return dim < 1 || static_cast<size_t>(dim) >= tensor.dims.size(); };
    if (cut.dims.empty() || !std::is_sorted(cut.dims.begin(), cut.dims.end()) || std::any_of(cut.dims.begin(), cut.dims.end(), outside)) {
      return Refuse(path, ".dims: found " + ShapeText(cut.dims) + ", expected dimensions of " + ShapeText(tensor.dims) +
                              " beyond the batch, rising");
    }
    if (tensor.dtype == DataType::kBytes) return Refuse(path, ".output: found " + Quoted(cut.output) + ", which is BYTES");
    ragged->outputs.push_back({outputs[place], {cut.dims.begin(), cut.dims.end()}});
  }
  return std::shared_ptr<const pipeline::Ragged>(std::move(ragged));
}

Status CheckNumbers(const VersionSpec& spec) {
  const batching::BatchingOptions& batching = spec.pipeline.batching;
  if (spec.max_batch_size < 0) return Refuse("max_batch_size", ": found " + std::to_string(spec.max_batch_size) + ", expected 0 or more");
  if (batching.lanes < 1) return Refuse("lanes", ": found " + std::to_string(batching.lanes) + ", expected 1 or more");
  if (batching.merge && spec.max_batch_size == 0) {
    return Refuse("batching", ": found batches to be merged, expected none, as max_batch_size is 0");
  }
  return Status::Ok();
}

// Two lanes gave `joint_speed` (0 = not measured): keeps them, or grants one, or warns whoever insists on them. The warm-up has noted how
// fast they were.
void DecideLanes(double joint_speed, VersionSpec* spec, std::vector<std::string>* notes) {
  int& lanes = spec->pipeline.batching.lanes;
  if (lanes < 2 || joint_speed >= pipeline::kWorthwhileJointSpeed) return;
  const std::string rule = "a second one pays where two are at least 1.2 times as fast as one";
  static_assert(pipeline::kWorthwhileJointSpeed == 1.2, "the note says so");
  if (spec->lanes_if_faster) {
    lanes = 1;
    notes->push_back("one lane runs; " + rule);
  } else if (joint_speed != 0) {
    notes->push_back(std::to_string(lanes) + " lanes run as configured, although " + rule);
  }
}

// Finds out what the wishes of `spec` need to know and puts what is granted in their place. `inputs` and `outputs`: where its own are in the
// session's signature. Returns WarmUpReport::open_dim.
int64_t SettleWishes(const session::Session& session, const std::vector<size_t>& inputs, const std::vector<size_t>& outputs,
                     VersionSpec* spec, VersionReport* report) {
  batching::BatchingOptions& batching = spec->pipeline.batching;
  batching.max_batch_rows = std::max<int64_t>(1, spec->max_batch_size);
  pipeline::WarmUpReport found;
  if (spec->warm_up) {
    pipeline::WarmUpOptions options;
    options.batched = spec->max_batch_size > 0;
    options.max_batch_rows = batching.max_batch_rows;
    // Padding is company, too: a row that feels its neighbours would feel the zeros.
    options.check_rows = batching.merge ? spec->merge_if_rows_are_independent : !session.gpus().empty();
    for (const size_t position : inputs) {
      if (session.signature().inputs[position].optional) options.optional_inputs.push_back(position);
    }
    if (spec->merge_if_rows_are_independent) options.ragged = spec->pipeline.ragged;
    options.outputs = outputs;
    // Of lanes on a GPU only one runs at a time, the others copy.
    options.try_two_lanes = batching.lanes > 1 && session.gpus().empty();
    options.watchdog = spec->pipeline.watchdog;
    options.model = spec->pipeline.model;
    // Models load side by side, but times that were taken side by side would be worth nothing.
    static std::mutex one_at_a_time;
    const std::lock_guard<std::mutex> lock(one_at_a_time);
    found = pipeline::WarmUp(session, options);
  }
  report->notes = std::move(found.notes);
  if (spec->merge_if_rows_are_independent && !found.rows_are_independent) batching.merge = false;  // a note of the warm-up says why
  if (!batching.merge || (spec->merge_if_rows_are_independent && !found.rows_may_be_padded)) spec->pipeline.ragged = nullptr;  // likewise
  spec->pipeline.pad = spec->max_batch_size > 0 && (batching.merge || found.rows_are_independent);
  DecideLanes(found.joint_speed, spec, &report->notes);
  spec->pipeline.run_samples = std::move(found.samples);
  report->lanes = batching.lanes;
  report->merges = batching.merge;
  report->pads = spec->pipeline.ragged != nullptr;
  return found.open_dim;
}

// Null where there is none; a note says why if one was wanted.
std::unique_ptr<pipeline::Canary> KeepCanary(const std::shared_ptr<const session::Session>& session, const VersionSpec& spec,
                                             int64_t open_dim, VersionReport* report) {
  if (!spec.canary || open_dim == 0 || session->gpus().empty()) return nullptr;
  pipeline::CanaryOptions options;
  options.model = spec.pipeline.model;
  options.batched = spec.max_batch_size > 0;
  options.open_dim = open_dim;
  options.watchdog = spec.pipeline.watchdog;
  options.run_history = spec.pipeline.run_history;
  std::string why;
  std::unique_ptr<pipeline::Canary> canary = pipeline::Canary::Create(session, options, &why);
  if (canary == nullptr) report->notes.push_back("its answers cannot be checked at intervals: " + why);
  return canary;
}

}  // namespace

Result<std::shared_ptr<ModelVersion>> ModelVersion::Create(std::shared_ptr<const session::Session> session, VersionSpec spec,
                                                           VersionReport* report) {
  PENSTOCK_RETURN_IF_ERROR(CheckNumbers(spec));
  const session::Signature& signature = session->signature();
  std::vector<bool> matched;
  Result<std::vector<size_t>> outputs = Match("outputs", spec, spec.outputs, signature.outputs, &matched);
  if (!outputs.ok()) return outputs.status();
  if (spec.outputs.empty()) return Refuse("outputs", ": found none, expected at least one");
  Result<std::vector<size_t>> inputs = Match("inputs", spec, spec.inputs, signature.inputs, &matched);
  if (!inputs.ok()) return inputs.status();
  for (size_t i = 0; i < matched.size(); ++i) {
    if (matched[i] || signature.inputs[i].optional) continue;
    return Refuse("inputs", ": missing input " + Quoted(signature.inputs[i].name) + ", which the model file requires");
  }
  Result<std::shared_ptr<const pipeline::Ragged>> ragged = FindRagged(spec, inputs.value(), outputs.value());
  if (!ragged.ok()) return ragged.status();
  spec.pipeline.ragged = std::move(ragged).value();
  VersionReport unread;
  if (report == nullptr) report = &unread;
  spec.pipeline.model = spec.model_name + " version " + std::to_string(spec.version);
  spec.pipeline.run_history = std::make_shared<pipeline::RunHistory>();
  try {
    const int64_t open_dim = SettleWishes(*session, inputs.value(), outputs.value(), &spec, report);
    std::unique_ptr<pipeline::Canary> canary = KeepCanary(session, spec, open_dim, report);
    auto room = std::make_unique<pipeline::Pipeline>(session, spec.pipeline);
    session->MeasureMemory();
    std::shared_ptr<ModelVersion> version(new ModelVersion(std::move(spec), std::move(inputs).value(), std::move(outputs).value(),
                                                           std::move(room), std::move(canary)));
    for (std::string& note : version->TakeNotes()) report->notes.push_back(std::move(note));
    return version;
  } catch (const std::system_error& error) {
    return Status(StatusCode::kModelLoad, "cannot start the model's threads: " + std::string(error.what()));
  }
}

ModelVersion::ModelVersion(VersionSpec spec, std::vector<size_t> inputs, std::vector<size_t> outputs,
                           std::unique_ptr<pipeline::Pipeline> pipeline, std::unique_ptr<pipeline::Canary> canary)
    : spec_(std::move(spec)),
      input_index_(std::move(inputs)),
      output_index_(std::move(outputs)),
      pipeline_(std::move(pipeline)),
      canary_(std::move(canary)) {
  for (const size_t position : input_index_) job_inputs_ = std::max(job_inputs_, position + 1);
  if (!spec_.pipeline.batching.merge) return;
  for (size_t i = 0; i < spec_.inputs.size(); ++i) {
    if (spec_.inputs[i].optional) optional_inputs_.push_back(input_index_[i]);
    if (IsPadded(input_index_[i])) continue;
    const std::vector<int64_t>& dims = spec_.inputs[i].dims;
    if (std::find(dims.begin() + 1, dims.end(), -1) != dims.end()) inputs_to_match_.push_back(input_index_[i]);
  }
}

std::vector<std::string> ModelVersion::TakeNotes() {
  std::vector<std::string> notes;
  const std::lock_guard<std::mutex> lock(told_mutex_);
  for (std::string& note : pipeline_->session().notes()) {
    if (told_.insert(note).second) notes.push_back(std::move(note));
  }
  return notes;
}

bool ModelVersion::IsPadded(size_t input) const {
  if (ragged() == nullptr) return false;
  const std::vector<pipeline::RaggedInput>& padded = ragged()->inputs;
  return std::any_of(padded.begin(), padded.end(), [input](const pipeline::RaggedInput& one) { return one.input == input; });
}

}  // namespace penstock::serving
