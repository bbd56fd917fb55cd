#include "session/cuda_lane.h"

#include <utility>

#include "base/checked_math.h"
#include "session/ort_status.h"
#include "session/ort_tensor.h"

namespace penstock::session {
namespace {

Status Check(const OrtRuntime& runtime, OrtStatus* status) {
  return TakeOrtStatus(runtime.functions, status, StatusCode::kModelRun, "cannot bind a tensor: ");
}

// Setting a flag or an entry of an object that exists cannot fail.
void Drop(const OrtRuntime& runtime, OrtStatus* status) {
  if (status != nullptr) runtime.functions.ReleaseStatus(status);
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

CudaLane::CudaLane(std::shared_ptr<CudaModel> model, std::shared_ptr<const CudaConversions> conversions, OrtHandle<OrtRunOptions> options)
    : model_(std::move(model)),
      conversions_(std::move(conversions)),
      options_(std::move(options)),
      input_buffers_(model_->signature.inputs.size()),
      raw_buffers_(model_->signature.inputs.size()) {}

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
    PENSTOCK_RETURN_IF_ERROR(Check(model_->runtime, ort.CreateIoBinding(model_->session.get(), &raw)));
    binding_ = OrtHandle<OrtIoBinding>(raw, ort.ReleaseIoBinding);
  }
  return Status::Ok();
}

Status CudaLane::BindInputs(const std::vector<Tensor>& inputs) {
  PENSTOCK_RETURN_IF_ERROR(Prepare());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].dtype != DataType::kBytes && inputs[i].bytes.size != 0) {
      PENSTOCK_RETURN_IF_ERROR(BindOnDevice(i, inputs[i]));
      continue;
    }
    Tensor on_cpu = inputs[i];
    if (ConversionOf(i) != nullptr) on_cpu.dtype = DataType::kFp32;  // and empty
    Result<OrtHandle<OrtValue>> value = BorrowAsOrtValue(model_->runtime, on_cpu);
    if (!value.ok()) return value.status();
    PENSTOCK_RETURN_IF_ERROR(BindValue(i, std::move(value).value()));
  }
  // ONNX Runtime works on a stream of its own, which does not wait for this one.
  copying_ = false;
  return stream_->Synchronize();
}

const device::PreparedConversion* CudaLane::ConversionOf(size_t index) const {
  if (conversions_ == nullptr || !conversions_->by_input[index].has_value()) return nullptr;
  return &*conversions_->by_input[index];
}

Status CudaLane::BindOnDevice(size_t index, const Tensor& tensor) {
  device::DeviceBuffer& buffer = input_buffers_[index];
  const device::PreparedConversion* conversion = ConversionOf(index);
  const size_t elements = conversion == nullptr ? 0 : tensor.bytes.size / conversion->element_size();
  const DataType dtype = conversion == nullptr ? tensor.dtype : DataType::kFp32;
  uint64_t bytes = tensor.bytes.size;
  if (conversion != nullptr && !CheckedMul(elements, sizeof(float), &bytes)) {
    return Status(StatusCode::kGpuMemory, "the size of a converted input overflows");
  }
  PENSTOCK_RETURN_IF_ERROR(Grow(model_->gpu, bytes, &buffer));
  if (conversion != nullptr) PENSTOCK_RETURN_IF_ERROR(Grow(model_->gpu, tensor.bytes.size, &raw_buffers_[index]));
  const device::DevicePointer arrival = conversion == nullptr ? buffer.data() : raw_buffers_[index].data();
  copying_ = true;
  PENSTOCK_RETURN_IF_ERROR(stream_->CopyIn(arrival, tensor.bytes.data, tensor.bytes.size));
  if (conversion != nullptr) {
    PENSTOCK_RETURN_IF_ERROR(conversions_->kernels->ConvertInput(stream_.get(), *conversion, arrival, elements, buffer.data()));
  }
  const OrtFunctions& ort = model_->runtime.functions;
  OrtValue* raw = nullptr;
  PENSTOCK_RETURN_IF_ERROR(Check(model_->runtime, ort.CreateTensorWithDataAsOrtValue(
                                                      model_->device_memory.get(), reinterpret_cast<void*>(buffer.data()),
                                                      bytes, tensor.dims.data(), tensor.dims.size(), ElementTypeOf(dtype), &raw)));
  return BindValue(index, OrtHandle<OrtValue>(raw, ort.ReleaseValue));
}

// The binding keeps a reference of its own to what the value holds.
Status CudaLane::BindValue(size_t index, OrtHandle<OrtValue> value) {
  const char* name = model_->signature.inputs[index].name.c_str();
  return Check(model_->runtime, model_->runtime.functions.BindInput(binding_.get(), name, value.get()));
}

