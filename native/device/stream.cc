#include "device/stream.h"

#include <string>
#include <utility>

namespace penstock::device {

Result<std::unique_ptr<Stream>> Stream::Create(std::shared_ptr<const Gpu> gpu) {
  PENSTOCK_RETURN_IF_ERROR(gpu->Enter());
  CudaStream handle = nullptr;
  PENSTOCK_RETURN_IF_ERROR(gpu->Check("cuStreamCreate", gpu->driver().cuda().cuStreamCreate(&handle, kCudaStreamNonBlocking)));
  return std::unique_ptr<Stream>(new Stream(std::move(gpu), handle));
}

Stream::~Stream() {
  // In a dead context nothing can be given back, and calls of a device that has left may hang.
  if (gpu_->fatal().kind != FaultKind::kNone || !gpu_->Enter().ok()) return;
  (void)gpu_->Check("cuStreamDestroy_v2", gpu_->driver().cuda().cuStreamDestroy_v2(handle_));
}

// Each call enters the context itself: it costs little beside a copy, and ONNX Runtime, which shares the thread, sets its own.

Status Stream::CopyIn(DevicePointer to, const void* from, size_t bytes) {
  if (bytes == 0) return Status::Ok();
  PENSTOCK_RETURN_IF_ERROR(gpu_->Enter());
  return gpu_->Check("cuMemcpyHtoDAsync_v2", gpu_->driver().cuda().cuMemcpyHtoDAsync_v2(to, from, bytes, handle_));
}

Status Stream::CopyOut(void* to, DevicePointer from, size_t bytes) {
  if (bytes == 0) return Status::Ok();
  PENSTOCK_RETURN_IF_ERROR(gpu_->Enter());
  return gpu_->Check("cuMemcpyDtoHAsync_v2", gpu_->driver().cuda().cuMemcpyDtoHAsync_v2(to, from, bytes, handle_));
}

Status Stream::Clear(DevicePointer at, size_t bytes) {
  if (bytes == 0) return Status::Ok();
  PENSTOCK_RETURN_IF_ERROR(gpu_->Enter());
  return gpu_->Check("cuMemsetD8Async", gpu_->driver().cuda().cuMemsetD8Async(at, 0, bytes, handle_));
}

Status Stream::Synchronize() {
  PENSTOCK_RETURN_IF_ERROR(gpu_->Enter());
  return gpu_->Check("cuStreamSynchronize", gpu_->driver().cuda().cuStreamSynchronize(handle_));
}

Result<DeviceBuffer> DeviceBuffer::Allocate(std::shared_ptr<const Gpu> gpu, size_t bytes) {
  DeviceBuffer buffer;
  if (bytes == 0) return Result<DeviceBuffer>(std::move(buffer));
  PENSTOCK_RETURN_IF_ERROR(gpu->Enter());
  const Status allocated = gpu->Check("cuMemAlloc_v2", gpu->driver().cuda().cuMemAlloc_v2(&buffer.data_, bytes));
  if (!allocated.ok()) return Status(allocated.code(), allocated.message() + " for " + std::to_string(bytes) + " bytes");
  buffer.size_ = bytes;
  buffer.gpu_ = std::move(gpu);
  return Result<DeviceBuffer>(std::move(buffer));
}

DeviceBuffer::~DeviceBuffer() {
  // As with a stream: what a dead context holds goes with the process.
  if (gpu_ == nullptr || gpu_->fatal().kind != FaultKind::kNone || !gpu_->Enter().ok()) return;
  (void)gpu_->Check("cuMemFree_v2", gpu_->driver().cuda().cuMemFree_v2(data_));
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : gpu_(std::move(other.gpu_)), data_(std::exchange(other.data_, 0)), size_(std::exchange(other.size_, 0)) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  DeviceBuffer old(std::move(other));  // takes this buffer's memory away with it
  std::swap(gpu_, old.gpu_);
  std::swap(data_, old.data_);
  std::swap(size_, old.size_);
  return *this;
}

}  // namespace penstock::device
