// Memory of the fake driver, as the stand-in takes it for weights and outputs.
#pragma once

#include <cstdint>
#include <memory>

#include "device/cuda_api.h"

namespace penstock::fake_ort {

[[noreturn]] void Die(const char* why);

// Given back with the object. Where the process has loaded no driver there is no memory, nor any accounting.
class DeviceMemory {
 public:
  // Null when the device has no room.
  static std::shared_ptr<DeviceMemory> Take(int ordinal, uint64_t bytes);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  // Null for no bytes.
  void* data() const { return reinterpret_cast<void*>(pointer_); }

 private:
  DeviceMemory() = default;
  device::CudaContext context_ = nullptr;
  device::CudaPointer pointer_ = 0;
  int (*enter_)(device::CudaContext) = nullptr;
  int (*free_)(device::CudaPointer) = nullptr;
};

}  // namespace penstock::fake_ort
