#include "session/cuda_lane.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/checked_math.h"
#include "session/cuda_failure.h"
#include "session/ort_status.h"
#include "session/ort_tensor.h"

namespace penstock::session {
namespace {

// BYTES and empty tensors stay on the CPU; what is left out has no bytes.
bool IsForDevice(const Tensor& tensor) { return tensor.dtype != DataType::kBytes && tensor.bytes.size != 0; }

// Setting a flag or an entry of an object that exists cannot fail.
void Drop(const OrtRuntime& runtime, OrtStatus* status) {
  if (status != nullptr) runtime.functions.ReleaseStatus(status);
}

// Rows of the first dimension; only of a tensor that has one and is not empty.
uint64_t RowsOf(const Tensor& tensor) { return static_cast<uint64_t>(tensor.dims[0]); }

// Of one row, in the type that it comes in.
device::RowPlaces PlacesOf(const Tensor& tensor) {
  device::RowPlaces places;
  places.element_size = DataTypeSize(tensor.dtype);
  places.elements = tensor.bytes.size / RowsOf(tensor) / places.element_size;
  return places;
}

// One entry a row, those that are missing at the end included; `on_device` says which address it has.
void AppendRows(const Tensor& tensor, bool on_device, std::vector<device::GatherRow>* table) {
  const device::RowPlaces places = PlacesOf(tensor);
  const size_t bytes = places.elements * places.element_size;
  const size_t end = table->size() + RowsOf(tensor);
  table->reserve(end);
  for (const memory::Slice& slice : tensor.rows) {
    const uint64_t begin = on_device ? slice.device : reinterpret_cast<uint64_t>(slice.data);
    for (size_t at = 0; at < slice.size; at += bytes) table->push_back({begin + at, places.elements});
  }
  table->resize(end);
}

Status Grow(const std::shared_ptr<const device::Gpu>& gpu, size_t bytes, device::DeviceBuffer* buffer) {
  if (buffer->size() >= bytes) return Status::Ok();
  *buffer = device::DeviceBuffer();  // given back first: the two need not fit side by side
  Result<device::DeviceBuffer> larger = device::DeviceBuffer::Allocate(gpu, bytes);
  if (!larger.ok()) return larger.status();
  *buffer = std::move(larger).value();
  return Status::Ok();
}

}  // namespace

CudaLane::CudaLane(std::shared_ptr<CudaModel> model, std::shared_ptr<const CudaConversions> conversions,
                   std::unique_ptr<CudaGraphs> graphs, OrtHandle<OrtRunOptions> options)
    : model_(std::move(model)),
      conversions_(std::move(conversions)),
      options_(std::move(options)),
      input_buffers_(model_->signature.inputs.size()),
      raw_buffers_(model_->signature.inputs.size()),
      first_row_(model_->signature.inputs.size()),
      lacks_buffer_(model_->signature.inputs.size()),
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

// Binding an input may copy it, and so fail for what the GPU has or lacks.
Status CudaLane::Check(OrtStatus* status) const {
  if (status == nullptr) return Status::Ok();
  const OrtFunctions& ort = model_->runtime.functions;
  const OrtHandle<OrtStatus> owned(status, ort.ReleaseStatus);
  const std::string message = "cannot bind a tensor: " + CleanOrtMessage(ort.GetErrorMessage(status), "");
  return ExplainCudaFailure(model_->runtime, *model_->gpu, status, StatusCode::kModelRun, message);
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
    PENSTOCK_RETURN_IF_ERROR(Check(ort.CreateIoBinding(session(), &raw)));
    binding_ = OrtHandle<OrtIoBinding>(raw, ort.ReleaseIoBinding);
  }
  return Status::Ok();
}

bool CudaLane::IsFirstOfItsKind(const std::vector<Tensor>& inputs) const {
  return graphs_ != nullptr && graphs_->Find(inputs) == nullptr && graphs_->Wants(inputs, model_->signature);
}

bool CudaLane::IsOnDevice(size_t index, const Tensor& tensor) const { return IsForDevice(tensor) && !lacks_buffer_[index]; }

