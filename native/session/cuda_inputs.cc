#include "session/cuda_inputs.h"

#include <algorithm>
#include <utility>

#include "base/checked_math.h"
#include "memory/block.h"
#include "session/ort_tensor.h"

namespace penstock::session {
namespace {

// BYTES and empty tensors stay on the CPU; what is left out has no bytes.
bool IsForDevice(const Tensor& tensor) { return tensor.dtype != DataType::kBytes && tensor.bytes.size != 0; }

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

CudaInputs::CudaInputs(std::shared_ptr<const CudaModel> model, std::shared_ptr<const CudaConversions> conversions)
    : model_(std::move(model)),
      conversions_(std::move(conversions)),
      buffers_(model_->signature.inputs.size()),
      raw_buffers_(model_->signature.inputs.size()),
      lacks_buffer_(model_->signature.inputs.size()),
      first_row_(model_->signature.inputs.size()) {}

Status CudaInputs::Copy(const std::vector<Tensor>& inputs, device::Stream* stream) { return CopyTo(&buffers_, true, inputs, stream); }

Status CudaInputs::CopyInto(std::vector<device::DeviceBuffer>* buffers, const std::vector<Tensor>& inputs, device::Stream* stream) {
  return CopyTo(buffers, false, inputs, stream);
}

Status CudaInputs::CopyTo(std::vector<device::DeviceBuffer>* buffers, bool may_stay, const std::vector<Tensor>& inputs,
                          device::Stream* stream) {
  lacks_buffer_.assign(lacks_buffer_.size(), false);
  Status status = CopyRowTables(inputs, may_stay, stream);
  for (size_t i = 0; i < inputs.size() && status.ok(); ++i) {
    if (IsForDevice(inputs[i]) && !lacks_buffer_[i]) status = CopyOne(i, inputs[i], may_stay, stream, &(*buffers)[i]);
  }
  // ONNX Runtime works on streams of its own, which do not wait for this one, and it does so from BindInput on: what a node on the CPU
  // wants is copied back there and then (IOBinding::BindInput, onnxruntime/core/session/IOBinding.cc).
  const Status waited = stream->Synchronize();
  return status.ok() ? waited : status;
}

const device::PreparedConversion* CudaInputs::ConversionOf(size_t index) const {
  if (conversions_ == nullptr || !conversions_->by_input[index].has_value()) return nullptr;
  return &*conversions_->by_input[index];
}

Status CudaInputs::CopyRowTables(const std::vector<Tensor>& inputs, bool may_stay, device::Stream* stream) {
  const auto lies_apart = [](const Tensor& tensor) { return !tensor.rows.empty() && IsForDevice(tensor); };
  rows_.clear();
  for (size_t i = 0; i < inputs.size(); ++i) {
    first_row_[i] = rows_.size();
    if (lies_apart(inputs[i])) AppendRows(inputs[i], true, &rows_);
  }
  const size_t bytes = rows_.size() * sizeof(device::GatherRow);  // checked: there is a vector of this size
  if (bytes == 0) return Status::Ok();
  const Status grown = Grow(model_->gpu, bytes, &row_buffer_);
  if (grown.ok()) return stream->CopyIn(row_buffer_.data(), rows_.data(), bytes);
  if (grown.code() != StatusCode::kGpuMemory || !may_stay) return grown;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!lies_apart(inputs[i])) continue;
    if (ConversionOf(i) != nullptr) return grown;
    lacks_buffer_[i] = true;
  }
  return Status::Ok();
}

Status CudaInputs::CopyOne(size_t index, const Tensor& tensor, bool may_stay, device::Stream* stream, device::DeviceBuffer* buffer) {
  const device::PreparedConversion* conversion = ConversionOf(index);
  const size_t elements = conversion == nullptr ? 0 : tensor.bytes.size / conversion->element_size();
  uint64_t bytes = tensor.bytes.size;
  if (conversion != nullptr && !CheckedMul(elements, sizeof(float), &bytes)) {
    return Status(StatusCode::kGpuMemory, "the size of a converted input overflows");
  }
  const Status grown = Grow(model_->gpu, bytes, buffer);
  if (grown.code() == StatusCode::kGpuMemory && conversion == nullptr && may_stay) {
    // No failure of ours would ever shrink the arena that holds the memory: only a run can, and this one would not come to be.
    lacks_buffer_[index] = true;
    return Status::Ok();
  }
  if (!grown.ok()) return grown;
  if (!tensor.rows.empty()) {
    const device::DevicePointer table = row_buffer_.data() + first_row_[index] * sizeof(device::GatherRow);
    const device::Kernels& kernels = *conversions_->kernels;
    if (conversion == nullptr) return kernels.GatherRows(stream, table, RowsOf(tensor), PlacesOf(tensor), buffer->data());
    return kernels.GatherRows(stream, *conversion, table, RowsOf(tensor), PlacesOf(tensor), buffer->data());
  }
  if (conversion == nullptr) return stream->CopyIn(buffer->data(), tensor.bytes.data, tensor.bytes.size);
  const device::DeviceBuffer& raw = raw_buffers_[index];
  PENSTOCK_RETURN_IF_ERROR(Grow(model_->gpu, tensor.bytes.size, &raw_buffers_[index]));
  PENSTOCK_RETURN_IF_ERROR(stream->CopyIn(raw.data(), tensor.bytes.data, tensor.bytes.size));
  return conversions_->kernels->ConvertInput(stream, *conversion, raw.data(), elements, buffer->data());
}

Result<OrtHandle<OrtValue>> CudaInputs::Value(size_t index, const Tensor& tensor) {
  return IsForDevice(tensor) && !lacks_buffer_[index] ? BorrowFromDevice(index, tensor) : BorrowOnCpu(index, tensor);
}

Result<OrtHandle<OrtValue>> CudaInputs::BorrowFromDevice(size_t index, const Tensor& tensor) const {
  const device::PreparedConversion* conversion = ConversionOf(index);
  // No overflow: a buffer of that size is there.
  const size_t bytes = conversion == nullptr ? tensor.bytes.size : tensor.bytes.size / conversion->element_size() * sizeof(float);
  const DataType dtype = conversion == nullptr ? tensor.dtype : DataType::kFp32;
  const OrtFunctions& ort = model_->runtime.functions;
  OrtValue* raw = nullptr;
  PENSTOCK_RETURN_IF_ERROR(CheckBinding(
      *model_, ort.CreateTensorWithDataAsOrtValue(model_->device_memory.get(), reinterpret_cast<void*>(buffers_[index].data()), bytes,
                                                  tensor.dims.data(), tensor.dims.size(), ElementTypeOf(dtype), &raw)));
  return OrtHandle<OrtValue>(raw, ort.ReleaseValue);
}

Result<OrtHandle<OrtValue>> CudaInputs::BorrowOnCpu(size_t index, const Tensor& tensor) {
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

bool CudaInputs::lacked_memory() const { return std::find(lacks_buffer_.begin(), lacks_buffer_.end(), true) != lacks_buffer_.end(); }

}  // namespace penstock::session
