#include "session/cuda_provider.h"

#include <dlfcn.h>

#include <filesystem>
#include <vector>

#include "session/ort_handle.h"
#include "session/ort_status.h"

namespace penstock::session {
namespace {

constexpr const char* kLibrary = "libonnxruntime_providers_cuda.so";

// ONNX Runtime logs why the loader refused the provider's library and returns a general text, so the loader is asked again.
std::string WhyNotLoaded(const OrtRuntime& runtime) {
  const std::filesystem::path folder(runtime.folder);
  std::error_code error;
  for (const char* library : {kLibrary, "libonnxruntime_providers_shared.so"}) {
    if (!std::filesystem::exists(folder / library, error)) return std::string(library) + " is not installed";
  }
  void* const library = dlopen((folder / kLibrary).c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (library != nullptr) return {};  // never closed: libraries of CUDA do not survive that
  const char* const reason = dlerror();
  return CleanOrtMessage(reason != nullptr ? reason : "", (folder / kLibrary).string());
}

Status ProviderStatus(const OrtRuntime& runtime, const device::Gpu& gpu, OrtStatus* status) {
  if (status == nullptr) return Status::Ok();
  const Status failure = TakeOrtStatus(runtime.functions, status, StatusCode::kCudaProvider, "");
  if (const device::Fault fault = gpu.Ask(); fault.kind != device::FaultKind::kNone) return device::StatusOf(fault);
  const std::string why = WhyNotLoaded(runtime);
  return Status(StatusCode::kCudaProvider, "ONNX Runtime " + runtime.version + " cannot use its CUDA provider: " +
                                               (why.empty() ? failure.message() : why) +
                                               "; `npm run install:cuda` installs the one of the same release");
}

// Every option that is not among `options` goes back to its default with each call.
OrtStatus* Update(const OrtRuntime& runtime, OrtCUDAProviderOptionsV2* target, const std::map<std::string, std::string>& options) {
  std::vector<const char*> keys;
  std::vector<const char*> values;
  for (const auto& [key, value] : options) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  return runtime.functions.UpdateCUDAProviderOptions(target, keys.data(), values.data(), keys.size());
}

}  // namespace

Status AppendCudaProvider(const OrtRuntime& runtime, const device::Gpu& gpu, const std::map<std::string, std::string>& provider_options,
                          bool graphs, OrtSessionOptions* session_options) {
  const OrtFunctions& ort = runtime.functions;
  for (const char* ours : {"device_id", "has_user_compute_stream", "user_compute_stream", "enable_cuda_graph"}) {
    if (provider_options.count(ours) != 0) {
      return Status(StatusCode::kModelConfig, std::string("option '") + ours + "' of the CUDA provider is the server's to set");
    }
  }
  OrtCUDAProviderOptionsV2* raw = nullptr;
  PENSTOCK_RETURN_IF_ERROR(ProviderStatus(runtime, gpu, ort.CreateCUDAProviderOptions(&raw)));
  const OrtHandle<OrtCUDAProviderOptionsV2> owned(raw, ort.ReleaseCUDAProviderOptions);
  // First only what is known to be right, so that a failure is the provider's and not an option's.
  std::map<std::string, std::string> all = {{"device_id", std::to_string(gpu.info().ordinal)}};
  PENSTOCK_RETURN_IF_ERROR(ProviderStatus(runtime, gpu, Update(runtime, raw, all)));
  all.insert(provider_options.begin(), provider_options.end());
  if (graphs) all.emplace("enable_cuda_graph", "1");
  all.emplace("cudnn_conv_algo_search", "HEURISTIC");
  PENSTOCK_RETURN_IF_ERROR(TakeOrtStatus(ort, Update(runtime, raw, all), StatusCode::kModelConfig, "CUDA provider: "));
  return ProviderStatus(runtime, gpu, ort.SessionOptionsAppendExecutionProvider_CUDA_V2(session_options, raw));
}

}  // namespace penstock::session
