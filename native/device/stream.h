// A stream of copies and kernels on one GPU, of one thread.
#pragma once

#include <cstddef>
#include <memory>

#include "base/status.h"
#include "device/gpu.h"

namespace penstock::device {

// A pointer into device memory.
using DevicePointer = uint64_t;

// Not thread-safe: it belongs to one thread at a time. Work is asynchronous until Synchronize(); buffers must live until then.
class Stream {
 public:
  // [any thread] Non-blocking towards the default stream.
  static Result<std::unique_ptr<Stream>> Create(std::shared_ptr<const Gpu> gpu);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  Status CopyIn(DevicePointer to, const void* from, size_t bytes);
  Status CopyOut(void* to, DevicePointer from, size_t bytes);
  Status Clear(DevicePointer at, size_t bytes);  // zeros
  // [blocks] Until all that was asked for is done.
  Status Synchronize();

  const Gpu& gpu() const { return *gpu_; }
  CudaStream handle() const { return handle_; }

 private:
  Stream(std::shared_ptr<const Gpu> gpu, CudaStream handle) : gpu_(std::move(gpu)), handle_(handle) {}
  const std::shared_ptr<const Gpu> gpu_;
  const CudaStream handle_;
};

// Device memory of ours (ONNX Runtime has its own). Freed with the object, by any thread.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  // Errors: kGpuMemory, kGpuFault, kGpuLost. A size of 0 gives an empty buffer.
  static Result<DeviceBuffer> Allocate(std::shared_ptr<const Gpu> gpu, size_t bytes);
  ~DeviceBuffer();
  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;

  DevicePointer data() const { return data_; }
  size_t size() const { return size_; }

 private:
  std::shared_ptr<const Gpu> gpu_;
  DevicePointer data_ = 0;
  size_t size_ = 0;
};

}  // namespace penstock::device
