#include "device/gpus.h"

#include <strings.h>

#include <cstdio>

namespace penstock::device {
namespace {

bool HasPrefix(const std::string& text, const std::string& prefix) {
  return text.size() >= prefix.size() && strncasecmp(text.c_str(), prefix.c_str(), prefix.size()) == 0;
}

// "GPU-" or "MIG-" and at least one character more.
bool LooksLikeUuid(const std::string& name) { return name.size() > 4 && (HasPrefix(name, "GPU-") || HasPrefix(name, "MIG-")); }

std::vector<std::string> Entries(const std::string& list) {
  std::vector<std::string> entries;
  std::string entry;
  for (const char c : list + ",") {
    if (c == ',') {
      if (!entry.empty()) entries.push_back(entry);
      entry.clear();
    } else if (c != ' ') {
      entry += c;
    }
  }
  return entries;
}

// What is left of NVIDIA_VISIBLE_DEVICES for us to do (see GpuOptions).
struct Visible {
  bool none = false;
  std::vector<std::string> uuids;  // empty: nothing is left out
  std::string note;
};

Visible ReadVisible(const std::string& value) {
  Visible visible;
  const std::vector<std::string> entries = Entries(value);
  if (entries.empty() || value == "all" || value == "void") return visible;
  if (value == "none") {
    visible.none = true;
    return visible;
  }
  for (const std::string& entry : entries) {
    if (!LooksLikeUuid(entry)) {
      visible.note = "NVIDIA_VISIBLE_DEVICES '" + value + "' is left to the container runtime: only a list of UUIDs is applied here";
      return visible;
    }
  }
  visible.uuids = entries;
  return visible;
}

bool IsVisible(const GpuInfo& info, const Visible& visible) {
  if (visible.uuids.empty()) return true;
  for (const std::string& entry : visible.uuids) {
    if (HasPrefix(info.uuid, entry)) return true;
    if (info.is_mig && (HasPrefix(entry, "GPU-") || HasPrefix(entry, "MIG-GPU-"))) return true;
  }
  return false;
}

std::string FormatUuid(const CudaUuid& uuid, bool is_mig) {
  std::string text = is_mig ? "MIG" : "GPU";
  for (int i = 0; i < 16; ++i) {
    if (i == 0 || i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", static_cast<unsigned>(uuid.bytes[i]));
    text += digits;
  }
  return text;
}

// CUDA writes the domain with four digits, NVML with eight.
std::string FormatBusId(const std::string& id) { return id.find(':') == 4 ? "0000" + id : id; }

std::string FormatVersion(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

Fault ReadInfo(const Driver& driver, int ordinal, GpuInfo* info) {
  const CudaFunctions& cuda = driver.cuda();
  Fault fault;
  const auto worked = [&driver, &fault](const char* call, CudaCode code) {
    fault = driver.FaultOf(call, code, false);
    return fault.kind == FaultKind::kNone;
  };
  CudaDevice device = 0;
  char name[256] = "";
  char bus_id[64] = "";
  CudaUuid uuid{};
  size_t total_bytes = 0;
  info->ordinal = ordinal;
  // In a MIG device the second version gives the UUID of the MIG device, as NVIDIA's reference of cuDeviceGetUuid_v2 says.
  const bool read = worked("cuDeviceGet", cuda.cuDeviceGet(&device, ordinal)) &&
                    worked("cuDeviceGetUuid_v2", cuda.cuDeviceGetUuid_v2(&uuid, device)) &&
                    worked("cuDeviceGetName", cuda.cuDeviceGetName(name, sizeof(name), device)) &&
                    worked("cuDeviceTotalMem_v2", cuda.cuDeviceTotalMem_v2(&total_bytes, device)) &&
                    worked("cuDeviceGetPCIBusId", cuda.cuDeviceGetPCIBusId(bus_id, sizeof(bus_id), device)) &&
                    worked("cuDeviceGetAttribute", cuda.cuDeviceGetAttribute(&info->compute_major, kCudaComputeMajor, device)) &&
                    worked("cuDeviceGetAttribute", cuda.cuDeviceGetAttribute(&info->compute_minor, kCudaComputeMinor, device));
  if (!read) return fault;
  info->name = name;
  // CUDA has no attribute for it; it adds the profile to the name, as in "NVIDIA A100-SXM4-40GB MIG 1g.5gb".
  info->is_mig = (info->name + " ").find(" MIG ") != std::string::npos;
  info->uuid = FormatUuid(uuid, info->is_mig);
  info->pci_bus_id = FormatBusId(bus_id);
  info->total_bytes = total_bytes;
  return fault;
}

std::string FormatCapability(double capability) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f", capability);
  return text;
}

// Opens the GPU, or says why it is left out.
std::shared_ptr<Gpu> OpenUsable(const std::shared_ptr<const Driver>& driver, int ordinal, const GpuOptions& options, const Visible& visible,
                                Fault* fault) {
  GpuInfo info;
  *fault = ReadInfo(*driver, ordinal, &info);
  if (fault->kind != FaultKind::kNone) {
    *fault = AtStart(*fault, options.device_node);
    fault->text = "GPU " + std::to_string(ordinal) + " is left out: " + fault->text;
    return nullptr;
  }
  const std::string left_out = info.uuid + " (" + info.name + ") is left out: ";
  if (!IsVisible(info, visible)) {
    *fault = Fault{FaultKind::kNoDevice, 0, left_out + "NVIDIA_VISIBLE_DEVICES '" + options.visible_devices + "' does not name it"};
    return nullptr;
  }
  // The minor number is one digit; half a step keeps the comparison clear of rounding.
  if (info.compute_major + info.compute_minor / 10.0 < options.min_compute_capability - 0.05) {
    *fault = Fault{FaultKind::kNoDevice, 0,
                   left_out + "its compute capability is " + std::to_string(info.compute_major) + "." + std::to_string(info.compute_minor) +
                       ", at least " + FormatCapability(options.min_compute_capability) + " is needed"};
    return nullptr;
  }
  std::shared_ptr<Gpu> gpu = Gpu::Open(driver, std::move(info), fault);
  if (gpu == nullptr) {
    *fault = AtStart(*fault, options.device_node);
    fault->text = left_out + fault->text;
  }
  return gpu;
}

}  // namespace

Gpus FindGpus(const GpuOptions& options) {
  Gpus gpus;
  if (!options.allowed) {
    gpus.why_none = Fault{FaultKind::kNoDevice, 0, "GPUs are turned off by configuration"};
    return gpus;
  }
  const Visible visible = ReadVisible(options.visible_devices);
  if (visible.none) {
    gpus.why_none = Fault{FaultKind::kNoDevice, 0, "NVIDIA_VISIBLE_DEVICES is 'none'"};
    return gpus;
  }
  Fault fault;
  const std::shared_ptr<const Driver> driver = Driver::Open(options.cuda_library, &fault);
  if (driver == nullptr) {
    gpus.why_none = AtStart(fault, options.device_node);
    return gpus;
  }
  gpus.driver_version = FormatVersion(driver->version());
  int count = 0;
  fault = driver->FaultOf("cuDeviceGetCount", driver->cuda().cuDeviceGetCount(&count), false);
  if (fault.kind != FaultKind::kNone) {
    gpus.why_none = AtStart(fault, options.device_node);
    return gpus;
  }
  if (!visible.note.empty()) gpus.notes.push_back(visible.note);
  gpus.why_none = Fault{FaultKind::kNoDevice, 0, "cuDeviceGetCount: the driver shows no GPU"};
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    std::shared_ptr<Gpu> gpu = OpenUsable(driver, ordinal, options, visible, &fault);
    if (gpu != nullptr) {
      gpus.list.push_back(std::move(gpu));
      continue;
    }
    // A GPU in trouble explains more than one that nobody wanted.
    if (ordinal == 0 || (gpus.why_none.kind == FaultKind::kNoDevice && fault.kind != FaultKind::kNoDevice)) gpus.why_none = fault;
    gpus.notes.push_back(fault.text);
  }
  if (!gpus.list.empty()) gpus.why_none = Fault{};
  return gpus;
}

std::shared_ptr<Gpu> FindGpu(const Gpus& gpus, const std::string& name) {
  if (LooksLikeUuid(name)) {
    std::shared_ptr<Gpu> found;
    for (const std::shared_ptr<Gpu>& gpu : gpus.list) {
      if (!HasPrefix(gpu->info().uuid, name)) continue;
      if (found != nullptr) return nullptr;
      found = gpu;
    }
    return found;
  }
  for (size_t i = 0; i < gpus.list.size(); ++i) {
    if (name == std::to_string(i)) return gpus.list[i];
  }
  return nullptr;
}

}  // namespace penstock::device
