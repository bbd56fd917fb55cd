// The GPUs of this process, found once at start.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "device/gpu.h"

namespace penstock::device {

struct GpuOptions {
  std::string cuda_library = "libcuda.so.1";
  // NVIDIA_VISIBLE_DEVICES as the container runtime understands it: indices, UUIDs, "all" (or nothing), "none" and "void" for no GPU.
  // CUDA_VISIBLE_DEVICES needs nothing of ours: the driver itself applies it.
  std::string visible_devices;
  // Older GPUs are left out, with the reason in `notes`. Triton: --min-supported-compute-capability.
  double min_compute_capability = 7.5;
  bool allowed = true;  // false: no driver is opened at all
};

struct Gpus {
  std::vector<std::shared_ptr<Gpu>> list;  // usable ones, in CUDA's order
  std::string driver_version;              // "13.0"; empty without a driver
  Fault why_none;                          // kNone when there is one; otherwise why there is none
  std::vector<std::string> notes;          // for the log: devices left out and why
};

// [thread that may block for seconds] Finds and opens them.
Gpus FindGpus(const GpuOptions& options);

// By UUID (whole, or a prefix that fits one only) or by index into the list ("0"); null when none fits.
std::shared_ptr<Gpu> FindGpu(const Gpus& gpus, const std::string& name);

}  // namespace penstock::device
