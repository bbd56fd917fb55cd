#include "session/cuda_lane.h"

#include <cstring>
#include <numeric>
#include <utility>

#include "session/ort_tensor.h"

namespace penstock::session {
namespace {

// Setting a flag or an entry of an object that exists cannot fail.
void Drop(const OrtRuntime& runtime, OrtStatus* status) {
  if (status != nullptr) runtime.functions.ReleaseStatus(status);
}

}  // namespace

CudaLane::CudaLane(std::shared_ptr<CudaModel> model, std::shared_ptr<const CudaConversions> conversions,
                   std::unique_ptr<CudaGraphs> graphs, OrtHandle<OrtRunOptions> options)
    : model_(std::move(model)),
      options_(std::move(options)),
      inputs_(model_, std::move(conversions)),
      graphs_(std::move(graphs)) {}

void CudaLane::Terminate() {
  terminated_.store(true);
  Drop(model_->runtime, model_->runtime.functions.RunOptionsSetTerminate(options_.get()));
  model_->permits.Wake();
}

void CudaLane::Reset() {
  terminated_.store(false);
  Drop(model_->runtime, model_->runtime.functions.RunOptionsUnsetTerminate(options_.get()));
}

Status CudaLane::Prepare() {
  if (stream_ == nullptr) {
    Result<std::unique_ptr<device::Stream>> stream = device::Stream::Create(model_->gpu);
    if (!stream.ok()) return stream.status();
    stream_ = std::move(stream).value();
  }
  if (binding_ == nullptr) {
    const OrtFunctions& ort = model_->runtime.functions;
    OrtIoBinding* raw = nullptr;
    PENSTOCK_RETURN_IF_ERROR(CheckBinding(*model_, ort.CreateIoBinding(session(), &raw)));
    binding_ = OrtHandle<OrtIoBinding>(raw, ort.ReleaseIoBinding);
  }
  return Status::Ok();
}

bool CudaLane::IsFirstOfItsKind(const std::vector<Tensor>& inputs) const {
  return graphs_ != nullptr && graphs_->Find(inputs) == nullptr && graphs_->Wants(inputs, model_->signature);
}

Status CudaLane::BindInputs(const std::vector<Tensor>& inputs) {
  PENSTOCK_RETURN_IF_ERROR(Prepare());
  draft_.reset();
  graph_ = graphs_ != nullptr ? graphs_->Find(inputs) : nullptr;
  if (graph_ != nullptr) {
    const Status copied = inputs_.CopyInto(&graph_->inputs, inputs, stream_.get());
    if (copied.code() != StatusCode::kGpuMemory) return copied;
    graph_ = nullptr;  // a run without it can leave inputs on the CPU
  } else if (graphs_ != nullptr) {
    draft_ = graphs_->Begin(inputs, model_->signature);
  }
  PENSTOCK_RETURN_IF_ERROR(inputs_.Copy(inputs, stream_.get()));
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].left_out()) continue;
    Result<OrtHandle<OrtValue>> value = inputs_.Value(i, inputs[i]);
    if (!value.ok()) return value.status();
    PENSTOCK_RETURN_IF_ERROR(BindValue(i, std::move(value).value()));
  }
  return Status::Ok();
}

// The binding keeps a reference of its own to what the value holds.
Status CudaLane::BindValue(size_t index, OrtHandle<OrtValue> value) {
  const char* name = model_->signature.inputs[index].name.c_str();
  return CheckBinding(*model_, model_->runtime.functions.BindInput(binding_.get(), name, value.get()));
}

Status CudaLane::BindOutputs(const std::vector<size_t>& outputs) {
  outputs_ = outputs;
  if (graph_ != nullptr) return Status::Ok();
  // A graph gives all of them.
  std::vector<size_t> bound = outputs;
  if (draft_ != nullptr) {
    bound.resize(model_->signature.outputs.size());
    std::iota(bound.begin(), bound.end(), size_t{0});
  }
  for (const size_t output : bound) {
    const TensorSpec& spec = model_->signature.outputs[output];
    const OrtMemoryInfo* place = spec.dtype == DataType::kBytes ? model_->runtime.cpu_memory : model_->device_memory.get();
    PENSTOCK_RETURN_IF_ERROR(CheckBinding(*model_, model_->runtime.functions.BindOutputToDevice(binding_.get(), spec.name.c_str(), place)));
  }
  return Status::Ok();
}

