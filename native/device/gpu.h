// One GPU of this process: its identity, its primary context (the one that ONNX Runtime uses too) and what has gone wrong with it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/status.h"
#include "device/driver.h"

namespace penstock::device {

struct GpuInfo {
  // "GPU-..." or "MIG-..." and 36 characters, as nvidia-smi -L prints it: what everybody calls it by. Of a MIG device it is its own UUID,
  // not that of the GPU it lies on.
  std::string uuid;
  std::string name;  // "NVIDIA H100 80GB HBM3"
  int ordinal = 0;   // of CUDA in this process; only for calls that take one
  std::string pci_bus_id;  // "00000000:17:00.0", as NVML writes it
  uint64_t total_bytes = 0;
  int compute_major = 0;
  int compute_minor = 0;
  bool is_mig = false;
};

struct DeviceMemory {
  uint64_t free_bytes = 0;
  uint64_t total_bytes = 0;
};

// Thread-safe. Its context is retained once and never released: ONNX Runtime lives in it until the process ends.
class Gpu {
 public:
  // [thread that may block for seconds] Retains the primary context.
  static std::shared_ptr<Gpu> Open(std::shared_ptr<const Driver> driver, GpuInfo info, Fault* fault);

  const GpuInfo& info() const { return info_; }
  const Driver& driver() const { return *driver_; }

  // [any thread] Makes the context current on this thread, which from then on does not care that other threads record CUDA graphs. Cheap;
  // to be called before a thread's first call, and again whenever another library may have changed it.
  Status Enter() const;

  // [any thread] cuMemGetInfo.
  Result<DeviceMemory> ReadMemory() const;

  // [any thread] Asks the context whether it still works, without waiting for anybody's work. Records what it finds. After a fatal fault
  // it is that fault, and the driver is not asked.
  Fault Ask() const;

  // [any thread] Turns the code of a call into a status and, when the fault is fatal, remembers it; counts a failed allocation (2).
  // OK for 0.
  Status Check(const char* call, CudaCode code) const;

  // [any thread] The first fatal fault; it stays. Kind kNone while there is none. Never calls the driver.
  Fault fatal() const;
  // [any thread] Does nothing for a fault that is not fatal, or after the first.
  void RecordFatal(const Fault& fault) const;
  // Failed allocations on this device since the process began.
  uint64_t out_of_memory_count() const { return out_of_memory_.load(std::memory_order_relaxed); }
  void CountOutOfMemory() const { out_of_memory_.fetch_add(1, std::memory_order_relaxed); }

 private:
  Gpu(std::shared_ptr<const Driver> driver, GpuInfo info) : driver_(std::move(driver)), info_(std::move(info)) {}
  void IgnoreOthersRecording() const;
  const std::shared_ptr<const Driver> driver_;
  const GpuInfo info_;
  CudaContext context_ = nullptr;
  mutable std::mutex mutex_;
  mutable Fault fatal_;  // guarded by mutex_
  mutable std::atomic<uint64_t> out_of_memory_{0};
};

}  // namespace penstock::device