Status CudaLane::BindOutputs(const std::vector<size_t>& outputs) {
  for (const size_t output : outputs) {
    const TensorSpec& spec = model_->signature.outputs[output];
    const OrtMemoryInfo* place = spec.dtype == DataType::kBytes ? model_->runtime.cpu_memory : model_->device_memory.get();
    PENSTOCK_RETURN_IF_ERROR(
        Check(model_->runtime, model_->runtime.functions.BindOutputToDevice(binding_.get(), spec.name.c_str(), place)));
  }
  return Status::Ok();
}

OrtStatus* CudaLane::Execute(bool shrink) {
  const OrtRuntime& runtime = model_->runtime;
  // onnxruntime_run_options_config_keys.h: a list of devices; an empty one, the default, shrinks nothing.
  constexpr const char* kShrink = "memory.enable_memory_arena_shrinkage";
  if (shrink) {
    const std::string devices = "gpu:" + std::to_string(model_->gpu->info().ordinal);
    Drop(runtime, runtime.functions.AddRunConfigEntry(options_.get(), kShrink, devices.c_str()));
  }
  // Waits until the device has finished, as the same header says of "disable_synchronize_execution_providers", which is not set.
  OrtStatus* const failure = runtime.functions.RunWithBinding(model_->session.get(), options_.get(), binding_.get());
  if (shrink) Drop(runtime, runtime.functions.AddRunConfigEntry(options_.get(), kShrink, ""));
  return failure;
}

Status CudaLane::TakeOutputs(memory::BlockSource& source, std::vector<Tensor>* results) {
  const OrtRuntime& runtime = model_->runtime;
  const OrtFunctions& ort = runtime.functions;
  OrtValue** raw = nullptr;
  size_t count = 0;
  PENSTOCK_RETURN_IF_ERROR(Check(runtime, ort.GetBoundOutputValues(binding_.get(), runtime.allocator, &raw, &count)));
  std::vector<OrtHandle<OrtValue>> values;
  values.reserve(count);
  for (size_t i = 0; i < count; ++i) values.emplace_back(raw[i], ort.ReleaseValue);
  if (raw != nullptr) Drop(runtime, ort.AllocatorFree(runtime.allocator, raw));

  std::vector<Tensor> tensors;
  tensors.reserve(count);
  // Values and blocks are in use until the copies are done, whatever goes wrong before.
  struct Waiter {
    CudaLane& lane;
    ~Waiter() { lane.WaitForCopies(); }
  } const waiter{*this};
  for (OrtHandle<OrtValue>& value : values) {
    Result<Tensor> tensor = TakeOutput(value, source);
    if (!tensor.ok()) return tensor.status();
    tensors.push_back(std::move(tensor).value());
  }
  copying_ = false;
  PENSTOCK_RETURN_IF_ERROR(stream_->Synchronize());
  *results = std::move(tensors);
  return Status::Ok();
}

Result<Tensor> CudaLane::TakeOutput(OrtHandle<OrtValue>& value, memory::BlockSource& source) {
  Tensor tensor;
  uint64_t count = 0;
  uint64_t bytes = 0;
  PENSTOCK_RETURN_IF_ERROR(DescribeOrtValue(model_->runtime, value.get(), &tensor, &count, &bytes));
  if (tensor.dtype == DataType::kBytes) return TensorFromOrtValue(model_->runtime, std::move(value), {});
  Result<std::shared_ptr<memory::Block>> block = source.Allocate(bytes);
  if (!block.ok()) return block.status();
  if (bytes != 0) {
    void* data = nullptr;
    PENSTOCK_RETURN_IF_ERROR(Check(model_->runtime, model_->runtime.functions.GetTensorMutableData(value.get(), &data)));
    copying_ = true;
    PENSTOCK_RETURN_IF_ERROR(stream_->CopyOut(block.value()->data(), reinterpret_cast<device::DevicePointer>(data), bytes));
  }
  tensor.bytes = memory::WholeSlice(std::move(block).value());
  return tensor;
}

void CudaLane::WaitForCopies() {
  if (!copying_) return;
  copying_ = false;
  // Only after a failure with a reason of its own: here the waiting is all that matters.
  (void)stream_->Synchronize();
}

void CudaLane::Finish() {
  WaitForCopies();
  if (binding_ == nullptr) return;
  // The values of a run that are left in the binding would be written into by the next one, whatever its shapes.
  model_->runtime.functions.ClearBoundInputs(binding_.get());
  model_->runtime.functions.ClearBoundOutputs(binding_.get());
}

}  // namespace penstock::session