Status CudaLane::BindInputs(const std::vector<Tensor>& inputs) {
  PENSTOCK_RETURN_IF_ERROR(Prepare());
  lacks_buffer_.assign(lacks_buffer_.size(), false);
  draft_.reset();
  graph_ = graphs_ != nullptr ? graphs_->Find(inputs) : nullptr;
  if (graph_ != nullptr) return CopyIntoGraph(inputs);
  if (graphs_ != nullptr) draft_ = graphs_->Begin(inputs, model_->signature);
  PENSTOCK_RETURN_IF_ERROR(CopyInputs(inputs));
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].left_out()) continue;
    Result<OrtHandle<OrtValue>> value = IsOnDevice(i, inputs[i]) ? BorrowFromDevice(i, inputs[i]) : BorrowOnCpu(i, inputs[i]);
    if (!value.ok()) return value.status();
    PENSTOCK_RETURN_IF_ERROR(BindValue(i, std::move(value).value()));
  }
  return Status::Ok();
}

Status CudaLane::CopyInputs(const std::vector<Tensor>& inputs) {
  PENSTOCK_RETURN_IF_ERROR(CopyRowTables(inputs));
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (IsForDevice(inputs[i])) PENSTOCK_RETURN_IF_ERROR(CopyToDevice(i, inputs[i]));
  }
  // ONNX Runtime works on streams of its own, which do not wait for this one, and it does so from BindInput on: what a node on the CPU
  // wants is copied back there and then (IOBinding::BindInput, onnxruntime/core/session/IOBinding.cc).
  copying_ = false;
  return stream_->Synchronize();
}

// Its buffers take the place of the lane's own meanwhile. They are large enough, so that none is made anew.
Status CudaLane::CopyIntoGraph(const std::vector<Tensor>& inputs) {
  struct Swapped {
    std::vector<device::DeviceBuffer>& own;
    std::vector<device::DeviceBuffer>& recorded;
    Swapped(std::vector<device::DeviceBuffer>* a, std::vector<device::DeviceBuffer>* b) : own(*a), recorded(*b) { std::swap(own, recorded); }
    // Also when memory runs out in between: the graph goes on reading its own.
    ~Swapped() { std::swap(own, recorded); }
  } const swapped(&input_buffers_, &graph_->inputs);
  return CopyInputs(inputs);
}

const device::PreparedConversion* CudaLane::ConversionOf(size_t index) const {
  if (conversions_ == nullptr || !conversions_->by_input[index].has_value()) return nullptr;
  return &*conversions_->by_input[index];
}

Status CudaLane::CopyRowTables(const std::vector<Tensor>& inputs) {
  rows_.clear();
  for (size_t i = 0; i < inputs.size(); ++i) {
    first_row_[i] = rows_.size();
    if (!inputs[i].rows.empty() && IsForDevice(inputs[i])) AppendRows(inputs[i], true, &rows_);
  }
  const size_t bytes = rows_.size() * sizeof(device::GatherRow);  // checked: there is a vector of this size
  if (bytes == 0) return Status::Ok();
  PENSTOCK_RETURN_IF_ERROR(Grow(model_->gpu, bytes, &row_buffer_));
  copying_ = true;
  return stream_->CopyIn(row_buffer_.data(), rows_.data(), bytes);
}

