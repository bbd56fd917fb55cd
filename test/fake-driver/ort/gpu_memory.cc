#include "gpu_memory.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace penstock::fake_ort {
namespace {

template <typename F>
F* Function(void* library, const char* name) {
  void* const function = dlsym(library, name);
  if (function == nullptr) Die(dlerror());
  return reinterpret_cast<F*>(function);
}

}  // namespace

void Die(const char* why) {
  std::fprintf(stderr, "fake ONNX Runtime: %s\n", why != nullptr ? why : "unknown");
  std::abort();
}

std::shared_ptr<DeviceMemory> DeviceMemory::Take(int ordinal, uint64_t bytes) {
  std::shared_ptr<DeviceMemory> memory(new DeviceMemory);
  void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  if (driver == nullptr || bytes == 0) return memory;
  const auto get = Function<int(device::CudaDevice*, int)>(driver, "cuDeviceGet");
  const auto retain = Function<int(device::CudaContext*, device::CudaDevice)>(driver, "cuDevicePrimaryCtxRetain");
  const auto allocate = Function<int(device::CudaPointer*, size_t)>(driver, "cuMemAlloc_v2");
  memory->enter_ = Function<int(device::CudaContext)>(driver, "cuCtxSetCurrent");
  memory->free_ = Function<int(device::CudaPointer)>(driver, "cuMemFree_v2");
  device::CudaDevice device = 0;
  const bool entered = get(&device, ordinal) == 0 && retain(&memory->context_, device) == 0 && memory->enter_(memory->context_) == 0;
  return entered && allocate(&memory->pointer_, bytes) == 0 ? memory : nullptr;
}

DeviceMemory::~DeviceMemory() {
  if (pointer_ != 0 && enter_(context_) == 0) free_(pointer_);
}

}  // namespace penstock::fake_ort
