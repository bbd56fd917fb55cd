// What NVML measures: the script says it.
#include <dlfcn.h>

#include <algorithm>

#include "nvml_devices.h"

using namespace penstock::fake_driver;

namespace {

// A reading of the whole GPU.
template <typename T>
int Read(const NvmlCall& call, T* to, T value) {
  if (call.code() != 0) return call.code();
  if (to == nullptr) return kNvmlInvalidArgument;
  *to = value;
  return 0;
}

// What the fake CUDA of this process has allocated on a device; 0 without one.
uint64_t CudaBytesOf(const std::string& uuid) {
  void* cuda = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
  if (cuda == nullptr) return 0;
  const auto bytes_of = reinterpret_cast<uint64_t (*)(const char*)>(dlsym(cuda, "fake_gpu_bytes_of"));
  const uint64_t bytes = bytes_of == nullptr ? 0 : bytes_of(uuid.c_str());
  dlclose(cuda);
  return bytes;
}

uint64_t UsedBytes(const GpuScript& gpu, int mig) {
  if (gpu.nvml.memory_used_bytes >= 0) return static_cast<uint64_t>(gpu.nvml.memory_used_bytes);
  if (mig >= 0) return CudaBytesOf(gpu.mig[static_cast<size_t>(mig)].uuid);
  uint64_t bytes = gpu.used_by_others_bytes + CudaBytesOf(gpu.uuid);
  for (const MigScript& each : gpu.mig) bytes += CudaBytesOf(each.uuid);
  return bytes;
}

}  // namespace

FAKE_EXPORT int nvmlDeviceGetMemoryInfo(NvmlDevice device, NvmlMemory* memory) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetMemoryInfo), device);
  if (call.code() != 0) return call.code();
  if (memory == nullptr) return kNvmlInvalidArgument;
  const int mig = call.handle().mig;
  memory->total = mig < 0 ? call.gpu().memory_bytes : call.gpu().mig[static_cast<size_t>(mig)].memory_bytes;
  memory->used = std::min<uint64_t>(UsedBytes(call.gpu(), mig), memory->total);
  memory->free = memory->total - memory->used;
  return 0;
}

FAKE_EXPORT int nvmlDeviceGetUtilizationRates(NvmlDevice device, NvmlUtilization* utilization) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetUtilizationRates), device, true);
  if (call.code() == 0 && !call.gpu().mig.empty()) return kNvmlNotSupported;
  return Read(call, utilization, call.code() != 0 ? NvmlUtilization{} : NvmlUtilization{call.gpu().nvml.utilization_percent, 0});
}

// The readings that are a number of the whole GPU: name, type of the result, member of the script.
#define FAKE_READING(name, type, member)                     \
  FAKE_EXPORT int name(NvmlDevice device, type* result) {    \
    const NvmlCall call(FAKE_FUNCTION(name), device, true);  \
    if (call.code() != 0) return call.code();                \
    return Read<type>(call, result, call.gpu().nvml.member); \
  }

FAKE_READING(nvmlDeviceGetPowerUsage, unsigned, power_mw)
FAKE_READING(nvmlDeviceGetEnforcedPowerLimit, unsigned, power_limit_mw)
FAKE_READING(nvmlDeviceGetTotalEnergyConsumption, unsigned long long, energy_mj)
FAKE_READING(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, throttle_reasons)
FAKE_READING(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long, throttle_reasons)

FAKE_EXPORT int nvmlDeviceGetTemperature(NvmlDevice device, int sensor, unsigned* celsius) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetTemperature), device, true);
  if (call.code() != 0) return call.code();
  if (sensor != 0) return kNvmlInvalidArgument;
  return Read(call, celsius, call.gpu().nvml.temperature_celsius);
}

FAKE_EXPORT int nvmlDeviceGetTotalEccErrors(NvmlDevice device, int error_type, int counter_type, unsigned long long* count) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetTotalEccErrors), device, true);
  if (call.code() != 0) return call.code();
  if (error_type < 0 || error_type > 1 || counter_type < 0 || counter_type > 1) return kNvmlInvalidArgument;
  const NvmlScript& nvml = call.gpu().nvml;
  return Read<unsigned long long>(call, count, error_type == 0 ? nvml.ecc_corrected : nvml.ecc_uncorrected);
}

FAKE_EXPORT int nvmlDeviceGetRemappedRows(NvmlDevice device, unsigned* corrected, unsigned* uncorrected, unsigned* pending,
                                          unsigned* failed) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetRemappedRows), device, true);
  if (call.code() != 0) return call.code();
  if (!call.gpu().mig.empty()) return kNvmlNotSupported;
  if (corrected == nullptr || uncorrected == nullptr || pending == nullptr || failed == nullptr) return kNvmlInvalidArgument;
  const NvmlScript& nvml = call.gpu().nvml;
  *corrected = nvml.remapped_rows_corrected;
  *uncorrected = nvml.remapped_rows_uncorrected;
  *pending = nvml.remap_pending ? 1 : 0;
  *failed = nvml.remap_failed ? 1 : 0;
  return 0;
}

FAKE_EXPORT int nvmlDeviceGetPcieThroughput(NvmlDevice device, int counter, unsigned* kb_per_second) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetPcieThroughput), device, true);
  if (call.code() != 0) return call.code();
  if (counter < 0 || counter > 1) return kNvmlInvalidArgument;
  const NvmlScript& nvml = call.gpu().nvml;
  return Read(call, kb_per_second, counter == 0 ? nvml.pcie_tx_kb_per_second : nvml.pcie_rx_kb_per_second);
}

FAKE_EXPORT int nvmlDeviceGetFieldValues(NvmlDevice device, int count, NvmlFieldValue* values) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetFieldValues), device, true);
  if (call.code() != 0) return call.code();
  if (values == nullptr || count < 0) return kNvmlInvalidArgument;
  for (int each = 0; each < count; ++each) {
    NvmlFieldValue* value = &values[each];
    value->result = value->field == kNvmlFieldRecoveryAction ? kNvmlSuccess : kNvmlNotSupported;
    value->value_type = kNvmlValueUnsigned;
    value->value.as_unsigned = call.gpu().nvml.recovery_action;
  }
  return 0;
}
