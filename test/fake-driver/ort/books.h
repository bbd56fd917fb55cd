// What the CUDA provider would know: which objects are of a GPU, and what lies there.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "gpu_memory.h"
#include "graphs.h"
#include "session/ort_api.h"

namespace penstock::fake_ort {

using Options = std::map<std::string, std::string>;

// An output of a binding: where it was bound to, and after a run its bytes on the device.
struct Output {
  std::string name;
  int ordinal = -1;  // -1: on the CPU, or in memory of the caller's
  const void* fixed = nullptr;  // the latter
  std::shared_ptr<DeviceMemory> memory;
};

// An input of numbers, where it lies and what it was when it was bound.
struct Input {
  const void* data = nullptr;
  std::string bytes;
};

struct Books {
  std::mutex mutex;
  Options last_options;
  std::map<const OrtSessionOptions*, int> ordinals;       // of session options with the provider appended
  std::map<const OrtMemoryInfo*, int> places;             // "Cuda", by ordinal
  std::map<const OrtSession*, std::shared_ptr<DeviceMemory>> weights;
  std::map<const OrtIoBinding*, std::vector<Output>> outputs;  // in the order of binding
  std::map<const OrtIoBinding*, std::map<std::string, Input>> inputs;  // by name
  std::map<const OrtIoBinding*, int64_t> rows;  // of the input that was bound first; 0: it is a scalar
  std::map<const OrtValue*, std::shared_ptr<DeviceMemory>> values;
  std::set<const OrtRunOptions*> shrinking;
  uint64_t shrinks = 0;
  Graphs graphs;  // has a lock of its own
};

Books& TheBooks();

using Lock = std::lock_guard<std::mutex>;

}  // namespace penstock::fake_ort
