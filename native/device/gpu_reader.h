// Reads one GPU through NVML, whatever of it this driver, this device and our permissions give.
#pragma once

#include "device/gpu_monitor.h"
#include "device/nvml.h"

namespace penstock::device {

// How NVML calls one GPU. Valid until nvmlShutdown.
struct NvmlGpu {
  NvmlDevice device = nullptr;  // null: not found
  // The board that a MIG device is a part of; the device itself otherwise. XID events, temperature and clocks are the board's.
  NvmlDevice board = nullptr;
  unsigned instance = kNvmlEveryInstance;  // of a MIG device: its GPU instance, which XID events name
};

// [may block for seconds] By UUID. Returns NVML's code.
int FindNvmlGpu(const Nvml& nvml, const GpuInfo& info, NvmlGpu* gpu);

// Is this GPU the one that the event is about? An event of one GPU instance is about none of its neighbours on the same board.
bool Concerns(const NvmlEventData& event, const NvmlGpu& gpu);

// [may block for seconds] Overwrites every reading of `gpu` except the XIDs and `revoked`. Returns NVML's code of the memory reading, which
// every device gives to everybody: the one that tells a sick device from a small permission.
int ReadGpu(const Nvml& nvml, const NvmlGpu& gpu, GpuReadings* readings);

}  // namespace penstock::device
