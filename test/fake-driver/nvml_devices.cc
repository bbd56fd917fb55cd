// Begin and end of NVML, its devices and their MIG devices.
#include "nvml_devices.h"

#include <array>
#include <cstring>

namespace penstock::fake_driver {
namespace {

constexpr int kMaxGpus = 16;
constexpr int kPlaces = 8;  // a GPU and its MIG devices
constexpr unsigned kMaxMigDevices = 7;

// Each handle points to its own place.
using Table = std::array<NvmlHandle, kMaxGpus * kPlaces>;
const Table& Places() {
  static const auto& table = *[] {
    auto* made = new Table;
    for (int each = 0; each < kMaxGpus * kPlaces; ++each) (*made)[static_cast<size_t>(each)] = {each / kPlaces, each % kPlaces - 1};
    return made;
  }();
  return table;
}

// Calls of nvmlInit_v2 that no nvmlShutdown has undone, and the reset that they are of.
std::atomic<int> initialized{0};
std::atomic<uint64_t> initialized_resets{0};

bool IsInitialized() {
  return initialized.load(std::memory_order_relaxed) > 0 && initialized_resets.load(std::memory_order_relaxed) == ResetCount();
}

int Copy(const std::string& text, char* to, unsigned size) {
  if (to == nullptr) return kNvmlInvalidArgument;
  if (text.size() >= size) return kNvmlInsufficientSize;
  std::memcpy(to, text.c_str(), text.size() + 1);
  return 0;
}

}  // namespace

const NvmlHandle* Known(NvmlDevice device) {
  const Table& places = Places();
  const auto& gpus = CurrentScript().gpus;
  for (const NvmlHandle& each : places) {
    if (reinterpret_cast<const nvmlDevice_st*>(&each) != device) continue;
    if (static_cast<size_t>(each.gpu) >= gpus.size()) return nullptr;
    const bool is_there = each.mig < 0 || static_cast<size_t>(each.mig) < gpus[static_cast<size_t>(each.gpu)].mig.size();
    return is_there ? &each : nullptr;
  }
  return nullptr;
}

NvmlDevice HandleOf(int gpu, int mig) {
  const NvmlHandle& place = Places()[static_cast<size_t>(gpu * kPlaces + mig + 1)];
  return reinterpret_cast<NvmlDevice>(const_cast<NvmlHandle*>(&place));
}

const GpuScript& ScriptOf(const NvmlHandle& handle) {
  static const auto& gone = *new GpuScript;  // the script may have changed since the handle was looked up
  const auto& gpus = CurrentScript().gpus;
  return static_cast<size_t>(handle.gpu) < gpus.size() ? gpus[static_cast<size_t>(handle.gpu)] : gone;
}

NvmlCall::NvmlCall(size_t function) {
  const Effects effects = BeginCall(function, -1);
  code_ = IsInitialized() ? effects.code : kNvmlUninitialized;
}

NvmlCall::NvmlCall(size_t function, NvmlDevice device, bool physical) : handle_(Known(device)) {
  const Effects effects = BeginCall(function, handle_ == nullptr ? -1 : handle_->gpu);
  if (!IsInitialized()) {
    code_ = kNvmlUninitialized;
  } else if (effects.code != 0) {
    code_ = effects.code;
  } else if (handle_ == nullptr) {
    code_ = kNvmlInvalidArgument;
  } else if (gpu().nvml.lost) {
    code_ = kNvmlGpuIsLost;
  } else if (physical && handle_->mig >= 0) {
    code_ = kNvmlNotSupported;
  }
}

}  // namespace penstock::fake_driver

using namespace penstock::fake_driver;

FAKE_EXPORT int nvmlInit_v2() {
  const Effects effects = BeginCall(FAKE_FUNCTION(nvmlInit_v2), -1);
  if (effects.code != 0) return effects.code;
  if (initialized_resets.exchange(ResetCount(), std::memory_order_relaxed) != ResetCount()) initialized.store(0, std::memory_order_relaxed);
  initialized.fetch_add(1, std::memory_order_relaxed);
  return 0;
}

FAKE_EXPORT int nvmlShutdown() {
  const NvmlCall call(FAKE_FUNCTION(nvmlShutdown));
  if (call.code() != 0) return call.code();
  initialized.fetch_sub(1, std::memory_order_relaxed);
  return 0;
}

FAKE_EXPORT const char* nvmlErrorString(int code) {
  switch (code) {
    case kNvmlSuccess:
      return "Success";
    case kNvmlUninitialized:
      return "Uninitialized";
    case kNvmlInvalidArgument:
      return "Invalid Argument";
    case kNvmlNotSupported:
      return "Not Supported";
    case 4:
      return "Insufficient Permissions";
    case kNvmlNotFound:
      return "Not Found";
    case kNvmlInsufficientSize:
      return "Insufficient Size";
    case 9:
      return "Driver Not Loaded";
    case kNvmlTimeout:
      return "Timeout";
    case kNvmlGpuIsLost:
      return "GPU is lost";
    case 16:
      return "GPU requires reset";
    case 17:
      return "The operating system/cgroup has blocked GPU access";
    case 18:
      return "Driver/library version mismatch";
    default:
      return "Unknown Error";
  }
}

