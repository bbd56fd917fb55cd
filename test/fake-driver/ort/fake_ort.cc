// libonnxruntime.so.1 of tests: the real library, with a CUDA provider that needs no GPU. See README.md.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "device/cuda_api.h"
#include "ort_script.h"
#include "session/ort_api.h"

#define FAKE_EXPORT extern "C" __attribute__((visibility("default")))

using Options = std::map<std::string, std::string>;

// The real struct is opaque to callers, and so is this one.
struct OrtCUDAProviderOptionsV2 {
  Options options;
};

namespace penstock::fake_ort {
namespace {

using session::OrtEntry;
using session::OrtFunctions;

constexpr int kOrtFail = 1;             // OrtErrorCode
constexpr int kOrtInvalidArgument = 2;
constexpr size_t kCreateStatus = 0;     // slot
constexpr size_t kSlots = 256;          // all that a caller of kOrtApiVersion may know of, and less than any release since has

// As of release 1.29 (cuda_execution_provider_info.cc).
const std::set<std::string> kKnownOptions = {
    "device_id", "has_user_compute_stream", "user_compute_stream", "gpu_mem_limit", "arena_extend_strategy", "cudnn_conv_algo_search",
    "do_copy_in_default_stream", "gpu_external_alloc", "gpu_external_free", "gpu_external_empty_cache", "cudnn_conv_use_max_workspace",
    "enable_cuda_graph", "cudnn_conv1d_pad_to_nc1d", "tunable_op_enable", "tunable_op_tuning_enable", "tunable_op_max_tuning_duration_ms",
    "enable_skip_layer_norm_strict_mode", "prefer_nhwc", "use_ep_level_unified_stream", "use_tf32", "fuse_conv_bias", "sdpa_kernel"};

[[noreturn]] void Die(const char* why) {
  std::fprintf(stderr, "fake ONNX Runtime: %s\n", why != nullptr ? why : "unknown");
  std::abort();
}

struct Real {
  const OrtEntry* entry = nullptr;
  OrtFunctions ort;
  OrtStatus* (*create_status)(int code, const char* message) = nullptr;
  void* table[kSlots] = {};
};

const Real& TheReal() {
  static const Real& real = *[] {
    const char* path = std::getenv("FAKE_ORT_LIBRARY");
    void* const library = dlopen(path != nullptr ? path : FAKE_ORT_DEFAULT_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    void* const entry = library != nullptr ? dlsym(library, "OrtGetApiBase") : nullptr;
    if (entry == nullptr) Die(dlerror());
    auto* made = new Real;
    made->entry = reinterpret_cast<const OrtEntry* (*)()>(entry)();
    const void* const table = made->entry->GetApi(session::kOrtApiVersion);
    if (table == nullptr) Die("the real library is too old");
    made->ort = OrtFunctions::Bind(table);
    std::memcpy(made->table, table, sizeof made->table);
    std::memcpy(&made->create_status, &made->table[kCreateStatus], sizeof made->create_status);
    return made;
  }();
  return real;
}

OrtStatus* Failure(const std::string& text, int code = kOrtFail) { return TheReal().create_status(code, text.c_str()); }

// The driver that the process has loaded; weights are taken from it. Without any there is nothing to account for.
class Weights {
 public:
  // False when the device has no room.
  static bool Take(int ordinal, uint64_t bytes, Weights* weights) {
    void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    if (driver == nullptr || bytes == 0) return true;
    const auto retain = Function<int(device::CudaContext*, device::CudaDevice)>(driver, "cuDevicePrimaryCtxRetain");
    const auto get = Function<int(device::CudaDevice*, int)>(driver, "cuDeviceGet");
    const auto allocate = Function<int(device::CudaPointer*, size_t)>(driver, "cuMemAlloc_v2");
    weights->enter_ = Function<int(device::CudaContext)>(driver, "cuCtxSetCurrent");
    weights->free_ = Function<int(device::CudaPointer)>(driver, "cuMemFree_v2");
    device::CudaDevice device = 0;
    if (get(&device, ordinal) != 0 || retain(&weights->context_, device) != 0 || weights->enter_(weights->context_) != 0) return false;
    return allocate(&weights->pointer_, bytes) == 0;
  }
  void GiveBack() const {
    if (pointer_ == 0 || enter_(context_) != 0) return;
    free_(pointer_);
  }

 private:
  template <typename F>
  static F* Function(void* library, const char* name) {
    void* const function = dlsym(library, name);
    if (function == nullptr) Die(dlerror());
    return reinterpret_cast<F*>(function);
  }
  device::CudaContext context_ = nullptr;
  device::CudaPointer pointer_ = 0;
  int (*enter_)(device::CudaContext) = nullptr;
  int (*free_)(device::CudaPointer) = nullptr;
};

struct Books {
  std::mutex mutex;
  Options last_options;
  std::map<const OrtSessionOptions*, int> ordinals;  // of session options with the provider appended
  std::map<const OrtSession*, Weights> weights;
  std::set<const OrtRunOptions*> shrinking;
  uint64_t shrinks = 0;
};

Books& TheBooks() {
  static Books& books = *new Books;
  return books;
}

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
  const std::lock_guard<std::mutex> lock(books.mutex);
  books.last_options = options->options;
  const auto device = options->options.find("device_id");
  books.ordinals[session_options] = device == options->options.end() ? 0 : std::atoi(device->second.c_str());
  return nullptr;
}

void ReleaseSessionOptions(OrtSessionOptions* options) {
  {
    Books& books = TheBooks();
    const std::lock_guard<std::mutex> lock(books.mutex);
    books.ordinals.erase(options);
  }
  TheReal().ort.ReleaseSessionOptions(options);
}

OrtStatus* CreateMemoryInfo(const char* name, int allocator_type, int id, int memory_type, OrtMemoryInfo** info) {
  const OrtFunctions& ort = TheReal().ort;
  if (std::strcmp(name, "Cuda") != 0) return ort.CreateMemoryInfo(name, allocator_type, id, memory_type, info);
  return ort.CreateCpuMemoryInfo(allocator_type, memory_type, info);
}

OrtStatus* CreateSession(const OrtEnv* env, const char* path, const OrtSessionOptions* options, OrtSession** session) {
  if (const std::string text = BeginCall("CreateSession"); !text.empty()) return Failure(text);
  Books& books = TheBooks();
  std::unique_lock<std::mutex> lock(books.mutex);
  const auto ordinal = books.ordinals.find(options);
  Weights weights;
  if (ordinal != books.ordinals.end()) {
    std::error_code error;
    const uint64_t bytes = std::filesystem::file_size(path, error);
    if (!error && !Weights::Take(ordinal->second, bytes, &weights)) {
      return Failure("Failed to allocate memory for requested buffer of size " + std::to_string(bytes));
    }
  }
  lock.unlock();
  OrtStatus* const status = TheReal().ort.CreateSession(env, path, options, session);
  lock.lock();
  if (status == nullptr) {
    books.weights[*session] = weights;
  } else {
    weights.GiveBack();
  }
  return status;
}

void ReleaseSession(OrtSession* session) {
  {
    Books& books = TheBooks();
    const std::lock_guard<std::mutex> lock(books.mutex);
    if (const auto found = books.weights.find(session); found != books.weights.end()) {
      found->second.GiveBack();
      books.weights.erase(found);
    }
  }
  TheReal().ort.ReleaseSession(session);
}

// The real library refuses to shrink an arena of a GPU that it does not have.
OrtStatus* AddRunConfigEntry(OrtRunOptions* options, const char* key, const char* value) {
  if (std::strcmp(key, "memory.enable_memory_arena_shrinkage") != 0) return TheReal().ort.AddRunConfigEntry(options, key, value);
  Books& books = TheBooks();
  const std::lock_guard<std::mutex> lock(books.mutex);
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
    const std::lock_guard<std::mutex> lock(books.mutex);
    books.shrinking.erase(options);
  }
  TheReal().ort.ReleaseRunOptions(options);
}

OrtStatus* Run(OrtSession* session, const OrtRunOptions* options, const char* const* input_names, const OrtValue* const* inputs,
               size_t input_count, const char* const* output_names, size_t output_count, OrtValue** outputs) {
  if (const std::string text = BeginCall("Run"); !text.empty()) return Failure(text);
  return TheReal().ort.Run(session, options, input_names, inputs, input_count, output_names, output_count, outputs);
}

OrtStatus* RunWithBinding(OrtSession* session, const OrtRunOptions* options, const OrtIoBinding* binding) {
  {
    Books& books = TheBooks();
    const std::lock_guard<std::mutex> lock(books.mutex);
    books.shrinks += books.shrinking.count(options);
  }
  if (const std::string text = BeginCall("RunWithBinding"); !text.empty()) return Failure(text);
  return TheReal().ort.RunWithBinding(session, options, binding);
}

// Slots as in session/ort_api.h, which is checked against the official header: a replacement of another signature does not compile.
void Replace(OrtFunctions* functions) {
  functions->CreateSession = CreateSession;
  functions->Run = Run;
  functions->CreateMemoryInfo = CreateMemoryInfo;
  functions->ReleaseSession = ReleaseSession;
  functions->ReleaseRunOptions = ReleaseRunOptions;
  functions->ReleaseSessionOptions = ReleaseSessionOptions;
  functions->RunWithBinding = RunWithBinding;
  functions->AddRunConfigEntry = AddRunConfigEntry;
  functions->SessionOptionsAppendExecutionProvider_CUDA_V2 = AppendCuda;
  functions->CreateCUDAProviderOptions = CreateCUDAProviderOptions;
  functions->UpdateCUDAProviderOptions = UpdateCUDAProviderOptions;
  functions->ReleaseCUDAProviderOptions = ReleaseCUDAProviderOptions;
}

const void* GetApi(uint32_t version) {
  if (version > session::kOrtApiVersion) return nullptr;
  static void* const* const table = [] {
    auto* copy = new void*[kSlots];
    std::memcpy(copy, TheReal().table, sizeof TheReal().table);
    OrtFunctions functions = TheReal().ort;
    Replace(&functions);
#define FAKE_ORT_SLOT(slot, name, result, parameters) std::memcpy(&copy[slot], &functions.name, sizeof(void*));
    PENSTOCK_ORT_FUNCTIONS(FAKE_ORT_SLOT)
#undef FAKE_ORT_SLOT
    return copy;
  }();
  return table;
}

const char* GetVersionString() { return TheReal().entry->GetVersionString(); }

}  // namespace
}  // namespace penstock::fake_ort

FAKE_EXPORT const penstock::session::OrtEntry* OrtGetApiBase() {
  static const penstock::session::OrtEntry entry = {penstock::fake_ort::GetApi, penstock::fake_ort::GetVersionString};
  return &entry;
}

FAKE_EXPORT void fake_ort_set_script(const char* text) { penstock::fake_ort::SetScript(text); }

FAKE_EXPORT uint64_t fake_ort_calls(const char* function) { return penstock::fake_ort::Calls(function); }

FAKE_EXPORT uint64_t fake_ort_shrinks() {
  auto& books = penstock::fake_ort::TheBooks();
  const std::lock_guard<std::mutex> lock(books.mutex);
  return books.shrinks;
}

// Valid until the provider is appended again.
FAKE_EXPORT const char* fake_ort_option(const char* name) {
  auto& books = penstock::fake_ort::TheBooks();
  const std::lock_guard<std::mutex> lock(books.mutex);
  const auto found = books.last_options.find(name);
  return found == books.last_options.end() ? nullptr : found->second.c_str();
}
