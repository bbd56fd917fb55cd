// The GPUs of this process and all that works beside the engine because of them: page-locked memory, the monitor, the
// memory probes, the watchdog.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "device/gpu_monitor.h"
#include "device/gpu_prober.h"
#include "device/gpus.h"
#include "memory/pinned_arena.h"
#include "pipeline/watchdog.h"

namespace penstock::bridge {

struct GpuSettings {
  device::GpuOptions find;
  uint64_t pinned_pool_bytes = 0;  // 0: none
  int64_t monitor_interval_ms = 2000;
  int64_t probe_interval_ms = 0;  // 0: no probe, no canary
  uint64_t probe_bytes = 64u << 20;
  int64_t watchdog_ms = 0;  // 0: no watchdog
};

// Thread-safe once it is made.
class ProcessGpus {
 public:
  // [blocks for seconds] Finds the GPUs; without any, nothing else is started.
  explicit ProcessGpus(const GpuSettings& settings);

  const device::Gpus& found() const { return found_; }

  // Those with these UUIDs, in this order. kGpuUnavailable for one that is not there, with the reason where there is none at all.
  Result<std::vector<std::shared_ptr<device::Gpu>>> Pick(const std::vector<std::string>& uuids) const;

  // Position in the list of this UUID; 0 for an unknown one.
  int IndexOf(const std::string& uuid) const;

  // Whether models on GPUs keep an input of known answer for checks at intervals.
  bool wants_canaries() const { return wants_canaries_; }

  // Null without GPUs.
  std::shared_ptr<pipeline::Watchdog> watchdog() const { return watchdog_; }

  // Null: inputs and outputs are in ordinary memory.
  std::shared_ptr<memory::BlockSource> pinned() const { return pinned_; }
  memory::PinnedUse pinned_use() const { return pinned_ == nullptr ? memory::PinnedUse{} : pinned_->use(); }

  // The next two are as many as are found, or none without GPUs or probes, and never wait for NVML or a probe.
  device::MonitorSnapshot readings() const { return monitor_ == nullptr ? device::MonitorSnapshot{} : monitor_->snapshot(); }

  std::vector<device::ProbeState> probes() const { return prober_ == nullptr ? std::vector<device::ProbeState>{} : prober_->snapshot(); }

 private:
  device::Gpus found_;
  bool wants_canaries_ = false;
  std::shared_ptr<memory::PinnedArena> pinned_;
  std::unique_ptr<device::GpuMonitor> monitor_;
  std::shared_ptr<pipeline::Watchdog> watchdog_;
  std::shared_ptr<device::GpuProber> prober_;
};

}  // namespace penstock::bridge