OrtStatus* CudaLane::Execute(bool shrink) {
  shrink = shrink || inputs_.lacked_memory();
  const OrtRuntime& runtime = model_->runtime;
  const OrtFunctions& ort = runtime.functions;
  // Waits until the device has finished, as onnxruntime_run_options_config_keys.h says of "disable_synchronize_execution_providers",
  // which is not set.
  OrtIoBinding* const binding = graph_ != nullptr ? graph_->binding.get() : binding_.get();
  const auto run = [&] { return ort.RunWithBinding(session(), options_.get(), binding); };
  if (graphs_ != nullptr) {
    const char* const id = graph_ != nullptr ? graph_->id.c_str() : kNoGraph;
    Drop(runtime, ort.AddRunConfigEntry(options_.get(), kGraphIdKey, id));
  }
  // What the arena holds without need between runs is where graphs keep their intermediate results.
  if (!shrink || graphs_ != nullptr || !model_->can_shrink.load()) return run();
  // The same header: a list of devices; an empty one, the default, shrinks nothing.
  constexpr const char* kShrink = "memory.enable_memory_arena_shrinkage";
  const std::string devices = "gpu:" + std::to_string(model_->gpu->info().ordinal);
  Drop(runtime, ort.AddRunConfigEntry(options_.get(), kShrink, devices.c_str()));
  OrtStatus* const failure = run();
  Drop(runtime, ort.AddRunConfigEntry(options_.get(), kShrink, ""));
  // A list that names no arena is refused before anything runs (ValidateAndParseShrinkArenaString, onnxruntime/core/session/
  // inference_session.cc): a provider with an allocator from elsewhere has none, and no batch should fail for that.
  const bool refused = failure != nullptr && std::strstr(ort.GetErrorMessage(failure), "in the memory arena shrink list") != nullptr;
  if (!refused) return failure;
  ort.ReleaseStatus(failure);
  model_->can_shrink.store(false);
  return run();
}

Status CudaLane::TakeOutputs(memory::BlockSource& source, std::vector<Tensor>* results) {
  std::vector<OrtHandle<OrtValue>> values;
  std::vector<Tensor> tensors;
  // Values and blocks are in use until the copies are done, whatever goes wrong before.
  struct Waiter {
    CudaLane& lane;
    ~Waiter() { lane.WaitForCopies(); }
  } const waiter{*this};
  PENSTOCK_RETURN_IF_ERROR(graph_ != nullptr ? TakeFromGraph(source, &tensors) : TakeValues(source, &tensors, &values));
  copying_ = false;
  PENSTOCK_RETURN_IF_ERROR(stream_->Synchronize());
  *results = std::move(tensors);
  return Status::Ok();
}

Status CudaLane::TakeValues(memory::BlockSource& source, std::vector<Tensor>* tensors, std::vector<OrtHandle<OrtValue>>* values) {
  const OrtRuntime& runtime = model_->runtime;
  const OrtFunctions& ort = runtime.functions;
  OrtValue** raw = nullptr;
  size_t count = 0;
  PENSTOCK_RETURN_IF_ERROR(CheckBinding(*model_, ort.GetBoundOutputValues(binding_.get(), runtime.allocator, &raw, &count)));
  values->reserve(count);
  for (size_t i = 0; i < count; ++i) values->emplace_back(raw[i], ort.ReleaseValue);
  if (raw != nullptr) Drop(runtime, ort.AllocatorFree(runtime.allocator, raw));

  const bool all_bound = draft_ != nullptr;
  if (all_bound) PENSTOCK_RETURN_IF_ERROR(ReadDraft(*values));
  tensors->reserve(outputs_.size());
  for (size_t i = 0; i < outputs_.size(); ++i) {
    Result<Tensor> tensor = TakeOutput((*values)[all_bound ? outputs_[i] : i], source);
    if (!tensor.ok()) return tensor.status();
    tensors->push_back(std::move(tensor).value());
  }
  return Status::Ok();
}

