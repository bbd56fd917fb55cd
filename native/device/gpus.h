// The GPUs of this process, found once at start.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "device/gpu.h"

namespace penstock::device {

struct GpuOptions {
  std::string cuda_library = "libcuda.so.1";
  // The value of NVIDIA_VISIBLE_DEVICES. The container runtime has applied it before we start, so it may only narrow what we see where that
  // cannot be wrong:
  // - "none": no GPU, and no driver is opened.
  // - UUIDs or prefixes of them ("GPU-...", "MIG-...", any case, separated by commas): only those. An entry "GPU-..." or "MIG-GPU-.../1/0"
  //   (the form of drivers before 470) keeps every MIG device, since CUDA does not tell on which GPU one lies.
  // - Everything else leaves nothing out: "" and "all"; indices, which count the host's GPUs while ours are numbered from 0 again; "void",
  //   which the runtime sets itself where it injects GPUs through CDI (NVIDIA/nvidia-container-toolkit pull request 395); the folder
  //   that the device plugin names; CDI names.
  // CUDA_VISIBLE_DEVICES needs nothing of ours: the driver itself applies it.
  std::string visible_devices;
  // Opened to tell a container that lost its GPUs from a driver in trouble, once a first call has failed.
  std::string device_node = "/dev/nvidiactl";
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

// [thread that may block for seconds] Finds and opens them, once: a fabric manager that is not up yet (kNotReady) is worth another call
// later. A GPU that cannot be read, opened or used is left out with a note; where none is left, why_none is
// that of the first one in trouble.
Gpus FindGpus(const GpuOptions& options);

// By UUID (whole, or a prefix that fits one only; any case) or by index into the list ("0"); null when none fits.
std::shared_ptr<Gpu> FindGpu(const Gpus& gpus, const std::string& name);

}  // namespace penstock::device
