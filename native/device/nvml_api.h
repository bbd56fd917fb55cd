// The part of NVML that Penstock calls, in our own words: no nvml.h is needed to build. Numbers and layouts are those of nvml.h of
// CUDA 13.0.
//
// Names are those that the library exports: where nvml.h renames a function to a later version (nvmlInit to nvmlInit_v2), that one stands
// here.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {
// Opaque, under the names that nvml.h gives them.
struct nvmlDevice_st;
struct nvmlEventSet_st;
}

namespace penstock::device {

using NvmlDevice = nvmlDevice_st*;
using NvmlEventSet = nvmlEventSet_st*;

struct NvmlMemory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;  // what the driver keeps for itself included
};

struct NvmlUtilization {
  unsigned gpu;  // percent of the last sample period
  unsigned memory;
};

struct NvmlEventData {
  NvmlDevice device;
  unsigned long long type;
  unsigned long long data;  // number of the XID
  unsigned gpu_instance;    // kNvmlEveryInstance: not of one MIG instance
  unsigned compute_instance;
};

struct NvmlFieldValue {
  unsigned field;
  unsigned scope;
  long long timestamp_us;
  long long latency_us;
  unsigned value_type;
  int code;  // of this field alone
  union {
    double as_double;
    unsigned as_unsigned;
    unsigned long long as_unsigned_long_long;
  } value;
};

static_assert(sizeof(NvmlMemory) == 24 && sizeof(NvmlUtilization) == 8, "layout of nvml.h");
static_assert(sizeof(NvmlEventData) == 32 && offsetof(NvmlEventData, data) == 16, "layout of nvml.h");
static_assert(sizeof(NvmlFieldValue) == 40 && offsetof(NvmlFieldValue, value) == 32, "layout of nvml.h");

inline constexpr int kNvmlSuccess = 0;
inline constexpr int kNvmlUninitialized = 1;
inline constexpr int kNvmlNoPermission = 4;
inline constexpr int kNvmlNotFound = 6;
inline constexpr int kNvmlDriverNotLoaded = 9;
inline constexpr int kNvmlTimeout = 10;
inline constexpr int kNvmlGpuIsLost = 15;
inline constexpr int kNvmlOperatingSystem = 17;  // "blocked by the operating system/cgroups"
inline constexpr int kNvmlVersionMismatch = 18;  // of the library and the loaded driver
inline constexpr int kNvmlUnknown = 999;

inline constexpr unsigned kNvmlTemperatureGpu = 0;
inline constexpr unsigned kNvmlEccCorrected = 0;
inline constexpr unsigned kNvmlEccUncorrected = 1;
inline constexpr unsigned kNvmlEccVolatile = 0;
inline constexpr unsigned kNvmlPcieSent = 0;
inline constexpr unsigned kNvmlPcieReceived = 1;
inline constexpr unsigned long long kNvmlEventXid = 0x8;
inline constexpr unsigned kNvmlEveryInstance = 0xFFFFFFFF;
inline constexpr unsigned kNvmlFieldRecoveryAction = 230;

// Bits of the clocks event reasons that say "slower than it should be": hardware slowdown, software and hardware thermal slowdown, power
// brake. Not among them: idle, the clocks that somebody set, and the ordinary power cap (0x4).
inline constexpr int64_t kNvmlThrottleBits = 0x8 | 0x20 | 0x40 | 0x80;

// Name, parameters; every function but nvmlErrorString returns an nvmlReturn_t. Without one of these NVML is of no use to us.
#define PENSTOCK_NVML_REQUIRED(X)                                                      \
  X(nvmlInit_v2, ())                                                                   \
  X(nvmlShutdown, ())                                                                  \
  X(nvmlDeviceGetHandleByUUID, (const char* uuid, NvmlDevice* device))                 \
  X(nvmlDeviceGetMemoryInfo, (NvmlDevice device, NvmlMemory * memory))                 \
  X(nvmlDeviceGetUtilizationRates, (NvmlDevice device, NvmlUtilization * utilization)) \
  X(nvmlDeviceGetPowerUsage, (NvmlDevice device, unsigned* milliwatts))                \
  X(nvmlDeviceGetEnforcedPowerLimit, (NvmlDevice device, unsigned* milliwatts))

// What an older driver lacks (MIG, row remapping, XID data of MIG: before R450; clocks *event* reasons: before R535) or a later one may
// have dropped (deprecated in 13.0: temperature, throttle reasons), and what no decision hangs on.
#define PENSTOCK_NVML_OPTIONAL(X)                                                                                                    \
  X(nvmlDeviceGetTotalEnergyConsumption, (NvmlDevice device, unsigned long long* millijoules))                                       \
  X(nvmlDeviceGetTemperature, (NvmlDevice device, unsigned sensor, unsigned* celsius))                                               \
  X(nvmlDeviceGetCurrentClocksEventReasons, (NvmlDevice device, unsigned long long* reasons))                                        \
  X(nvmlDeviceGetCurrentClocksThrottleReasons, (NvmlDevice device, unsigned long long* reasons))                                     \
  X(nvmlDeviceGetTotalEccErrors, (NvmlDevice device, unsigned type, unsigned counter, unsigned long long* count))                    \
  X(nvmlDeviceGetRemappedRows, (NvmlDevice device, unsigned* corrected, unsigned* uncorrected, unsigned* pending, unsigned* failed)) \
  X(nvmlDeviceGetPcieThroughput, (NvmlDevice device, unsigned direction, unsigned* kilobytes_per_second))                            \
  X(nvmlDeviceGetFieldValues, (NvmlDevice device, int count, NvmlFieldValue* values))                                                \
  X(nvmlDeviceGetDeviceHandleFromMigDeviceHandle, (NvmlDevice mig, NvmlDevice * board))                                              \
  X(nvmlDeviceGetGpuInstanceId, (NvmlDevice mig, unsigned* id))                                                                      \
  X(nvmlEventSetCreate, (NvmlEventSet * set))                                                                                        \
  X(nvmlEventSetFree, (NvmlEventSet set))                                                                                            \
  X(nvmlDeviceRegisterEvents, (NvmlDevice device, unsigned long long types, NvmlEventSet set))                                       \
  X(nvmlEventSetWait_v2, (NvmlEventSet set, NvmlEventData * data, unsigned timeout_ms))

// The functions above by name; an optional one that is missing is null.
struct NvmlFunctions {
  const char* (*nvmlErrorString)(int code) = nullptr;
#define PENSTOCK_NVML_MEMBER(name, parameters) int(*name) parameters = nullptr;
  PENSTOCK_NVML_REQUIRED(PENSTOCK_NVML_MEMBER)
  PENSTOCK_NVML_OPTIONAL(PENSTOCK_NVML_MEMBER)
#undef PENSTOCK_NVML_MEMBER
};

}  // namespace penstock::device
