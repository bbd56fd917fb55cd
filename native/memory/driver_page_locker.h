// Page-locked memory of the CUDA driver.
#pragma once

#include <memory>

#include "device/gpu.h"
#include "memory/pinned_arena.h"

namespace penstock::memory {

// Thread-safe. What it locks every GPU of the process may copy from and to; the memory belongs to the context of `gpu`.
class DriverPageLocker : public PageLocker {
 public:
  explicit DriverPageLocker(std::shared_ptr<const device::Gpu> gpu) : gpu_(std::move(gpu)) {}

  // [any thread; blocks for milliseconds] Aligned to a page. Null when the driver refuses: a shortage of host memory, which does not count
  // among the failed allocations of the GPU, or a fault, which is remembered there if it is fatal.
  void* Lock(size_t bytes) override;
  // [any thread] Every GPU of the process reads the pages there: with unified addressing, which 64-bit Linux always has, the address is the
  // same in all contexts (CUDA driver API, "Unified Addressing"). 0 when the driver knows of none.
  uint64_t DeviceAddress(void* pages) override;
  // [any thread; blocks until the device is done with its work] Nothing is given back once the GPU has had a fatal fault.
  void Unlock(void* pages, size_t bytes) override;

 private:
  const std::shared_ptr<const device::Gpu> gpu_;
};

}  // namespace penstock::memory