Status CudaLane::CopyToDevice(size_t index, const Tensor& tensor) {
  device::DeviceBuffer& buffer = input_buffers_[index];
  const device::PreparedConversion* conversion = ConversionOf(index);
  const size_t elements = conversion == nullptr ? 0 : tensor.bytes.size / conversion->element_size();
  uint64_t bytes = tensor.bytes.size;
  if (conversion != nullptr && !CheckedMul(elements, sizeof(float), &bytes)) {
    return Status(StatusCode::kGpuMemory, "the size of a converted input overflows");
  }
  const Status grown = Grow(model_->gpu, bytes, &buffer);
  if (grown.code() == StatusCode::kGpuMemory && conversion == nullptr) {
    // No failure of ours would ever shrink the arena that holds the memory: only a run can, and this one would not come to be.
    lacks_buffer_[index] = true;
    return Status::Ok();
  }
  if (!grown.ok()) return grown;
  if (!tensor.rows.empty()) {
    const device::DevicePointer table = row_buffer_.data() + first_row_[index] * sizeof(device::GatherRow);
    const device::Kernels& kernels = *conversions_->kernels;
    if (conversion == nullptr) return kernels.GatherRows(stream_.get(), table, RowsOf(tensor), PlacesOf(tensor), buffer.data());
    return kernels.GatherRows(stream_.get(), *conversion, table, RowsOf(tensor), PlacesOf(tensor), buffer.data());
  }
  if (conversion != nullptr) PENSTOCK_RETURN_IF_ERROR(Grow(model_->gpu, tensor.bytes.size, &raw_buffers_[index]));
  const device::DevicePointer arrival = conversion == nullptr ? buffer.data() : raw_buffers_[index].data();
  copying_ = true;
  PENSTOCK_RETURN_IF_ERROR(stream_->CopyIn(arrival, tensor.bytes.data, tensor.bytes.size));
  if (conversion == nullptr) return Status::Ok();
  return conversions_->kernels->ConvertInput(stream_.get(), *conversion, arrival, elements, buffer.data());
}

Result<OrtHandle<OrtValue>> CudaLane::BorrowFromDevice(size_t index, const Tensor& tensor) const {
  const device::PreparedConversion* conversion = ConversionOf(index);
  // No overflow: a buffer of that size is there.
  const size_t bytes = conversion == nullptr ? tensor.bytes.size : tensor.bytes.size / conversion->element_size() * sizeof(float);
  const DataType dtype = conversion == nullptr ? tensor.dtype : DataType::kFp32;
  const OrtFunctions& ort = model_->runtime.functions;
  OrtValue* raw = nullptr;
  PENSTOCK_RETURN_IF_ERROR(Check(ort.CreateTensorWithDataAsOrtValue(model_->device_memory.get(),
                                                                    reinterpret_cast<void*>(input_buffers_[index].data()), bytes,
                                                                    tensor.dims.data(), tensor.dims.size(), ElementTypeOf(dtype), &raw)));
  return OrtHandle<OrtValue>(raw, ort.ReleaseValue);
}

Result<OrtHandle<OrtValue>> CudaLane::BorrowOnCpu(size_t index, const Tensor& tensor) {
  Tensor on_cpu = tensor;
  if (ConversionOf(index) != nullptr) on_cpu.dtype = DataType::kFp32;  // and empty
  if (!tensor.rows.empty() && tensor.bytes.size != 0) {
    std::vector<device::GatherRow> rows;
    AppendRows(tensor, false, &rows);
    PENSTOCK_RETURN_IF_ERROR(device::CheckPlaces(PlacesOf(tensor), rows.size()));
    Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(tensor.bytes.size);
    if (!block.ok()) return block.status();
    device::GatherRows(rows, PlacesOf(tensor), block.value()->data());
    on_cpu.bytes = memory::WholeSlice(std::move(block).value());
    joined_.push_back(on_cpu.bytes);
  }
  return BorrowAsOrtValue(model_->runtime, on_cpu);
}

// The binding keeps a reference of its own to what the value holds.
Status CudaLane::BindValue(size_t index, OrtHandle<OrtValue> value) {
  const char* name = model_->signature.inputs[index].name.c_str();
  return Check(model_->runtime.functions.BindInput(binding_.get(), name, value.get()));
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
    PENSTOCK_RETURN_IF_ERROR(Check(model_->runtime.functions.BindOutputToDevice(binding_.get(), spec.name.c_str(), place)));
  }
  return Status::Ok();
}

OrtStatus* CudaLane::Execute(bool shrink) {
  shrink = shrink || std::find(lacks_buffer_.begin(), lacks_buffer_.end(), true) != lacks_buffer_.end();
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
  PENSTOCK_RETURN_IF_ERROR(Check(ort.GetBoundOutputValues(binding_.get(), runtime.allocator, &raw, &count)));
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
  if (bytes != 0) PENSTOCK_RETURN_IF_ERROR(Check(model_->runtime.functions.GetTensorMutableData(value.get(), &data)));
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
  return CopyIntoGraph(inputs);
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
  joined_.clear();
}

}  // namespace penstock::session
