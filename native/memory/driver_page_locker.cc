#include "memory/driver_page_locker.h"

namespace penstock::memory {

void* DriverPageLocker::Lock(size_t bytes) {
  if (bytes == 0 || gpu_->fatal().kind != device::FaultKind::kNone || !gpu_->Enter().ok()) return nullptr;
  void* pages = nullptr;
  const device::CudaCode code = gpu_->driver().cuda().cuMemHostAlloc(&pages, bytes, device::kCudaHostAllocPortable);
  if (code == device::kCudaSuccess) return pages;
  gpu_->RecordFatal(gpu_->driver().FaultOf("cuMemHostAlloc", code));
  return nullptr;
}

void DriverPageLocker::Unlock(void* pages, size_t) {
  if (gpu_->fatal().kind != device::FaultKind::kNone || !gpu_->Enter().ok()) return;
  (void)gpu_->Check("cuMemFreeHost", gpu_->driver().cuda().cuMemFreeHost(pages));
}

}  // namespace penstock::memory
