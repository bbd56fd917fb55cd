// Functions that the fake libraries have beyond those of native/device/cuda_api.h.
#pragma once

#include "calls.h"
#include "device/cuda_api.h"
#include "nvml_types.h"

namespace penstock::fake_driver {

// Needed by tests only: the counterparts of what Penstock does once and never undoes.
#define FAKE_CUDA_EXTRA_FUNCTIONS(X)                           \
  X(cuDevicePrimaryCtxRelease_v2, (device::CudaDevice device)) \
  X(cuCtxSynchronize, ())

#define FAKE_NVML_FUNCTIONS(X)                                                                                                       \
  X(nvmlInit_v2, ())                                                                                                                 \
  X(nvmlShutdown, ())                                                                                                                \
  X(nvmlSystemGetDriverVersion, (char* version, unsigned length))                                                                    \
  X(nvmlDeviceGetCount_v2, (unsigned* count))                                                                                        \
  X(nvmlDeviceGetHandleByIndex_v2, (unsigned index, NvmlDevice* device))                                                             \
  X(nvmlDeviceGetHandleByUUID, (const char* uuid, NvmlDevice* device))                                                               \
  X(nvmlDeviceGetUUID, (NvmlDevice device, char* uuid, unsigned length))                                                             \
  X(nvmlDeviceGetName, (NvmlDevice device, char* name, unsigned length))                                                             \
  X(nvmlDeviceGetMemoryInfo, (NvmlDevice device, NvmlMemory * memory))                                                               \
  X(nvmlDeviceGetUtilizationRates, (NvmlDevice device, NvmlUtilization * utilization))                                               \
  X(nvmlDeviceGetPowerUsage, (NvmlDevice device, unsigned* milliwatts))                                                              \
  X(nvmlDeviceGetEnforcedPowerLimit, (NvmlDevice device, unsigned* milliwatts))                                                      \
  X(nvmlDeviceGetTotalEnergyConsumption, (NvmlDevice device, unsigned long long* millijoules))                                       \
  X(nvmlDeviceGetTemperature, (NvmlDevice device, int sensor, unsigned* celsius))                                                    \
  X(nvmlDeviceGetCurrentClocksThrottleReasons, (NvmlDevice device, unsigned long long* reasons))                                     \
  X(nvmlDeviceGetCurrentClocksEventReasons, (NvmlDevice device, unsigned long long* reasons))                                        \
  X(nvmlDeviceGetTotalEccErrors, (NvmlDevice device, int error_type, int counter_type, unsigned long long* count))                   \
  X(nvmlDeviceGetRemappedRows, (NvmlDevice device, unsigned* corrected, unsigned* uncorrected, unsigned* pending, unsigned* failed)) \
  X(nvmlDeviceGetPcieThroughput, (NvmlDevice device, int counter, unsigned* kb_per_second))                                          \
  X(nvmlDeviceGetFieldValues, (NvmlDevice device, int count, NvmlFieldValue* values))                                                \
  X(nvmlDeviceGetMigMode, (NvmlDevice device, unsigned* current, unsigned* pending))                                                 \
  X(nvmlDeviceGetMaxMigDeviceCount, (NvmlDevice device, unsigned* count))                                                            \
  X(nvmlDeviceGetMigDeviceHandleByIndex, (NvmlDevice device, unsigned index, NvmlDevice* mig))                                       \
  X(nvmlDeviceGetDeviceHandleFromMigDeviceHandle, (NvmlDevice mig, NvmlDevice * device))                                             \
  X(nvmlEventSetCreate, (NvmlEventSet * set))                                                                                        \
  X(nvmlDeviceRegisterEvents, (NvmlDevice device, unsigned long long types, NvmlEventSet set))                                       \
  X(nvmlEventSetWait_v2, (NvmlEventSet set, NvmlEventData * data, unsigned timeout_ms))                                              \
  X(nvmlEventSetFree, (NvmlEventSet set))

#define FAKE_DECLARE(name, parameters) FAKE_EXPORT int name parameters;
FAKE_CUDA_EXTRA_FUNCTIONS(FAKE_DECLARE)
FAKE_NVML_FUNCTIONS(FAKE_DECLARE)

}  // namespace penstock::fake_driver

// A definition that differs from cuda_api.h does not compile.
namespace penstock::device {
PENSTOCK_CUDA_FUNCTIONS(FAKE_DECLARE)
}
#undef FAKE_DECLARE
