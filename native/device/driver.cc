#include "device/driver.h"

#include <dlfcn.h>

namespace penstock::device {
namespace {

// False with the name of the first function that the library lacks.
bool Resolve(void* library, CudaFunctions* functions, const char** missing) {
#define PENSTOCK_CUDA_RESOLVE(name, parameters)                                                       \
  functions->name = reinterpret_cast<decltype(functions->name)>(dlsym(library, #name));               \
  if (functions->name == nullptr) {                                                                   \
    *missing = #name;                                                                                 \
    return false;                                                                                     \
  }
  PENSTOCK_CUDA_FUNCTIONS(PENSTOCK_CUDA_RESOLVE)
#undef PENSTOCK_CUDA_RESOLVE
  return true;
}

}  // namespace

std::shared_ptr<const Driver> Driver::Open(const std::string& library, Fault* fault) {
  *fault = Fault{};
  // Local: ONNX Runtime's CUDA provider binds to the driver by itself. Never closed: it leaves threads and exit handlers behind.
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    *fault = Fault{FaultKind::kNoDevice, 0, reason != nullptr ? reason : library + ": cannot be opened"};
    return nullptr;
  }
  std::shared_ptr<Driver> driver(new Driver());
  const char* missing = nullptr;
  if (!Resolve(handle, &driver->functions_, &missing)) {
    *fault = Fault{FaultKind::kMismatch, 0, library + ": the driver is too old: " + missing + " is missing"};
    return nullptr;
  }
  const CudaFunctions& cuda = driver->functions_;
  *fault = driver->FaultOf("cuInit", cuda.cuInit(0), false);
  if (fault->kind != FaultKind::kNone) return nullptr;
  *fault = driver->FaultOf("cuDriverGetVersion", cuda.cuDriverGetVersion(&driver->version_), false);
  if (fault->kind != FaultKind::kNone) return nullptr;
  return driver;
}

Fault Driver::FaultOf(const char* call, CudaCode code, bool worked_before) const {
  if (code == kCudaSuccess) return Fault{};
  const char* name = nullptr;
  if (functions_.cuGetErrorName(code, &name) != kCudaSuccess || name == nullptr) name = "unknown CUDA error";
  return Fault{KindOf(code, worked_before), code, std::string(call) + ": " + name + " (" + std::to_string(code) + ")"};
}

}  // namespace penstock::device
