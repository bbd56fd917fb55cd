// cuInit, versions, errors, devices and contexts.
#include <cstdio>
#include <cstring>

#include "contexts.h"
#include "functions.h"

using namespace penstock::fake_driver;
using penstock::device::CudaContext;
using penstock::device::CudaDevice;
using penstock::device::CudaUuid;

namespace {

struct Error {
  int code;
  const char* name;
  const char* text;
};

// Those that gpu_fault.h tells apart and those that the fake gives of itself.
constexpr Error kErrors[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {35, "CUDA_ERROR_INSUFFICIENT_DRIVER", "CUDA driver version is insufficient for CUDA runtime version"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {226, "CUDA_ERROR_CONTAINED", "Invalid access of peer GPU memory over nvlink or a hardware error"},
    {304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS"},
    {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {600, "CUDA_ERROR_NOT_READY", "device not ready"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {702, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"},
    {710, "CUDA_ERROR_ASSERT", "device-side assert triggered"},
    {714, "CUDA_ERROR_HARDWARE_STACK_ERROR", "hardware stack error"},
    {715, "CUDA_ERROR_ILLEGAL_INSTRUCTION", "an illegal instruction was encountered"},
    {716, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {717, "CUDA_ERROR_INVALID_ADDRESS_SPACE", "operation not supported on global/shared address space"},
    {718, "CUDA_ERROR_INVALID_PC", "invalid program counter"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination"},
    {804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", "forward compatibility was attempted on non supported HW"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

int Look(int code, const char* Error::*member, const char** result) {
  if (result == nullptr) return kInvalidValue;
  *result = nullptr;
  for (const Error& each : kErrors) {
    if (each.code == code) *result = each.*member;
  }
  return *result == nullptr ? kInvalidValue : 0;
}

// As strncpy, but always terminated: what the driver does with a buffer that is too small.
int Copy(const std::string& text, char* to, int size) {
  if (to == nullptr || size <= 0) return kInvalidValue;
  std::snprintf(to, static_cast<size_t>(size), "%s", text.c_str());
  return 0;
}

// "GPU-00112233-4455-..." or "MIG-...": the 16 bytes behind the dash.
CudaUuid BytesOf(const std::string& uuid) {
  CudaUuid bytes{};
  size_t digit = 0;
  for (const char each : uuid.substr(4)) {
    if (each == '-') continue;
    const int value = each <= '9' ? each - '0' : (each | 0x20) - 'a' + 10;
    unsigned char* byte = &bytes.bytes[digit++ / 2];
    *byte = static_cast<unsigned char>(*byte << 4 | value);
  }
  return bytes;
}

const GpuScript& ScriptOf(const CUctx_st& device) {
  static const auto& gone = *new GpuScript;
  const auto& gpus = CurrentScript().gpus;
  return static_cast<size_t>(device.gpu) < gpus.size() ? gpus[static_cast<size_t>(device.gpu)] : gone;
}

}  // namespace

FAKE_EXPORT int cuInit(unsigned flags) {
  const CudaCall call(FAKE_FUNCTION(cuInit), Needs::kNothing);
  if (call.code() != 0) return call.code();
  return flags == 0 ? Initialize() : kInvalidValue;
}

FAKE_EXPORT int cuDriverGetVersion(int* version) {
  const CudaCall call(FAKE_FUNCTION(cuDriverGetVersion), Needs::kNothing);
  if (call.code() != 0) return call.code();
  if (version == nullptr) return kInvalidValue;
  *version = CurrentScript().cuda_version;
  return 0;
}

FAKE_EXPORT int cuGetErrorName(int code, const char** name) {
  const CudaCall call(FAKE_FUNCTION(cuGetErrorName), Needs::kNothing);
  return call.code() != 0 ? call.code() : Look(code, &Error::name, name);
}

FAKE_EXPORT int cuGetErrorString(int code, const char** text) {
  const CudaCall call(FAKE_FUNCTION(cuGetErrorString), Needs::kNothing);
  return call.code() != 0 ? call.code() : Look(code, &Error::text, text);
}

FAKE_EXPORT int cuDeviceGetCount(int* count) {
  const CudaCall call(FAKE_FUNCTION(cuDeviceGetCount), Needs::kInit);
  if (call.code() != 0) return call.code();
  if (count == nullptr) return kInvalidValue;
  *count = static_cast<int>(Devices().size());
  return 0;
}

FAKE_EXPORT int cuDeviceGet(CudaDevice* device, int ordinal) {
  const CudaCall call(FAKE_FUNCTION(cuDeviceGet), ordinal);
  if (call.code() != 0) return call.code();
  if (device == nullptr) return kInvalidValue;
  *device = ordinal;
  return 0;
}

FAKE_EXPORT int cuDeviceGetName(char* name, int size, CudaDevice device) {
  const CudaCall call(FAKE_FUNCTION(cuDeviceGetName), device);
  return call.code() != 0 ? call.code() : Copy(call.context()->name, name, size);
}

FAKE_EXPORT int cuDeviceGetUuid_v2(CudaUuid* uuid, CudaDevice device) {
  const CudaCall call(FAKE_FUNCTION(cuDeviceGetUuid_v2), device);
  if (call.code() != 0) return call.code();
  if (uuid == nullptr) return kInvalidValue;
  *uuid = BytesOf(call.context()->uuid);
  return 0;
}

FAKE_EXPORT int cuDeviceTotalMem_v2(size_t* bytes, CudaDevice device) {
  const CudaCall call(FAKE_FUNCTION(cuDeviceTotalMem_v2), device);
  if (call.code() != 0) return call.code();
  if (bytes == nullptr) return kInvalidValue;
  *bytes = call.context()->total_bytes;
  return 0;
}

FAKE_EXPORT int cuDeviceGetAttribute(int* value, int attribute, CudaDevice device) {
  const CudaCall call(FAKE_FUNCTION(cuDeviceGetAttribute), device);
  if (call.code() != 0) return call.code();
  if (value == nullptr) return kInvalidValue;
  if (attribute == penstock::device::kCudaComputeMajor) {
    *value = ScriptOf(*call.context()).compute_major;
  } else if (attribute == penstock::device::kCudaComputeMinor) {
    *value = ScriptOf(*call.context()).compute_minor;
  } else {
    return kInvalidValue;
  }
  return 0;
}

FAKE_EXPORT int cuDeviceGetPCIBusId(char* id, int size, CudaDevice device) {
  const CudaCall call(FAKE_FUNCTION(cuDeviceGetPCIBusId), device);
  return call.code() != 0 ? call.code() : Copy(ScriptOf(*call.context()).pci_bus_id, id, size);
}

FAKE_EXPORT int cuDevicePrimaryCtxRetain(CudaContext* context, CudaDevice device) {
  const CudaCall call(FAKE_FUNCTION(cuDevicePrimaryCtxRetain), device);
  if (call.code() != 0) return call.code();
  if (context == nullptr) return kInvalidValue;
  // A struck context stays so until the process ends, whoever retains it anew.
  if (call.context()->sticky() != 0) return call.context()->sticky();
  call.context()->Retain();
  *context = call.context();
  return 0;
}

FAKE_EXPORT int cuDevicePrimaryCtxRelease_v2(CudaDevice device) {
  const CudaCall call(FAKE_FUNCTION(cuDevicePrimaryCtxRelease_v2), device);
  if (call.code() != 0) return call.code();
  return call.context()->Release() ? 0 : kInvalidContext;
}

FAKE_EXPORT int cuCtxSetCurrent(CudaContext context) {
  const CudaCall call(FAKE_FUNCTION(cuCtxSetCurrent), Needs::kInit);
  if (call.code() != 0) return call.code();
  if (context != nullptr) {
    bool known = false;
    for (const CUctx_st* each : Devices()) known = known || (each == context && each->alive());
    if (!known) return kInvalidContext;
  }
  SetCurrentContext(context);
  return 0;
}

FAKE_EXPORT int cuCtxGetCurrent(CudaContext* context) {
  const CudaCall call(FAKE_FUNCTION(cuCtxGetCurrent), Needs::kInit);
  if (call.code() != 0) return call.code();
  if (context == nullptr) return kInvalidValue;
  *context = CurrentContext();
  return 0;
}

FAKE_EXPORT int cuCtxSynchronize() {
  const CudaCall call(FAKE_FUNCTION(cuCtxSynchronize), Needs::kContext);
  if (call.code() != 0) return call.code();
  call.context()->WaitForAll();
  return call.context()->sticky();
}
