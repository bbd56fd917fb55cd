// What the fake driver has been told to be and to do: its GPUs, their readings, and the faults of calls. See README.md for the lines.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace penstock::fake_driver {

struct MigScript {
  std::string uuid;
  uint64_t memory_bytes = 0;
};

// The readings that NVML gives, in NVML's units.
struct NvmlScript {
  unsigned temperature_celsius = 45;
  unsigned power_mw = 75000;
  unsigned power_limit_mw = 300000;
  uint64_t energy_mj = 1000000;
  unsigned utilization_percent = 0;
  uint64_t throttle_reasons = 0;
  uint64_t ecc_corrected = 0;
  uint64_t ecc_uncorrected = 0;
  unsigned remapped_rows_corrected = 0;
  unsigned remapped_rows_uncorrected = 0;
  bool remap_pending = false;
  bool remap_failed = false;
  unsigned pcie_tx_kb_per_second = 0;
  unsigned pcie_rx_kb_per_second = 0;
  unsigned recovery_action = 0;
  int64_t memory_used_bytes = -1;  // -1: what libcuda.so.1 of this process says
  bool lost = false;
};

struct GpuScript {
  std::string uuid;
  std::string name = "Penstock fake GPU";
  std::string pci_bus_id;  // "0000:01:00.0"
  uint64_t memory_bytes = 1ull << 30;
  uint64_t used_by_others_bytes = 0;  // as if another process had it
  int compute_major = 8;
  int compute_minor = 0;
  std::vector<MigScript> mig;  // any: the GPU is in MIG mode
  NvmlScript nvml;
};

struct Xid {
  int gpu = 0;
  uint64_t code = 0;
};

enum class Action : uint8_t { kFail, kSticky, kAsyncSticky, kDelay, kHang, kAsyncHang, kCorrupt };

// A fault of calls of one function, or of all whose names begin alike.
struct Rule {
  Action action = Action::kFail;
  std::string function;  // without the '*'
  bool is_prefix = false;
  int code = 0;
  std::chrono::nanoseconds delay{0};
  uint64_t after = 0;             // calls that pass before it strikes
  uint64_t times = UINT64_MAX;    // calls that it strikes
  int gpu = -1;                   // index of the GPU whose calls it is about; -1 = all
  std::atomic<uint64_t> seen{0};  // matching calls so far

  bool Names(const std::string& name) const;
};

struct Script {
  std::vector<GpuScript> gpus;
  int cuda_version = 12080;
  std::string driver_version = "570.124.06";
  std::vector<Xid> xids;
  mutable std::deque<Rule> rules;  // a deque: a rule cannot move. Mutable: their counters go on

  // Ends the process with a message when a line means nothing: a test must not run with a script that it did not write.
  static Script* Parse(const std::string& text);
};

// Names of both libraries; the position of a name is its number.
const std::vector<std::string>& FunctionNames();
size_t FunctionNumber(const char* name);
// Does its work happen on a stream, after the call has returned?
bool IsAsynchronous(const std::string& name);

[[noreturn]] void Die(const std::string& message);

}  // namespace penstock::fake_driver
