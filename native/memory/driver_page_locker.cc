#include "memory/driver_page_locker.h"

namespace penstock::memory {
namespace {

constexpr unsigned kFlags = device::kCudaHostAllocPortable | device::kCudaHostAllocDeviceMap;

}  // namespace

void* DriverPageLocker::Lock(size_t bytes) {
  if (bytes == 0 || gpu_->fatal().kind != device::FaultKind::kNone || !gpu_->Enter().ok()) return nullptr;
  void* pages = nullptr;
  const device::CudaCode code = gpu_->driver().cuda().cuMemHostAlloc(&pages, bytes, kFlags);
  if (code == device::kCudaSuccess) return pages;
  gpu_->RecordFatal(gpu_->driver().FaultOf("cuMemHostAlloc", code));
  return nullptr;
}

uint64_t DriverPageLocker::DeviceAddress(void* pages) {
  if (gpu_->fatal().kind != device::FaultKind::kNone || !gpu_->Enter().ok()) return 0;
  device::CudaPointer address = 0;
  const device::CudaCode code = gpu_->driver().cuda().cuMemHostGetDevicePointer_v2(&address, pages, 0);
  if (code == device::kCudaSuccess) return address;
  gpu_->RecordFatal(gpu_->driver().FaultOf("cuMemHostGetDevicePointer_v2", code));
  return 0;
}

void DriverPageLocker::Unlock(void* pages, size_t) {
  if (gpu_->fatal().kind != device::FaultKind::kNone || !gpu_->Enter().ok()) return;
  (void)gpu_->Check("cuMemFreeHost", gpu_->driver().cuda().cuMemFreeHost(pages));
}

}  // namespace penstock::memory