FAKE_EXPORT int nvmlSystemGetDriverVersion(char* version, unsigned length) {
  const NvmlCall call(FAKE_FUNCTION(nvmlSystemGetDriverVersion));
  return call.code() != 0 ? call.code() : Copy(CurrentScript().driver_version, version, length);
}

FAKE_EXPORT int nvmlDeviceGetCount_v2(unsigned* count) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetCount_v2));
  if (call.code() != 0) return call.code();
  if (count == nullptr) return kNvmlInvalidArgument;
  *count = static_cast<unsigned>(CurrentScript().gpus.size());
  return 0;
}

FAKE_EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, NvmlDevice* device) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetHandleByIndex_v2));
  if (call.code() != 0) return call.code();
  const auto& gpus = CurrentScript().gpus;
  if (device == nullptr || index >= gpus.size()) return kNvmlInvalidArgument;
  if (gpus[index].nvml.lost) return kNvmlGpuIsLost;
  *device = HandleOf(static_cast<int>(index), -1);
  return 0;
}

FAKE_EXPORT int nvmlDeviceGetHandleByUUID(const char* uuid, NvmlDevice* device) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetHandleByUUID));
  if (call.code() != 0) return call.code();
  if (uuid == nullptr || device == nullptr) return kNvmlInvalidArgument;
  const auto& gpus = CurrentScript().gpus;
  for (size_t gpu = 0; gpu < gpus.size(); ++gpu) {
    int place = gpus[gpu].uuid == uuid ? -1 : -2;
    for (size_t mig = 0; mig < gpus[gpu].mig.size(); ++mig) {
      if (gpus[gpu].mig[mig].uuid == uuid) place = static_cast<int>(mig);
    }
    if (place == -2) continue;
    if (gpus[gpu].nvml.lost) return kNvmlGpuIsLost;
    *device = HandleOf(static_cast<int>(gpu), place);
    return 0;
  }
  return kNvmlNotFound;
}

FAKE_EXPORT int nvmlDeviceGetUUID(NvmlDevice device, char* uuid, unsigned length) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetUUID), device);
  if (call.code() != 0) return call.code();
  const int mig = call.handle().mig;
  return Copy(mig < 0 ? call.gpu().uuid : call.gpu().mig[static_cast<size_t>(mig)].uuid, uuid, length);
}

FAKE_EXPORT int nvmlDeviceGetName(NvmlDevice device, char* name, unsigned length) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetName), device);
  if (call.code() != 0) return call.code();
  return Copy(call.handle().mig < 0 ? call.gpu().name : call.gpu().name + " MIG", name, length);
}

FAKE_EXPORT int nvmlDeviceGetMigMode(NvmlDevice device, unsigned* current, unsigned* pending) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetMigMode), device);
  if (call.code() != 0) return call.code();
  if (call.handle().mig >= 0 || current == nullptr || pending == nullptr) return kNvmlInvalidArgument;
  *current = *pending = call.gpu().mig.empty() ? 0 : 1;
  return 0;
}

FAKE_EXPORT int nvmlDeviceGetMaxMigDeviceCount(NvmlDevice device, unsigned* count) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetMaxMigDeviceCount), device);
  if (call.code() != 0) return call.code();
  if (call.handle().mig >= 0 || count == nullptr) return kNvmlInvalidArgument;
  *count = call.gpu().mig.empty() ? 0 : kMaxMigDevices;
  return 0;
}

FAKE_EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(NvmlDevice device, unsigned index, NvmlDevice* mig) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetMigDeviceHandleByIndex), device);
  if (call.code() != 0) return call.code();
  if (call.handle().mig >= 0 || mig == nullptr || index >= kMaxMigDevices) return kNvmlInvalidArgument;
  if (index >= call.gpu().mig.size()) return kNvmlNotFound;
  *mig = HandleOf(call.handle().gpu, static_cast<int>(index));
  return 0;
}

FAKE_EXPORT int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(NvmlDevice mig, NvmlDevice* device) {
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceGetDeviceHandleFromMigDeviceHandle), mig);
  if (call.code() != 0) return call.code();
  if (call.handle().mig < 0 || device == nullptr) return kNvmlInvalidArgument;
  *device = HandleOf(call.handle().gpu, -1);
  return 0;
}

// As in a process that has just loaded the library; hung calls go on.
FAKE_EXPORT void fake_gpu_reset() { ResetCalls(); }
