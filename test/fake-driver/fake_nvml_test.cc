#include <chrono>
#include <thread>

#include "loaded_driver.h"

namespace penstock::fake_driver {
namespace {

class FakeNvml : public FakeDriverTest {
 protected:
  NvmlDevice Device(unsigned index) {
    NvmlDevice device = nullptr;
    EXPECT_EQ(nvml.nvmlDeviceGetHandleByIndex_v2(index, &device), 0);
    return device;
  }
  NvmlEventSet EventsOf(NvmlDevice device) {
    NvmlEventSet set = nullptr;
    EXPECT_EQ(nvml.nvmlEventSetCreate(&set), 0);
    EXPECT_EQ(nvml.nvmlDeviceRegisterEvents(device, kNvmlEventXid, set), 0);
    return set;
  }
};

TEST_F(FakeNvml, WantsToBeInitialised) {
  unsigned count = 0;
  EXPECT_EQ(nvml.nvmlDeviceGetCount_v2(&count), 1);
  EXPECT_EQ(nvml.nvmlInit_v2(), 0);
  EXPECT_EQ(nvml.nvmlInit_v2(), 0);
  EXPECT_EQ(nvml.nvmlShutdown(), 0);
  EXPECT_EQ(nvml.nvmlDeviceGetCount_v2(&count), 0);
  EXPECT_EQ(count, 1u);
  EXPECT_EQ(nvml.nvmlShutdown(), 0);
  EXPECT_EQ(nvml.nvmlShutdown(), 1);
}

TEST_F(FakeNvml, ReadsWhatTheScriptSays) {
  SetScript(
      "gpus 2\ngpu 1 memory 1MiB name X\ndriver 12080 570.1.2\n"
      "nvml 1 temperature 85 power-mw 250000 power-limit-mw 300000 energy-mj 5000000000 utilization 97 throttle 0x40\n"
      "nvml 1 ecc-uncorrected 3 ecc-corrected 11 remap pending remapped-corrected 2 pcie-tx-kb 7 pcie-rx-kb 8 recovery-action 2 "
      "memory-used 1KiB\n");
  ASSERT_EQ(nvml.nvmlInit_v2(), 0);
  const NvmlDevice device = Device(1);
  unsigned number = 0;
  unsigned long long large = 0;
  char text[80];
  EXPECT_EQ(nvml.nvmlSystemGetDriverVersion(text, sizeof(text)), 0);
  EXPECT_STREQ(text, "570.1.2");
  EXPECT_EQ(nvml.nvmlDeviceGetName(device, text, 1), 7);
  EXPECT_EQ(nvml.nvmlDeviceGetName(device, text, sizeof(text)), 0);
  EXPECT_STREQ(text, "X");
  EXPECT_EQ(nvml.nvmlDeviceGetTemperature(device, 0, &number), 0);
  EXPECT_EQ(number, 85u);
  EXPECT_EQ(nvml.nvmlDeviceGetPowerUsage(device, &number), 0);
  EXPECT_EQ(number, 250000u);
  EXPECT_EQ(nvml.nvmlDeviceGetEnforcedPowerLimit(device, &number), 0);
  EXPECT_EQ(number, 300000u);
  EXPECT_EQ(nvml.nvmlDeviceGetTotalEnergyConsumption(device, &large), 0);
  EXPECT_EQ(large, 5000000000u);
  EXPECT_EQ(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(device, &large), 0);
  EXPECT_EQ(large, 0x40u);
  EXPECT_EQ(nvml.nvmlDeviceGetTotalEccErrors(device, 1, 0, &large), 0);
  EXPECT_EQ(large, 3u);
  EXPECT_EQ(nvml.nvmlDeviceGetTotalEccErrors(device, 0, 0, &large), 0);
  EXPECT_EQ(large, 11u);
  EXPECT_EQ(nvml.nvmlDeviceGetPcieThroughput(device, 1, &number), 0);
  EXPECT_EQ(number, 8u);
  unsigned rows[4] = {};
  EXPECT_EQ(nvml.nvmlDeviceGetRemappedRows(device, &rows[0], &rows[1], &rows[2], &rows[3]), 0);
  EXPECT_EQ(rows[0], 2u);
  EXPECT_EQ(rows[2], 1u);
  EXPECT_EQ(rows[3], 0u);
  NvmlUtilization utilization{};
  EXPECT_EQ(nvml.nvmlDeviceGetUtilizationRates(device, &utilization), 0);
  EXPECT_EQ(utilization.gpu, 97u);
  NvmlMemory memory{};
  EXPECT_EQ(nvml.nvmlDeviceGetMemoryInfo(device, &memory), 0);
  EXPECT_EQ(memory.used, 1024u);
  EXPECT_EQ(memory.free, (1u << 20) - 1024);
  NvmlFieldValue fields[2] = {};
  fields[0].field = kNvmlFieldRecoveryAction;
  fields[1].field = 1;
  EXPECT_EQ(nvml.nvmlDeviceGetFieldValues(device, 2, fields), 0);
  EXPECT_EQ(fields[0].value.as_unsigned, 2u);
  EXPECT_EQ(fields[1].result, 3);
}

TEST_F(FakeNvml, ShowsTheMemoryThatTheFakeCudaHasAllocated) {
  SetScript("gpu 0 used-by-others 1000\n");
  ASSERT_EQ(nvml.nvmlInit_v2(), 0);
  Enter();
  const device::CudaPointer pointer = Allocate(500);
  NvmlMemory memory{};
  EXPECT_EQ(nvml.nvmlDeviceGetMemoryInfo(Device(0), &memory), 0);
  EXPECT_EQ(memory.used, 1500u);
  EXPECT_EQ(cuda.cuMemFree_v2(pointer), 0);
  EXPECT_EQ(nvml.nvmlDeviceGetMemoryInfo(Device(0), &memory), 0);
  EXPECT_EQ(memory.used, 1000u);
}

TEST_F(FakeNvml, FailsAsTheScriptSays) {
  SetScript("gpus 2\nfail nvmlDeviceGetTemperature 999 after 1 times 1\nfail nvmlDeviceGetPower* 4 gpu 0\nnvml 1 lost\n");
  ASSERT_EQ(nvml.nvmlInit_v2(), 0);
  const NvmlDevice device = Device(0);
  unsigned number = 0;
  EXPECT_EQ(nvml.nvmlDeviceGetTemperature(device, 0, &number), 0);
  EXPECT_EQ(nvml.nvmlDeviceGetTemperature(device, 0, &number), 999);
  EXPECT_EQ(nvml.nvmlDeviceGetTemperature(device, 0, &number), 0);
  EXPECT_EQ(nvml.nvmlDeviceGetPowerUsage(device, &number), 4);
  NvmlDevice lost = nullptr;
  EXPECT_EQ(nvml.nvmlDeviceGetHandleByIndex_v2(1, &lost), 15);
  SetScript("nvml 0 lost\n");
  EXPECT_EQ(nvml.nvmlDeviceGetTemperature(device, 0, &number), 15);
  SetScript("gpus 0\n");
  EXPECT_EQ(nvml.nvmlDeviceGetTemperature(device, 0, &number), 2);
}

TEST_F(FakeNvml, DeliversEachXidOnceToThoseThatRegistered) {
  SetScript("gpus 2\n");
  ASSERT_EQ(nvml.nvmlInit_v2(), 0);
  const NvmlEventSet set = EventsOf(Device(0));
  NvmlEventData data{};
  EXPECT_EQ(nvml.nvmlEventSetWait_v2(set, &data, 1), 10);
  std::thread later([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    SetScript("gpus 2\nxid 1 13\nxid 0 79\n");
  });
  EXPECT_EQ(nvml.nvmlEventSetWait_v2(set, &data, 10'000), 0);
  later.join();
  EXPECT_EQ(data.device, Device(0));
  EXPECT_EQ(data.type, kNvmlEventXid);
  EXPECT_EQ(data.data, 79u);
  EXPECT_EQ(nvml.nvmlEventSetWait_v2(set, &data, 5), 10);
  SetScript("gpus 2\nxid 1 13\nxid 0 79\nxid 0 79\nnvml 0 lost\n");
  EXPECT_EQ(nvml.nvmlEventSetWait_v2(set, &data, 5), 0);
  EXPECT_EQ(nvml.nvmlEventSetWait_v2(set, &data, 5), 15);
  EXPECT_EQ(nvml.nvmlEventSetFree(set), 0);
  EXPECT_EQ(nvml.nvmlEventSetWait_v2(set, &data, 5), 2);
}

TEST_F(FakeNvml, HasMigDevicesThatReadTheirMemoryOnly) {
  SetScript("gpu 0 memory 8MiB mig 2\nmig 0 1 uuid MIG-00112233-4455-6677-8899-aabbccddeeff memory 3MiB\n");
  setenv("CUDA_VISIBLE_DEVICES", "MIG-00112233", 1);
  ASSERT_EQ(nvml.nvmlInit_v2(), 0);
  Enter();
  Allocate(100);
  const NvmlDevice device = Device(0);
  unsigned mode = 0;
  unsigned pending = 0;
  EXPECT_EQ(nvml.nvmlDeviceGetMigMode(device, &mode, &pending), 0);
  EXPECT_EQ(mode, 1u);
  unsigned count = 0;
  EXPECT_EQ(nvml.nvmlDeviceGetMaxMigDeviceCount(device, &count), 0);
  EXPECT_EQ(count, 7u);
  NvmlDevice mig = nullptr;
  EXPECT_EQ(nvml.nvmlDeviceGetMigDeviceHandleByIndex(device, 2, &mig), 6);
  ASSERT_EQ(nvml.nvmlDeviceGetMigDeviceHandleByIndex(device, 1, &mig), 0);
  NvmlDevice same = nullptr;
  EXPECT_EQ(nvml.nvmlDeviceGetHandleByUUID("MIG-00112233-4455-6677-8899-aabbccddeeff", &same), 0);
  EXPECT_EQ(same, mig);
  char uuid[96];
  EXPECT_EQ(nvml.nvmlDeviceGetUUID(mig, uuid, sizeof(uuid)), 0);
  EXPECT_STREQ(uuid, "MIG-00112233-4455-6677-8899-aabbccddeeff");
  NvmlMemory memory{};
  EXPECT_EQ(nvml.nvmlDeviceGetMemoryInfo(mig, &memory), 0);
  EXPECT_EQ(memory.total, 3u << 20);
  EXPECT_EQ(memory.used, 100u);
  EXPECT_EQ(nvml.nvmlDeviceGetPowerUsage(mig, &count), 3);
  NvmlDevice parent = nullptr;
  EXPECT_EQ(nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(mig, &parent), 0);
  EXPECT_EQ(parent, device);
  EXPECT_EQ(nvml.nvmlDeviceGetHandleByUUID("GPU-none", &same), 6);
}

}  // namespace
}  // namespace penstock::fake_driver
