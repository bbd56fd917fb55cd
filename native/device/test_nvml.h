// The NVML of the fake driver for tests.
#pragma once

#include <cstdint>
#include <string>

#include "device/test_library.h"

namespace penstock::device {

// Its script is not that of the fake libcuda.so.1, which is a library of its own. One test at a time.
class FakeNvml {
 public:
  explicit FakeNvml(const std::string& script = "") {
    Call<void()>("fake_gpu_reset")();
    Say(script);
  }
  ~FakeNvml() { Call<void()>("fake_gpu_reset")(); }

  static const char* Library() { return PENSTOCK_FAKE_DRIVER_DIR "/libnvidia-ml.so.1"; }

  void Say(const std::string& script) { Call<void(const char*)>("fake_gpu_set_script")(script.c_str()); }
  // Calls of a function since the last script.
  uint64_t Calls(const char* function) const { return Call<uint64_t(const char*)>("fake_gpu_calls")(function); }

 private:
  template <typename Function>
  static Function* Call(const char* name) {
    static const FakeLibrary library(Library());
    return library.Find<Function>(name);
  }
};

}  // namespace penstock::device