// Puts it away where some later run of the same inputs' shapes might give other shapes.
Status CudaLane::ReadDraft(const std::vector<OrtHandle<OrtValue>>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    Tensor tensor;
    uint64_t count = 0;
    OutputShape shape;
    PENSTOCK_RETURN_IF_ERROR(DescribeOrtValue(model_->runtime, values[i].get(), &tensor, &count, &shape.bytes));
    shape.dtype = tensor.dtype;
    shape.dims = std::move(tensor.dims);
    if (shape.bytes == 0 || !IsFixed(model_->signature, model_->signature.outputs[i], draft_->rows, shape.dims)) {
      graphs_->GoWithout(draft_->rows);
      draft_.reset();
      return Status::Ok();
    }
    draft_->output_shapes.push_back(std::move(shape));
  }
  return Status::Ok();
}

Result<Tensor> CudaLane::TakeOutput(OrtHandle<OrtValue>& value, memory::BlockSource& source) {
  Tensor tensor;
  uint64_t count = 0;
  uint64_t bytes = 0;
  PENSTOCK_RETURN_IF_ERROR(DescribeOrtValue(model_->runtime, value.get(), &tensor, &count, &bytes));
  if (tensor.dtype == DataType::kBytes) return TensorFromOrtValue(model_->runtime, std::move(value), {});
  void* data = nullptr;
  if (bytes != 0) PENSTOCK_RETURN_IF_ERROR(CheckBinding(*model_, model_->runtime.functions.GetTensorMutableData(value.get(), &data)));
  PENSTOCK_RETURN_IF_ERROR(CopyOut(reinterpret_cast<device::DevicePointer>(data), bytes, source, &tensor));
  return tensor;
}

Status CudaLane::TakeFromGraph(memory::BlockSource& source, std::vector<Tensor>* tensors) {
  for (const size_t output : outputs_) {
    const OutputShape& shape = graph_->output_shapes[output];
    Tensor tensor;
    tensor.dtype = shape.dtype;
    tensor.dims = shape.dims;
    PENSTOCK_RETURN_IF_ERROR(CopyOut(graph_->outputs[output].data(), shape.bytes, source, &tensor));
    tensors->push_back(std::move(tensor));
  }
  return Status::Ok();
}

Status CudaLane::CopyOut(device::DevicePointer from, uint64_t bytes, memory::BlockSource& source, Tensor* tensor) {
  Result<std::shared_ptr<memory::Block>> block = source.Allocate(bytes);
  if (!block.ok()) return block.status();
  if (bytes != 0) {
    copying_ = true;
    PENSTOCK_RETURN_IF_ERROR(stream_->CopyOut(block.value()->data(), from, bytes));
  }
  tensor->bytes = memory::WholeSlice(std::move(block).value());
  return Status::Ok();
}

void CudaLane::WaitForCopies() {
  if (!copying_) return;
  copying_ = false;
  // Only after a failure with a reason of its own: here the waiting is all that matters.
  (void)stream_->Synchronize();
}

Status CudaLane::BindRecording(const std::vector<Tensor>& inputs) {
  graph_ = draft_.get();
  PENSTOCK_RETURN_IF_ERROR(graphs_->Bind(*model_, graph_));
  return inputs_.CopyInto(&graph_->inputs, inputs, stream_.get());
}

void CudaLane::EndRecording(const Status& status) {
  std::unique_ptr<CudaGraph> graph = std::move(draft_);
  graph_ = nullptr;
  if (status.ok()) return graphs_->Add(std::move(graph));
  switch (status.code()) {
    case StatusCode::kRequestCancelled:  // the next run of this size tries again
    case StatusCode::kGpuFault:          // there will be none
    case StatusCode::kGpuLost:
      return;
    case StatusCode::kGpuMemory:
    case StatusCode::kMemory:
      return graphs_->GoWithout(graph->rows);
    default:
      break;
  }
  model_->records.store(false);
  model_->Note("optimization.cuda.graphs: runs without CUDA graphs: recording a run failed: " + status.message());
  graph.reset();
  binding_.reset();
  graphs_.reset();
}

void CudaLane::Finish() {
  WaitForCopies();
  if (binding_ == nullptr) return;
  // The values of a run that are left in the binding would be written into by the next one, whatever its shapes.
  model_->runtime.functions.ClearBoundInputs(binding_.get());
  model_->runtime.functions.ClearBoundOutputs(binding_.get());
  inputs_.Finish();
}

}  // namespace penstock::session
