// The two libraries as a test has them: opened by path and resolved by name, as Penstock does with the real ones.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "functions.h"

namespace penstock::fake_driver {

struct CudaExtra {
#define FAKE_MEMBER(name, parameters) int(*name) parameters = nullptr;
  FAKE_CUDA_EXTRA_FUNCTIONS(FAKE_MEMBER)
};
struct NvmlFunctions {
  FAKE_NVML_FUNCTIONS(FAKE_MEMBER)
#undef FAKE_MEMBER
};

// What every library has for tests.
class Library {
 public:
  explicit Library(const char* name) : handle_(dlopen((std::string(PENSTOCK_FAKE_DRIVER_DIR "/") + name).c_str(), RTLD_NOW | RTLD_LOCAL)) {}

  template <typename Function>
  void Resolve(const char* name, Function* to) const {
    *to = handle_ == nullptr ? nullptr : reinterpret_cast<Function>(dlsym(handle_, name));
    EXPECT_NE(*to, nullptr) << name;
  }
  template <typename Function, typename... Arguments>
  auto Call(const char* name, Arguments... arguments) const {
    Function* function = nullptr;
    Resolve(name, &function);
    return function(arguments...);
  }
  void SetScript(const std::string& text) const { Call<void(const char*)>("fake_gpu_set_script", text.c_str()); }
  void Reset() const { Call<void()>("fake_gpu_reset"); }
  uint64_t Calls(const char* name) const { return Call<uint64_t(const char*)>("fake_gpu_calls", name); }

 private:
  void* const handle_;
};

// The file that FAKE_GPU_SCRIPT names in this process.
inline const std::string& ScriptFile() {
  static const auto& path = *new std::string(testing::TempDir() + "fake_gpu_script_" + std::to_string(getpid()));
  return path;
}
inline void WriteScriptFile(const std::string& text) {
  const std::string fresh = ScriptFile() + ".new";
  std::ofstream(fresh) << text;
  ASSERT_EQ(rename(fresh.c_str(), ScriptFile().c_str()), 0);
}

// Each test begins as a process does that has just loaded the libraries.
class FakeDriverTest : public testing::Test {
 protected:
  FakeDriverTest() {
    static const bool is_set = [] {
      WriteScriptFile("");
      return setenv("FAKE_GPU_SCRIPT", ScriptFile().c_str(), 1) == 0;
    }();
    EXPECT_TRUE(is_set);
    unsetenv("CUDA_VISIBLE_DEVICES");
#define FAKE_RESOLVE_CUDA(name, parameters) cuda_library().Resolve(#name, &cuda.name);
#define FAKE_RESOLVE_EXTRA(name, parameters) cuda_library().Resolve(#name, &extra.name);
#define FAKE_RESOLVE_NVML(name, parameters) nvml_library().Resolve(#name, &nvml.name);
    PENSTOCK_CUDA_FUNCTIONS(FAKE_RESOLVE_CUDA)
    FAKE_CUDA_EXTRA_FUNCTIONS(FAKE_RESOLVE_EXTRA)
    FAKE_NVML_FUNCTIONS(FAKE_RESOLVE_NVML)
#undef FAKE_RESOLVE_CUDA
#undef FAKE_RESOLVE_EXTRA
#undef FAKE_RESOLVE_NVML
    cuda_library().Reset();
    nvml_library().Reset();
  }
  ~FakeDriverTest() override {
    cuda_library().Reset();
    nvml_library().Reset();
  }

  static const Library& cuda_library() {
    static const auto& library = *new Library("libcuda.so.1");
    return library;
  }
  static const Library& nvml_library() {
    static const auto& library = *new Library("libnvidia-ml.so.1");
    return library;
  }

  void SetScript(const std::string& text) {
    cuda_library().SetScript(text);
    nvml_library().SetScript(text);
  }
  // cuInit, and the primary context of this device for this thread.
  void Enter(int device = 0) {
    device::CudaContext context = nullptr;
    ASSERT_EQ(cuda.cuInit(0), 0);
    ASSERT_EQ(cuda.cuDevicePrimaryCtxRetain(&context, device), 0);
    ASSERT_EQ(cuda.cuCtxSetCurrent(context), 0);
  }
  device::CudaStream MakeStream() {
    device::CudaStream stream = nullptr;
    EXPECT_EQ(cuda.cuStreamCreate(&stream, device::kCudaStreamNonBlocking), 0);
    return stream;
  }
  device::CudaPointer Allocate(size_t bytes) {
    device::CudaPointer pointer = 0;
    EXPECT_EQ(cuda.cuMemAlloc_v2(&pointer, bytes), 0);
    return pointer;
  }
  // Page-locked.
  unsigned char* AllocateHost(size_t bytes) {
    void* pointer = nullptr;
    EXPECT_EQ(cuda.cuMemHostAlloc(&pointer, bytes, 0), 0);
    return static_cast<unsigned char*>(pointer);
  }
  static uint64_t DeviceBytes(int device) { return cuda_library().Call<uint64_t(int)>("fake_gpu_device_bytes", device); }
  static uint64_t HostBytes() { return cuda_library().Call<uint64_t()>("fake_gpu_host_bytes"); }

  device::CudaFunctions cuda;
  CudaExtra extra;
  NvmlFunctions nvml;
};

}  // namespace penstock::fake_driver
