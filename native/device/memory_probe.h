// Writes a pattern to a scratch region of a GPU, reads it back and compares, on the device where a kernel can be had.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "device/kernels.h"
#include "device/stream.h"

namespace penstock::device {

struct ProbeResult {
  Status status;            // OK also when bytes differ: the device answered
  uint64_t bytes = 0;       // examined
  uint64_t mismatches = 0;  // 32-bit words that came back otherwise than they were written
  int64_t duration_ns = 0;
  uint64_t free_bytes = 0;  // of the device, after the probe
};

// One a GPU. Not thread-safe: the thread of the probes owns it.
class MemoryProbe {
 public:
  // Keeps `bytes` of the device for as long as it lives. Errors: those of DeviceBuffer::Allocate. Null kernels: compares on the host.
  static Result<std::unique_ptr<MemoryProbe>> Create(std::shared_ptr<const Gpu> gpu, uint64_t bytes,
                                                     std::shared_ptr<const Kernels> kernels);
  // With the kernels of this build, where the driver takes them.
  static Result<std::unique_ptr<MemoryProbe>> Create(std::shared_ptr<const Gpu> gpu, uint64_t bytes);
  ~MemoryProbe();

  // [blocks] Another pattern each time.
  ProbeResult Run();

 private:
  struct State;
  explicit MemoryProbe(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace penstock::device
