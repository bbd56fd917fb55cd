// Watches the GPUs through NVML, on a thread of its own: NVML may block for seconds, and nobody else may wait for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "device/gpu.h"

namespace penstock::device {

inline constexpr size_t kRecentXids = 16;

// What NVML says of one GPU. A reading that it does not give is -1 (MIG devices and small permissions lack many).
struct GpuReadings {
  std::string uuid;
  double utilization = -1;           // 0 to 1
  int64_t memory_used_bytes = -1;
  int64_t memory_total_bytes = -1;
  double power_watts = -1;
  double power_limit_watts = -1;
  double energy_joules = -1;         // since the driver was loaded
  double temperature_celsius = -1;
  int64_t throttle_reasons = -1;     // NVML's bits of clocks event reasons
  bool throttled = false;            // thermal or hardware slowdown, power brake: not the ordinary power cap
  int64_t ecc_uncorrected = -1;      // volatile counts
  int64_t ecc_corrected = -1;
  bool remap_pending = false;
  bool remap_failed = false;
  double pcie_rx_bytes_per_second = -1;
  double pcie_tx_bytes_per_second = -1;
  int64_t last_xid = 0;              // of the event set; 0 = none since the start
  std::vector<int64_t> recent_xids;  // the last kRecentXids, oldest first: they come in bursts, and the worst is seldom the last
  uint64_t xid_count = 0;
  int64_t recovery_action = -1;      // nvmlDeviceGpuRecoveryAction_t: 0 none, 1 reset, 2 reboot, 3 drain peers, 4 drain and reset
  bool lost = false;                 // NVML_ERROR_GPU_IS_LOST
  bool gone = false;                 // NVML works and knew it, but knows no GPU of that UUID any more: MIG was divided anew
  bool revoked = false;              // the container has lost its devices: a fresh look finds none or "Unknown Error"
  int64_t read_ns = 0;               // monotonic; 0 = never read
};

struct MonitorSnapshot {
  std::vector<GpuReadings> gpus;  // as many as are watched, in their order
  std::string unavailable;        // why NVML gives nothing; empty = it works
};

struct MonitorOptions {
  std::string nvml_library = "libnvidia-ml.so.1";
  int64_t interval_ms = 2000;  // between two readings; a fatal fault of a GPU has one taken at once
  std::function<void(size_t)> on_xid;  // [its thread] position of the GPU that an XID is of, once that is counted; may be empty
};

class GpuMonitor {
 public:
  // Starts the thread; without the library it has nothing to do and the snapshot says so.
  GpuMonitor(std::vector<std::shared_ptr<Gpu>> gpus, MonitorOptions options);
  // A thread that hangs in NVML is left behind: the destructor waits for it a second at most.
  ~GpuMonitor();
  GpuMonitor(const GpuMonitor&) = delete;
  GpuMonitor& operator=(const GpuMonitor&) = delete;

  // [any thread] Never waits for NVML.
  MonitorSnapshot snapshot() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace penstock::device
