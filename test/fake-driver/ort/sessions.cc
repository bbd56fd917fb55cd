#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "books.h"
#include "ort_script.h"
#include "real_ort.h"
#include "replacements.h"

// The real struct is opaque to callers, and so is this one.
struct OrtCUDAProviderOptionsV2 {
  penstock::fake_ort::Options options;
};

namespace penstock::fake_ort {
namespace {

// As of release 1.29 (cuda_execution_provider_info.cc).
const std::set<std::string> kKnownOptions = {
    "device_id", "has_user_compute_stream", "user_compute_stream", "gpu_mem_limit", "arena_extend_strategy", "cudnn_conv_algo_search",
    "do_copy_in_default_stream", "gpu_external_alloc", "gpu_external_free", "gpu_external_empty_cache", "cudnn_conv_use_max_workspace",
    "enable_cuda_graph", "cudnn_conv1d_pad_to_nc1d", "tunable_op_enable", "tunable_op_tuning_enable", "tunable_op_max_tuning_duration_ms",
    "enable_skip_layer_norm_strict_mode", "prefer_nhwc", "use_ep_level_unified_stream", "use_tf32", "fuse_conv_bias", "sdpa_kernel"};

OrtStatus* CreateCUDAProviderOptions(OrtCUDAProviderOptionsV2** options) {
  *options = new OrtCUDAProviderOptionsV2;
  return nullptr;
}

void ReleaseCUDAProviderOptions(OrtCUDAProviderOptionsV2* options) { delete options; }

OrtStatus* UpdateCUDAProviderOptions(OrtCUDAProviderOptionsV2* options, const char* const* keys, const char* const* values,
                                     size_t count) {
  Options all;
  for (size_t i = 0; i < count; ++i) {
    if (kKnownOptions.count(keys[i]) == 0) {
      return Failure("Unknown provider option: \"" + std::string(keys[i]) + "\".", kOrtInvalidArgument);
    }
    all[keys[i]] = values[i];
  }
  options->options = all;
  return nullptr;
}

OrtStatus* AppendCuda(OrtSessionOptions* session_options, const OrtCUDAProviderOptionsV2* options) {
  Books& books = TheBooks();
  const Lock lock(books.mutex);
  books.last_options = options->options;
  const auto device = options->options.find("device_id");
  const auto graphs = options->options.find("enable_cuda_graph");
  books.graphs.Enable(session_options, graphs != options->options.end() && graphs->second == "1");
  books.ordinals[session_options] = device == options->options.end() ? 0 : std::atoi(device->second.c_str());
  return nullptr;
}

void ReleaseSessionOptions(OrtSessionOptions* options) {
  {
    Books& books = TheBooks();
    const Lock lock(books.mutex);
    books.ordinals.erase(options);
    books.graphs.Forget(options);
  }
  TheReal().ort.ReleaseSessionOptions(options);
}

OrtStatus* CreateMemoryInfo(const char* name, int allocator_type, int id, int memory_type, OrtMemoryInfo** info) {
  const OrtFunctions& ort = TheReal().ort;
  if (std::strcmp(name, "Cuda") != 0) return ort.CreateMemoryInfo(name, allocator_type, id, memory_type, info);
  OrtStatus* const status = ort.CreateCpuMemoryInfo(allocator_type, memory_type, info);
  const Lock lock(TheBooks().mutex);
  if (status == nullptr) TheBooks().places[*info] = id;
  return status;
}

void ReleaseMemoryInfo(OrtMemoryInfo* info) {
  {
    const Lock lock(TheBooks().mutex);
    TheBooks().places.erase(info);
  }
  TheReal().ort.ReleaseMemoryInfo(info);
}

OrtStatus* CreateSession(const OrtEnv* env, const char* path, const OrtSessionOptions* options, OrtSession** session) {
  if (const std::string text = BeginCall("CreateSession"); !text.empty()) return Failure(text);
  Books& books = TheBooks();
  std::shared_ptr<DeviceMemory> weights;
  {
    const Lock lock(books.mutex);
    std::error_code error;
    const uint64_t bytes = std::filesystem::file_size(path, error);
    if (const auto ordinal = books.ordinals.find(options); !error && ordinal != books.ordinals.end()) {
      weights = DeviceMemory::Take(ordinal->second, bytes);
      if (weights == nullptr) return NoRoom(bytes);
    }
  }
  OrtStatus* const status = TheReal().ort.CreateSession(env, path, options, session);
  if (status == nullptr && weights != nullptr) {
    const Lock lock(books.mutex);
    books.weights[*session] = weights;
    books.graphs.Open(*session, options);
  }
  return status;
}

void ReleaseSession(OrtSession* session) {
  BeginCall("ReleaseSession");
  {
    const Lock lock(TheBooks().mutex);
    TheBooks().weights.erase(session);
    TheBooks().graphs.Forget(session);
  }
  TheReal().ort.ReleaseSession(session);
}

// The real library refuses to shrink an arena of a GPU that it does not have.
OrtStatus* AddRunConfigEntry(OrtRunOptions* options, const char* key, const char* value) {
  if (std::strcmp(key, "gpu_graph_id") == 0) {
    TheBooks().graphs.SetId(options, value);
    return nullptr;
  }
  if (std::strcmp(key, "memory.enable_memory_arena_shrinkage") != 0) return TheReal().ort.AddRunConfigEntry(options, key, value);
  Books& books = TheBooks();
  const Lock lock(books.mutex);
  if (std::strncmp(value, "gpu:", 4) == 0) {
    books.shrinking.insert(options);
  } else {
    books.shrinking.erase(options);
  }
  return nullptr;
}

void ReleaseRunOptions(OrtRunOptions* options) {
  {
    Books& books = TheBooks();
    const Lock lock(books.mutex);
    books.shrinking.erase(options);
    books.graphs.Forget(options);
  }
  TheReal().ort.ReleaseRunOptions(options);
}

OrtStatus* Run(OrtSession* session, const OrtRunOptions* options, const char* const* input_names, const OrtValue* const* inputs,
               size_t input_count, const char* const* output_names, size_t output_count, OrtValue** outputs) {
  if (const std::string text = BeginCall("Run"); !text.empty()) return Failure(text);
  return TheReal().ort.Run(session, options, input_names, inputs, input_count, output_names, output_count, outputs);
}

}  // namespace

void ReplaceSessions(OrtFunctions* functions) {
  functions->CreateSession = CreateSession;
  functions->Run = Run;
  functions->CreateMemoryInfo = CreateMemoryInfo;
  functions->ReleaseMemoryInfo = ReleaseMemoryInfo;
  functions->ReleaseSession = ReleaseSession;
  functions->ReleaseRunOptions = ReleaseRunOptions;
  functions->ReleaseSessionOptions = ReleaseSessionOptions;
  functions->AddRunConfigEntry = AddRunConfigEntry;
  functions->CreateCUDAProviderOptions = CreateCUDAProviderOptions;
  functions->UpdateCUDAProviderOptions = UpdateCUDAProviderOptions;
  functions->ReleaseCUDAProviderOptions = ReleaseCUDAProviderOptions;
  functions->SessionOptionsAppendExecutionProvider_CUDA_V2 = AppendCuda;
}

}  // namespace penstock::fake_ort
