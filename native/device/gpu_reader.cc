#include "device/gpu_reader.h"

#include "base/clock.h"

namespace penstock::device {

namespace {

constexpr double kMilli = 1e-3;
constexpr double kPercent = 1e-2;
constexpr double kKilobyte = 1000;  // "KB/s" of the PCIe counters, which have no finer grain

// Calls with the device first, and remembers whether any of them found the GPU gone.
class Reader {
 public:
  explicit Reader(const Nvml& nvml) : functions_(nvml.functions()) {}

  const NvmlFunctions& functions() const { return functions_; }
  bool lost() const { return lost_; }

  template <typename Function, typename... Arguments>
  int Read(Function function, Arguments... arguments) {
    const int code = Nvml::Call(function, arguments...);
    lost_ = lost_ || code == kNvmlGpuIsLost;
    return code;
  }

  // One number; -1 when it is not given.
  template <typename Number, typename Function, typename... Arguments>
  double ReadNumber(double unit, Function function, Arguments... arguments) {
    Number number = 0;
    return Read(function, arguments..., &number) == kNvmlSuccess ? static_cast<double>(number) * unit : -1;
  }

  template <typename Function, typename... Arguments>
  int64_t ReadCount(Function function, Arguments... arguments) {
    unsigned long long count = 0;
    return Read(function, arguments..., &count) == kNvmlSuccess ? static_cast<int64_t>(count) : -1;
  }

 private:
  const NvmlFunctions& functions_;
  bool lost_ = false;
};

int64_t ReadThrottleReasons(Reader* reader, NvmlDevice board) {
  const int64_t reasons = reader->ReadCount(reader->functions().nvmlDeviceGetCurrentClocksEventReasons, board);
  return reasons >= 0 ? reasons : reader->ReadCount(reader->functions().nvmlDeviceGetCurrentClocksThrottleReasons, board);
}

int64_t ReadRecoveryAction(Reader* reader, NvmlDevice board) {
  NvmlFieldValue field{};
  field.field = kNvmlFieldRecoveryAction;
  if (reader->Read(reader->functions().nvmlDeviceGetFieldValues, board, 1, &field) != kNvmlSuccess || field.code != kNvmlSuccess) return -1;
  return field.value.as_unsigned;
}

void ReadRemappedRows(Reader* reader, NvmlDevice device, GpuReadings* readings) {
  unsigned corrected = 0, uncorrected = 0, pending = 0, failed = 0;
  const int code = reader->Read(reader->functions().nvmlDeviceGetRemappedRows, device, &corrected, &uncorrected, &pending, &failed);
  readings->remap_pending = code == kNvmlSuccess && pending != 0;
  readings->remap_failed = code == kNvmlSuccess && failed != 0;
}

}  // namespace

int FindNvmlGpu(const Nvml& nvml, const GpuInfo& info, NvmlGpu* gpu) {
  const NvmlFunctions& functions = nvml.functions();
  *gpu = NvmlGpu{};
  NvmlDevice device = nullptr;
  const int code = functions.nvmlDeviceGetHandleByUUID(info.uuid.c_str(), &device);
  if (code != kNvmlSuccess) return code;
  gpu->device = gpu->board = device;
  if (!info.is_mig) return code;
  NvmlDevice board = nullptr;
  unsigned instance = 0;
  if (Nvml::Call(functions.nvmlDeviceGetDeviceHandleFromMigDeviceHandle, device, &board) == kNvmlSuccess) gpu->board = board;
  if (Nvml::Call(functions.nvmlDeviceGetGpuInstanceId, device, &instance) == kNvmlSuccess) gpu->instance = instance;
  return code;
}

bool Concerns(const NvmlEventData& event, const NvmlGpu& gpu) {
  const bool of_one = event.gpu_instance != kNvmlEveryInstance && gpu.instance != kNvmlEveryInstance;
  return gpu.board != nullptr && gpu.board == event.device && (!of_one || event.gpu_instance == gpu.instance);
}

int ReadGpu(const Nvml& nvml, const NvmlGpu& gpu, GpuReadings* readings) {
  Reader reader(nvml);
  const NvmlFunctions& functions = reader.functions();

  NvmlMemory memory{};
  const int memory_code = reader.Read(functions.nvmlDeviceGetMemoryInfo, gpu.device, &memory);
  readings->memory_used_bytes = memory_code == kNvmlSuccess ? static_cast<int64_t>(memory.used) : -1;
  readings->memory_total_bytes = memory_code == kNvmlSuccess ? static_cast<int64_t>(memory.total) : -1;

  NvmlUtilization utilization{};
  const int utilization_code = reader.Read(functions.nvmlDeviceGetUtilizationRates, gpu.device, &utilization);
  readings->utilization = utilization_code == kNvmlSuccess ? utilization.gpu * kPercent : -1;

  readings->power_watts = reader.ReadNumber<unsigned>(kMilli, functions.nvmlDeviceGetPowerUsage, gpu.device);
  readings->power_limit_watts = reader.ReadNumber<unsigned>(kMilli, functions.nvmlDeviceGetEnforcedPowerLimit, gpu.device);
  readings->energy_joules = reader.ReadNumber<unsigned long long>(kMilli, functions.nvmlDeviceGetTotalEnergyConsumption, gpu.device);
  readings->temperature_celsius = reader.ReadNumber<unsigned>(1, functions.nvmlDeviceGetTemperature, gpu.board, kNvmlTemperatureGpu);
  readings->throttle_reasons = ReadThrottleReasons(&reader, gpu.board);
  readings->throttled = readings->throttle_reasons >= 0 && (readings->throttle_reasons & kNvmlThrottleBits) != 0;
  readings->ecc_uncorrected = reader.ReadCount(functions.nvmlDeviceGetTotalEccErrors, gpu.device, kNvmlEccUncorrected, kNvmlEccVolatile);
  readings->ecc_corrected = reader.ReadCount(functions.nvmlDeviceGetTotalEccErrors, gpu.device, kNvmlEccCorrected, kNvmlEccVolatile);
  ReadRemappedRows(&reader, gpu.device, readings);
  readings->pcie_rx_bytes_per_second =
      reader.ReadNumber<unsigned>(kKilobyte, functions.nvmlDeviceGetPcieThroughput, gpu.device, kNvmlPcieReceived);
  readings->pcie_tx_bytes_per_second =
      reader.ReadNumber<unsigned>(kKilobyte, functions.nvmlDeviceGetPcieThroughput, gpu.device, kNvmlPcieSent);
  readings->recovery_action = ReadRecoveryAction(&reader, gpu.board);
  readings->lost = reader.lost();
  readings->read_ns = MonotonicNs();
  return memory_code;
}

}  // namespace penstock::device
