#include "bridge/process_gpus.h"

#include <utility>

#include "bridge/hang_line.h"
#include "memory/driver_page_locker.h"

namespace penstock::bridge {

ProcessGpus::ProcessGpus(const GpuSettings& settings) : found_(device::FindGpus(settings.find)) {
  if (found_.list.empty()) return;
  if (settings.pinned_pool_bytes > 0) {
    memory::PinnedArenaOptions arena;
    arena.limit_bytes = settings.pinned_pool_bytes;
    pinned_ = memory::PinnedArena::Create(std::make_shared<memory::DriverPageLocker>(found_.list.front()), arena);
  }
  device::MonitorOptions monitor;
  monitor.interval_ms = settings.monitor_interval_ms;
  if (settings.probe_interval_ms > 0) {
    wants_canaries_ = true;
    device::ProberOptions prober;
    prober.interval_ms = settings.probe_interval_ms;
    prober.bytes = settings.probe_bytes;
    prober_ = std::make_shared<device::GpuProber>(found_.list, prober);
    // Whether the GPU still works after an event, nobody should have to wait an interval to know.
    monitor.on_xid = [prober = prober_](size_t index) { prober->ProbeSoon(index); };
  }
  monitor_ = std::make_unique<device::GpuMonitor>(found_.list, monitor);
  pipeline::WatchdogOptions watchdog;
  watchdog.limit_ms = settings.watchdog_ms;
  watchdog.before_abort = WriteHangLine;
  watchdog_ = std::make_shared<pipeline::Watchdog>(std::move(watchdog));
}

int ProcessGpus::IndexOf(const std::string& uuid) const {
  for (size_t i = 0; i < found_.list.size(); ++i) {
    if (found_.list[i]->info().uuid == uuid) return static_cast<int>(i);
  }
  return 0;
}

Result<std::vector<std::shared_ptr<device::Gpu>>> ProcessGpus::Pick(const std::vector<std::string>& uuids) const {
  std::vector<std::shared_ptr<device::Gpu>> picked;
  for (const std::string& uuid : uuids) {
    std::shared_ptr<device::Gpu> gpu = device::FindGpu(found_, uuid);
    if (gpu == nullptr) {
      const std::string reason = found_.list.empty() ? ": " + found_.why_none.text : "";
      return Status(StatusCode::kGpuUnavailable, "no usable GPU has the UUID '" + uuid + "'" + reason);
    }
    picked.push_back(std::move(gpu));
  }
  return picked;
}

}  // namespace penstock::bridge
