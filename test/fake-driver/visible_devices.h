// Which devices CUDA shows to a process.
#pragma once

#include <string>
#include <vector>

#include "script.h"

namespace penstock::fake_driver {

struct VisibleDevice {
  int gpu = 0;
  int mig = -1;  // -1 = the whole GPU
};

// `visible` is CUDA_VISIBLE_DEVICES, null when it is not set. As CUDA's programming guide has it ("CUDA Environment Variables"): indices,
// UUIDs or beginnings of UUIDs that fit one only; what stands before the first one that is none counts. As the MIG user guide has it
// ("CUDA Device Enumeration"): with a MIG device among them there is that one only.
std::vector<VisibleDevice> FindVisibleDevices(const Script& script, const char* visible);

}  // namespace penstock::fake_driver
