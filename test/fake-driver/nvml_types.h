// The part of nvml.h (12.9) that the fake library has, in our own words: layouts and numbers are NVML's, names are ours.
#pragma once

#include <cstdint>

extern "C" {
// Opaque, under the names that nvml.h gives them.
struct nvmlDevice_st;
struct nvmlEventSet_st;
}

namespace penstock::fake_driver {

using NvmlDevice = nvmlDevice_st*;
using NvmlEventSet = nvmlEventSet_st*;

enum NvmlReturn : int {
  kNvmlSuccess = 0,
  kNvmlUninitialized = 1,
  kNvmlInvalidArgument = 2,
  kNvmlNotSupported = 3,
  kNvmlNotFound = 6,
  kNvmlInsufficientSize = 7,
  kNvmlTimeout = 10,
  kNvmlGpuIsLost = 15,
};

struct NvmlMemory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

struct NvmlUtilization {
  unsigned gpu;     // percent
  unsigned memory;  // percent
};

union NvmlValue {
  double as_double;
  unsigned as_unsigned;
  unsigned long long as_unsigned_long_long;
};

inline constexpr unsigned kNvmlFieldRecoveryAction = 230;  // NVML_FI_DEV_GET_GPU_RECOVERY_ACTION
inline constexpr int kNvmlValueUnsigned = 1;               // NVML_VALUE_TYPE_UNSIGNED_INT

struct NvmlFieldValue {
  unsigned field;
  unsigned scope;
  long long timestamp_us;
  long long latency_us;
  int value_type;
  int result;  // NvmlReturn; the value means something only with 0
  NvmlValue value;
};

inline constexpr unsigned long long kNvmlEventXid = 8;  // nvmlEventTypeXidCriticalError

struct NvmlEventData {
  NvmlDevice device;
  unsigned long long type;
  unsigned long long data;  // of an XID event: its number
  unsigned gpu_instance;
  unsigned compute_instance;
};

}  // namespace penstock::fake_driver
