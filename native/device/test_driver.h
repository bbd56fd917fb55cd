// The fake driver (test/fake-driver) for tests of this folder and those above it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "device/gpus.h"
#include "device/test_library.h"

namespace penstock::device {

// The fake library as a test steers it. One test at a time: the script holds for the whole process.
class FakeDriver {
 public:
  // Forgets what earlier tests left; `script` as in test/fake-driver/README.md.
  explicit FakeDriver(const std::string& script = "") {
    Call<void()>("fake_gpu_reset")();
    Say(script);
  }
  ~FakeDriver() { Call<void()>("fake_gpu_reset")(); }

  static const char* Library() { return PENSTOCK_FAKE_DRIVER_DIR "/libcuda.so.1"; }

  // Another script from now on; what exists on the GPUs stays.
  void Say(const std::string& script) { Call<void(const char*)>("fake_gpu_set_script")(script.c_str()); }
  // Calls of a function since the last script.
  uint64_t Calls(const char* function) const { return Call<uint64_t(const char*)>("fake_gpu_calls")(function); }
  // Page-locked memory that has not been given back.
  uint64_t HostBytes() const { return Call<uint64_t()>("fake_gpu_host_bytes")(); }

  static GpuOptions Options() {
    GpuOptions options;
    options.cuda_library = Library();
    return options;
  }
  // The first GPU; ends the process where there is none.
  std::shared_ptr<Gpu> First() const {
    Gpus gpus = FindGpus(Options());
    if (gpus.list.empty()) {
      std::fprintf(stderr, "%s\n", gpus.why_none.text.c_str());
      std::abort();
    }
    return gpus.list[0];
  }

 private:
  template <typename Function>
  static Function* Call(const char* name) {
    static const FakeLibrary library(Library());
    return library.Find<Function>(name);
  }
};

}  // namespace penstock::device
