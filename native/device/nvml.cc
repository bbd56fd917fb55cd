#include "device/nvml.h"

#include <dlfcn.h>

namespace penstock::device {

namespace {

template <typename Function>
bool Resolve(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

}  // namespace

std::shared_ptr<const Nvml> Nvml::Open(const std::string& library, std::string* why) {
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const text = dlerror();
    *why = text == nullptr ? library + " cannot be opened" : text;
    return nullptr;
  }
  const std::shared_ptr<Nvml> nvml(new Nvml());
  NvmlFunctions& functions = nvml->functions_;
  const char* missing = nullptr;
  if (!Resolve(handle, "nvmlErrorString", &functions.nvmlErrorString)) missing = "nvmlErrorString";
#define PENSTOCK_NVML_RESOLVE(name, parameters) \
  if (!Resolve(handle, #name, &functions.name)) missing = #name;
  PENSTOCK_NVML_REQUIRED(PENSTOCK_NVML_RESOLVE)
#undef PENSTOCK_NVML_RESOLVE
#define PENSTOCK_NVML_RESOLVE(name, parameters) Resolve(handle, #name, &functions.name);
  PENSTOCK_NVML_OPTIONAL(PENSTOCK_NVML_RESOLVE)
#undef PENSTOCK_NVML_RESOLVE
  if (missing == nullptr) return nvml;
  *why = "the NVML of this driver is too old: " + std::string(missing) + " is missing";
  return nullptr;
}

std::string Nvml::TextOf(const char* call, int code) const {
  const char* const text = functions_.nvmlErrorString(code);
  return std::string(call) + ": " + (text == nullptr ? "no text" : text) + " (" + std::to_string(code) + ")";
}

}  // namespace penstock::device
