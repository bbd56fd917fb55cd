#include "device/gpu_monitor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "base/clock.h"
#include "device/test_driver.h"
#include "device/test_nvml.h"

namespace penstock::device {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kFirst[] = "GPU-fa4e0000-0000-4000-8000-000000000000";
constexpr char kSlice[] = "MIG-fa4e0001-0000-4000-8000-000000000000";

MonitorOptions Options() {
  MonitorOptions options;
  options.nvml_library = FakeNvml::Library();
  options.interval_ms = 2;
  return options;
}

// Waits until the snapshot is as wanted; the last one either way.
MonitorSnapshot WaitFor(const GpuMonitor& monitor, const std::function<bool(const MonitorSnapshot&)>& wanted) {
  const auto until = Clock::now() + std::chrono::seconds(10);
  MonitorSnapshot snapshot = monitor.snapshot();
  while (!wanted(snapshot) && Clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    snapshot = monitor.snapshot();
  }
  EXPECT_TRUE(wanted(snapshot)) << "waited in vain";
  return snapshot;
}

bool IsRead(const MonitorSnapshot& snapshot) { return snapshot.gpus.back().memory_total_bytes > 0; }

MonitorSnapshot WaitForReading(const GpuMonitor& monitor) { return WaitFor(monitor, IsRead); }

// Whole rounds of the thread, with at least one fresh look among them.
void LetItLookAfresh(const FakeNvml& nvml) {
  const uint64_t before = nvml.Calls("nvmlInit_v2");
  const auto until = Clock::now() + std::chrono::seconds(10);
  while (nvml.Calls("nvmlInit_v2") < before + 2 && Clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_GE(nvml.Calls("nvmlInit_v2"), before + 2);
}

// A GPU that calls itself as asked for.
std::shared_ptr<Gpu> Named(const FakeDriver& fake, const std::string& uuid) {
  GpuInfo info = fake.First()->info();
  info.uuid = uuid;
  info.is_mig = uuid.rfind("MIG-", 0) == 0;
  Fault fault;
  return Gpu::Open(Driver::Open(FakeDriver::Library(), &fault), info, &fault);
}

class GpuMonitorTest : public testing::Test {
 protected:
  // The same script for both libraries.
  std::vector<std::shared_ptr<Gpu>> Find(const std::string& script) {
    driver_.Say(script);
    nvml_.Say(script);
    return FindGpus(FakeDriver::Options()).list;
  }

  // Ends the hang of a thread that was left behind, and waits until that thread has done its last call.
  void LetGo() {
    nvml_.Say("");
    const auto until = Clock::now() + std::chrono::seconds(10);
    while (nvml_.Calls("nvmlShutdown") == 0 && Clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(nvml_.Calls("nvmlShutdown"), 1u);
  }

  FakeDriver driver_;
  FakeNvml nvml_;
};

TEST_F(GpuMonitorTest, ReadsWhatNvmlGives) {
  const GpuMonitor monitor(Find("gpu 0 memory 4GiB\n"
                                "nvml 0 temperature 71 power-mw 212500 power-limit-mw 300000 energy-mj 5000500 utilization 37\n"
                                "nvml 0 ecc-corrected 12 ecc-uncorrected 3 pcie-rx-kb 2500 pcie-tx-kb 40 recovery-action 2\n"
                                "nvml 0 memory-used 1GiB remap pending throttle 0x4"),
                           Options());
  const MonitorSnapshot snapshot = WaitForReading(monitor);
  EXPECT_EQ(snapshot.unavailable, "");
  const GpuReadings& gpu = snapshot.gpus[0];
  EXPECT_EQ(gpu.uuid, kFirst);
  EXPECT_EQ(gpu.temperature_celsius, 71);
  EXPECT_DOUBLE_EQ(gpu.power_watts, 212.5);
  EXPECT_DOUBLE_EQ(gpu.power_limit_watts, 300);
  EXPECT_DOUBLE_EQ(gpu.energy_joules, 5000.5);
  EXPECT_DOUBLE_EQ(gpu.utilization, 0.37);
  EXPECT_EQ(gpu.memory_used_bytes, 1 << 30);
  EXPECT_EQ(gpu.memory_total_bytes, 4ll << 30);
  EXPECT_EQ(gpu.ecc_corrected, 12);
  EXPECT_EQ(gpu.ecc_uncorrected, 3);
  EXPECT_DOUBLE_EQ(gpu.pcie_rx_bytes_per_second, 2'500'000);
  EXPECT_DOUBLE_EQ(gpu.pcie_tx_bytes_per_second, 40'000);
  EXPECT_EQ(gpu.recovery_action, 2);
  EXPECT_TRUE(gpu.remap_pending);
  EXPECT_FALSE(gpu.remap_failed);
  EXPECT_EQ(gpu.throttle_reasons, 4);
  EXPECT_FALSE(gpu.lost);
  EXPECT_FALSE(gpu.revoked);
  EXPECT_EQ(gpu.last_xid, 0);
  EXPECT_GT(gpu.read_ns, 0);
}

TEST_F(GpuMonitorTest, CallsOnlySlowdownsThrottling) {
  const GpuMonitor monitor(Find(""), Options());
  const auto is_throttled = [&](const std::string& bits) {
    nvml_.Say("nvml 0 throttle " + bits);
    const int64_t wanted = std::stoll(bits, nullptr, 0);
    return WaitFor(monitor, [&](const MonitorSnapshot& now) { return now.gpus[0].throttle_reasons == wanted; }).gpus[0].throttled;
  };
  for (const char* ordinary : {"0x1", "0x2", "0x4", "0x10", "0x100", "0x117"}) EXPECT_FALSE(is_throttled(ordinary)) << ordinary;
  for (const char* slowdown : {"0x8", "0x20", "0x40", "0x80", "0x24"}) EXPECT_TRUE(is_throttled(slowdown)) << slowdown;
}

TEST_F(GpuMonitorTest, TellsALostGpuFromItsNeighbour) {
  const GpuMonitor monitor(Find("gpus 2"), Options());
  WaitForReading(monitor);
  nvml_.Say("gpus 2\nnvml 0 lost\nnvml 1 temperature 66");
  WaitFor(monitor, [](const MonitorSnapshot& now) { return now.gpus[0].lost && now.gpus[1].temperature_celsius == 66; });
  // Longer than fresh looks are apart: a look-up would fail for both, if the driver says so of "any GPU".
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const MonitorSnapshot snapshot = monitor.snapshot();
  EXPECT_TRUE(snapshot.gpus[0].lost);
  EXPECT_EQ(snapshot.gpus[0].memory_used_bytes, -1);
  EXPECT_FALSE(snapshot.gpus[1].lost);
  EXPECT_GT(snapshot.gpus[1].memory_total_bytes, 0);
  EXPECT_FALSE(snapshot.gpus[0].revoked);
  EXPECT_EQ(nvml_.Calls("nvmlInit_v2"), 0u);
}

TEST_F(GpuMonitorTest, FindsOutThatTheContainerLostItsDevicesAndWhenTheyAreBack) {
  const GpuMonitor monitor(Find(""), Options());
  WaitForReading(monitor);
  nvml_.Say("fail nvmlInit_v2 999");  // the handles at hand go on answering
  MonitorSnapshot snapshot = WaitFor(monitor, [](const MonitorSnapshot& now) { return now.gpus[0].revoked; });
  EXPECT_EQ(snapshot.unavailable, "nvmlInit_v2: Unknown Error (999)");
  EXPECT_EQ(snapshot.gpus[0].memory_used_bytes, -1);
  EXPECT_FALSE(snapshot.gpus[0].lost);
  nvml_.Say("");
  snapshot = WaitFor(monitor, [](const MonitorSnapshot& now) { return IsRead(now) && !now.gpus[0].revoked; });
  EXPECT_EQ(snapshot.unavailable, "");
}

TEST_F(GpuMonitorTest, LooksAfreshAtOnceWhenAHandleGivesAnUnknownError) {
  MonitorOptions options = Options();
  options.interval_ms = 200;  // fifteen of them are more than this test waits
  const GpuMonitor monitor(Find(""), options);
  WaitForReading(monitor);
  nvml_.Say("fail nvmlDeviceGetMemoryInfo 999\nfail nvmlInit_v2 999");
  const auto before = Clock::now();
  WaitFor(monitor, [](const MonitorSnapshot& now) { return now.gpus[0].revoked; });
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(2));
}

TEST_F(GpuMonitorTest, CallsAGpuThatAFreshLookDoesNotFindGone) {
  const GpuMonitor monitor(Find("gpus 2"), Options());
  WaitForReading(monitor);
  nvml_.Say("gpus 1");
  const MonitorSnapshot snapshot = WaitFor(monitor, [](const MonitorSnapshot& now) { return now.gpus[1].gone; });
  EXPECT_FALSE(snapshot.gpus[1].revoked);
  EXPECT_FALSE(snapshot.gpus[0].gone);
  EXPECT_EQ(snapshot.unavailable, "");
}

TEST_F(GpuMonitorTest, SaysWhatIsWrongWithNvmlFromTheStart) {
  const auto gpus = Find("");
  struct Case {
    int code;
    std::string text;
    bool revoked;
  };
  for (const Case& each : std::vector<Case>{{18, "nvmlInit_v2: Driver/library version mismatch (18)", false},
                                            {9, "nvmlInit_v2: Driver Not Loaded (9)", false},
                                            {4, "nvmlInit_v2: Insufficient Permissions (4)", false},
                                            {999, "nvmlInit_v2: Unknown Error (999)", true}}) {
    nvml_.Say("fail nvmlInit_v2 " + std::to_string(each.code));
    const GpuMonitor monitor(gpus, Options());
    const MonitorSnapshot snapshot = WaitFor(monitor, [](const MonitorSnapshot& now) { return !now.unavailable.empty(); });
    EXPECT_EQ(snapshot.unavailable, each.text);
    WaitFor(monitor, [&](const MonitorSnapshot& now) { return now.gpus[0].read_ns > 0 && now.gpus[0].revoked == each.revoked; });
  }
}

TEST_F(GpuMonitorTest, LeavesOutWhatItHasNoPermissionFor) {
  const GpuMonitor monitor(Find("fail nvmlDeviceGetPowerUsage 4\nfail nvmlDeviceGetTotalEccErrors 4\nfail nvmlDeviceGetFieldValues 4\n"
                                "fail nvmlEventSetCreate 4\nfail nvmlDeviceGetCurrentClocks* 4\nnvml 0 temperature 50 throttle 0x8"),
                           Options());
  const MonitorSnapshot snapshot = WaitForReading(monitor);
  EXPECT_EQ(snapshot.unavailable, "");
  EXPECT_EQ(snapshot.gpus[0].temperature_celsius, 50);
  EXPECT_EQ(snapshot.gpus[0].power_watts, -1);
  EXPECT_EQ(snapshot.gpus[0].ecc_corrected, -1);
  EXPECT_EQ(snapshot.gpus[0].ecc_uncorrected, -1);
  EXPECT_EQ(snapshot.gpus[0].recovery_action, -1);
  EXPECT_EQ(snapshot.gpus[0].throttle_reasons, -1);
  EXPECT_FALSE(snapshot.gpus[0].throttled);
}

TEST_F(GpuMonitorTest, SaysWhyItReadsNothingAtAllWithoutPermission) {
  const GpuMonitor monitor(Find("fail nvmlDeviceGetHandleByUUID 4"), Options());
  const MonitorSnapshot snapshot = WaitFor(monitor, [](const MonitorSnapshot& now) { return !now.unavailable.empty(); });
  EXPECT_EQ(snapshot.unavailable, "nvmlDeviceGetHandleByUUID: Insufficient Permissions (4)");
  EXPECT_EQ(snapshot.gpus[0].memory_used_bytes, -1);
  EXPECT_FALSE(snapshot.gpus[0].revoked);
}

TEST_F(GpuMonitorTest, ReadsOfAMigDeviceWhatThereIs) {
  nvml_.Say("gpu 0 memory 4GiB mig 2\nmig 0 0 uuid " + std::string(kSlice) +
            " memory 1GiB\nnvml 0 temperature 55 power-mw 1 utilization 9");
  const GpuMonitor monitor({Named(driver_, kSlice)}, Options());
  const GpuReadings gpu = WaitForReading(monitor).gpus[0];
  EXPECT_EQ(gpu.uuid, kSlice);
  EXPECT_EQ(gpu.memory_total_bytes, 1ll << 30);
  EXPECT_EQ(gpu.utilization, -1);
  EXPECT_EQ(gpu.power_watts, -1);
  EXPECT_FALSE(gpu.remap_pending);
  EXPECT_EQ(gpu.temperature_celsius, 55) << "that of the board it lies on";
}

TEST_F(GpuMonitorTest, CountsXidsOfItsGpusOnce) {
  const GpuMonitor monitor(Find("gpus 2"), Options());
  WaitForReading(monitor);
  nvml_.Say("gpus 2\nxid 1 79\nxid 1 79\nxid 1 31");
  WaitFor(monitor, [](const MonitorSnapshot& now) { return now.gpus[1].xid_count == 3; });
  LetItLookAfresh(nvml_);
  const MonitorSnapshot snapshot = monitor.snapshot();
  EXPECT_EQ(snapshot.gpus[1].xid_count, 3u);
  EXPECT_EQ(snapshot.gpus[1].last_xid, 31);
  EXPECT_EQ(snapshot.gpus[1].recent_xids, (std::vector<int64_t>{79, 79, 31}));
  EXPECT_EQ(snapshot.gpus[0].xid_count, 0u);
  EXPECT_EQ(snapshot.gpus[0].last_xid, 0);
}

TEST_F(GpuMonitorTest, TellsWhichGpuAnXidIsOf) {
  std::atomic<int> told{-1};
  MonitorOptions options = Options();
  options.on_xid = [&told](size_t index) { told = static_cast<int>(index); };
  const GpuMonitor monitor(Find("gpus 2"), options);
  WaitForReading(monitor);
  nvml_.Say("gpus 2\nxid 1 119");
  WaitFor(monitor, [&told](const MonitorSnapshot&) { return told == 1; });
}

TEST_F(GpuMonitorTest, ReadsAtOnceWhenAGpuHasFailed) {
  MonitorOptions options = Options();
  options.interval_ms = 60'000;
  const std::vector<std::shared_ptr<Gpu>> gpus = Find("");
  const GpuMonitor monitor(gpus, options);
  WaitForReading(monitor);
  nvml_.Say("nvml 0 lost");
  gpus[0]->RecordFatal(Fault{FaultKind::kSticky, 719, "cuLaunchKernel: CUDA_ERROR_LAUNCH_FAILED (719)"});
  WaitFor(monitor, [](const MonitorSnapshot& now) { return now.gpus[0].lost; });
}

TEST_F(GpuMonitorTest, TakesAnXidWhileItWaitsForTheNextPoll) {
  MonitorOptions options = Options();
  options.interval_ms = 60'000;
  const GpuMonitor monitor(Find(""), options);
  WaitForReading(monitor);
  nvml_.Say("xid 0 48");
  WaitFor(monitor, [](const MonitorSnapshot& now) { return now.gpus[0].last_xid == 48; });
}

TEST_F(GpuMonitorTest, GivesXidsOfAMigDevicesBoardToIt) {
  const std::string gpus = "gpu 0 memory 4GiB mig 1\nmig 0 0 uuid " + std::string(kSlice);
  nvml_.Say(gpus);
  const GpuMonitor monitor({Named(driver_, kSlice)}, Options());
  WaitForReading(monitor);
  nvml_.Say(gpus + "\nxid 0 95");
  WaitFor(monitor, [](const MonitorSnapshot& now) { return now.gpus[0].last_xid == 95; });
}

TEST_F(GpuMonitorTest, NeitherReadersNorTheEndWaitForAHangInNvml) {
  const auto gpus = Find("");
  {
    const GpuMonitor monitor(gpus, Options());
    WaitForReading(monitor);
    nvml_.Say("hang nvmlDeviceGetTemperature");
    while (nvml_.Calls("nvmlDeviceGetTemperature") == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const auto before = Clock::now();
    EXPECT_GT(monitor.snapshot().gpus[0].memory_total_bytes, 0) << "what was read before stays";
    EXPECT_LT(Clock::now() - before, std::chrono::milliseconds(100));
  }
  LetGo();
}

TEST_F(GpuMonitorTest, WaitsASecondAtMostForAHangInNvml) {
  const auto gpus = Find("hang nvmlInit_v2");
  auto before = Clock::now();
  {
    const GpuMonitor monitor(gpus, Options());
    while (nvml_.Calls("nvmlInit_v2") == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    before = Clock::now();
  }
  const auto took = Clock::now() - before;
  EXPECT_GT(took, std::chrono::milliseconds(900));
  EXPECT_LT(took, std::chrono::milliseconds(1900));
  LetGo();
}

TEST_F(GpuMonitorTest, EndsAtOnceInTheMiddleOfAnInterval) {
  MonitorOptions options = Options();
  options.interval_ms = 60'000;
  auto before = Clock::now();
  {
    const GpuMonitor monitor(Find(""), options);
    WaitForReading(monitor);
    before = Clock::now();
  }
  EXPECT_LT(Clock::now() - before, std::chrono::milliseconds(600));
  EXPECT_EQ(nvml_.Calls("nvmlShutdown"), 1u);
}

TEST_F(GpuMonitorTest, SaysThatThereIsNoLibrary) {
  MonitorOptions options = Options();
  options.nvml_library = "/nowhere/libnvidia-ml.so.1";
  const GpuMonitor monitor(Find(""), options);
  const MonitorSnapshot snapshot = monitor.snapshot();
  EXPECT_NE(snapshot.unavailable.find("/nowhere/libnvidia-ml.so.1: cannot open shared object file"), std::string::npos);
  ASSERT_EQ(snapshot.gpus.size(), 1u);
  EXPECT_EQ(snapshot.gpus[0].uuid, kFirst);
  EXPECT_EQ(snapshot.gpus[0].read_ns, 0);
}

TEST_F(GpuMonitorTest, SaysThatTheLibraryIsTooOld) {
  MonitorOptions options = Options();
  options.nvml_library = FakeDriver::Library();  // a library without any of the functions
  const GpuMonitor monitor(Find(""), options);
  EXPECT_EQ(monitor.snapshot().unavailable.rfind("the NVML of this driver is too old: nvml", 0), 0u) << monitor.snapshot().unavailable;
}

}  // namespace
}  // namespace penstock::device
