// libonnxruntime.so.1 of tests: the real library, with a CUDA provider that needs no GPU. See README.md.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/checked_math.h"
#include "base/data_type.h"
#include "gpu_memory.h"
#include "graphs.h"
#include "ort_script.h"
#include "session/ort_api.h"
#include "session/ort_tensor.h"

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

OrtStatus* NoRoom(uint64_t bytes) { return Failure("Failed to allocate memory for requested buffer of size " + std::to_string(bytes)); }

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

Books& TheBooks() {
  static Books& books = *new Books;
  return books;
}

using Lock = std::lock_guard<std::mutex>;

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

// What a tensor of numbers is made of.
struct Shape {
  int element_type = 0;
  std::vector<int64_t> dims;
  uint64_t bytes = 0;
};

OrtStatus* ShapeOf(const OrtValue* value, Shape* shape) {
  const OrtFunctions& ort = TheReal().ort;
  OrtTensorTypeAndShapeInfo* info = nullptr;
  if (OrtStatus* status = ort.GetTensorTypeAndShape(value, &info); status != nullptr) return status;
  size_t rank = 0;
  ort.GetTensorElementType(info, &shape->element_type);
  ort.GetDimensionsCount(info, &rank);
  shape->dims.resize(rank);
  ort.GetDimensions(info, shape->dims.data(), rank);
  ort.ReleaseTensorTypeAndShapeInfo(info);
  shape->bytes = DataTypeSize(session::DataTypeOf(shape->element_type));
  for (const int64_t dim : shape->dims) {
    if (!CheckedMul(shape->bytes, static_cast<uint64_t>(dim), &shape->bytes)) return Failure("too large");
  }
  return nullptr;
}

// The real library copies what a node on the CPU wants here and then, without waiting for any stream of ours.
OrtStatus* BindInput(OrtIoBinding* binding, const char* name, const OrtValue* value) {
  if (const std::string text = BeginCall("BindInput"); !text.empty()) return Failure(text);
  Shape shape;
  if (OrtStatus* status = ShapeOf(value, &shape); status != nullptr) return status;
  Input input;
  if (shape.element_type != session::kOrtString && shape.bytes != 0) {
    void* data = nullptr;
    if (OrtStatus* status = TheReal().ort.GetTensorMutableData(const_cast<OrtValue*>(value), &data); status != nullptr) return status;
    input = {data, std::string(static_cast<const char*>(data), shape.bytes)};
  }
  {
    const Lock lock(TheBooks().mutex);
    TheBooks().inputs[binding][name] = std::move(input);
    TheBooks().rows.emplace(binding, shape.dims.empty() ? 0 : shape.dims.front());
  }
  return TheReal().ort.BindInput(binding, name, value);
}

void ClearBoundInputs(OrtIoBinding* binding) {
  {
    const Lock lock(TheBooks().mutex);
    TheBooks().inputs.erase(binding);
    TheBooks().rows.erase(binding);
  }
  TheReal().ort.ClearBoundInputs(binding);
}

OrtStatus* BindOutputToDevice(OrtIoBinding* binding, const char* name, const OrtMemoryInfo* place) {
  {
    Books& books = TheBooks();
    const Lock lock(books.mutex);
    const auto found = books.places.find(place);
    books.outputs[binding].push_back(Output{name, found == books.places.end() ? -1 : found->second, nullptr, nullptr});
  }
  return TheReal().ort.BindOutputToDevice(binding, name, place);
}

OrtStatus* BindOutput(OrtIoBinding* binding, const char* name, const OrtValue* value) {
  void* data = nullptr;
  if (OrtStatus* status = TheReal().ort.GetTensorMutableData(const_cast<OrtValue*>(value), &data); status != nullptr) return status;
  {
    const Lock lock(TheBooks().mutex);
    TheBooks().outputs[binding].push_back(Output{name, -1, data, nullptr});
  }
  return TheReal().ort.BindOutput(binding, name, value);
}

void ClearBoundOutputs(OrtIoBinding* binding) {
  {
    const Lock lock(TheBooks().mutex);
    TheBooks().outputs.erase(binding);
  }
  TheReal().ort.ClearBoundOutputs(binding);
}

void ReleaseIoBinding(OrtIoBinding* binding) {
  {
    const Lock lock(TheBooks().mutex);
    TheBooks().outputs.erase(binding);
    TheBooks().inputs.erase(binding);
    TheBooks().rows.erase(binding);
  }
  TheReal().ort.ReleaseIoBinding(binding);
}

// Puts an output where a GPU would have left it.
OrtStatus* MoveToDevice(OrtValue* value, Output* output) {
  Shape shape;
  if (OrtStatus* status = ShapeOf(value, &shape); status != nullptr) return status;
  output->memory = DeviceMemory::Take(output->ordinal, shape.bytes);
  if (output->memory == nullptr) return NoRoom(shape.bytes);
  void* data = nullptr;
  if (OrtStatus* status = TheReal().ort.GetTensorMutableData(value, &data); status != nullptr) return status;
  if (output->memory->data() != nullptr) std::memcpy(output->memory->data(), data, shape.bytes);
  return nullptr;
}

OrtStatus* RealOutputs(const OrtIoBinding* binding, std::vector<OrtValue*>* values) {
  const OrtFunctions& ort = TheReal().ort;
  OrtAllocator* allocator = nullptr;
  if (OrtStatus* status = ort.GetAllocatorWithDefaultOptions(&allocator); status != nullptr) return status;
  OrtValue** raw = nullptr;
  size_t count = 0;
  if (OrtStatus* status = ort.GetBoundOutputValues(binding, allocator, &raw, &count); status != nullptr) return status;
  values->assign(raw, raw + count);
  return raw != nullptr ? ort.AllocatorFree(allocator, raw) : nullptr;
}

// With the books locked.
Addresses AddressesOf(const OrtIoBinding* binding) {
  Addresses all;
  for (const auto& [name, input] : TheBooks().inputs[binding]) all["input " + name] = input.data;
  for (const Output& output : TheBooks().outputs[binding]) all["output " + output.name] = output.fixed;
  return all;
}

OrtStatus* RunWithBinding(OrtSession* session, const OrtRunOptions* options, const OrtIoBinding* binding) {
  Books& books = TheBooks();
  int64_t rows = 0;
  Addresses addresses;
  {
    const Lock lock(books.mutex);
    addresses = AddressesOf(binding);
    rows = books.rows[binding];
  }
  const Graphs::Run run(&books.graphs, session, options, addresses);
  if (!run.fault().empty()) return Failure(run.fault());
  {
    const Lock lock(books.mutex);
    books.shrinks += books.shrinking.count(options);
    for (const auto& [name, input] : books.inputs[binding]) {
      // What a graph reads changes from run to run, in place.
      if (run.uses_graph() || input.bytes.empty() || std::memcmp(input.data, input.bytes.data(), input.bytes.size()) == 0) continue;
      return Failure("input " + name + " has changed since it was bound");
    }
  }
  const RunOrder order = BeginRun("RunWithBinding", rows);
  if (!order.failure.empty()) return Failure(order.failure);
  const std::string text = run.uses_graph() ? BeginCall("RunGraph") : "";
  if (!text.empty()) return Failure(text);
  if (OrtStatus* status = TheReal().ort.RunWithBinding(session, options, binding); status != nullptr) return status;
  std::vector<OrtValue*> values;
  if (OrtStatus* status = RealOutputs(binding, &values); status != nullptr) return status;
  OrtStatus* failure = nullptr;
  {
    const Lock lock(books.mutex);
    std::vector<Output>& outputs = books.outputs[binding];
    for (size_t i = 0; i < values.size(); ++i) {
      if (failure == nullptr && outputs.at(i).ordinal >= 0) failure = MoveToDevice(values[i], &outputs[i]);
      TheReal().ort.ReleaseValue(values[i]);
    }
  }
  WaitUntil(order.ends);
  return failure;
}

OrtStatus* GetBoundOutputValues(const OrtIoBinding* binding, OrtAllocator* allocator, OrtValue*** values, size_t* count) {
  const OrtFunctions& ort = TheReal().ort;
  if (OrtStatus* status = ort.GetBoundOutputValues(binding, allocator, values, count); status != nullptr) return status;
  Books& books = TheBooks();
  const Lock lock(books.mutex);
  const std::vector<Output>& outputs = books.outputs[binding];
  for (size_t i = 0; i < *count; ++i) {
    if (outputs.at(i).memory == nullptr || outputs[i].memory->data() == nullptr) continue;
    Shape shape;
    if (OrtStatus* status = ShapeOf((*values)[i], &shape); status != nullptr) return status;
    OrtMemoryInfo* place = nullptr;
    if (OrtStatus* status = ort.CreateCpuMemoryInfo(session::kOrtDeviceAllocator, session::kOrtMemTypeDefault, &place); status != nullptr) {
      return status;
    }
    OrtValue* moved = nullptr;
    OrtStatus* const status = ort.CreateTensorWithDataAsOrtValue(place, outputs[i].memory->data(), shape.bytes, shape.dims.data(),
                                                                 shape.dims.size(), shape.element_type, &moved);
    ort.ReleaseMemoryInfo(place);
    if (status != nullptr) return status;
    ort.ReleaseValue((*values)[i]);
    (*values)[i] = moved;
    books.values[moved] = outputs[i].memory;
  }
  return nullptr;
}

void ReleaseValue(OrtValue* value) {
  TheReal().ort.ReleaseValue(value);
  const Lock lock(TheBooks().mutex);
  TheBooks().values.erase(value);
}

// Slots as in session/ort_api.h, which is checked against the official header: a replacement of another signature does not compile.
void Replace(OrtFunctions* functions) {
  functions->CreateSession = CreateSession;
  functions->Run = Run;
  functions->CreateMemoryInfo = CreateMemoryInfo;
  functions->ReleaseMemoryInfo = ReleaseMemoryInfo;
  functions->ReleaseSession = ReleaseSession;
  functions->ReleaseValue = ReleaseValue;
  functions->ReleaseRunOptions = ReleaseRunOptions;
  functions->ReleaseSessionOptions = ReleaseSessionOptions;
  functions->RunWithBinding = RunWithBinding;
  functions->BindOutput = BindOutput;
  functions->BindOutputToDevice = BindOutputToDevice;
  functions->GetBoundOutputValues = GetBoundOutputValues;
  functions->BindInput = BindInput;
  functions->ClearBoundInputs = ClearBoundInputs;
  functions->ClearBoundOutputs = ClearBoundOutputs;
  functions->ReleaseIoBinding = ReleaseIoBinding;
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
  const penstock::fake_ort::Lock lock(books.mutex);
  return books.shrinks;
}

// Graphs that were captured, and runs that used one, since the process began.
FAKE_EXPORT uint64_t fake_ort_captures() { return penstock::fake_ort::TheBooks().graphs.captures(); }
FAKE_EXPORT uint64_t fake_ort_replays() { return penstock::fake_ort::TheBooks().graphs.replays(); }

// Valid until the provider is appended again.
FAKE_EXPORT const char* fake_ort_option(const char* name) {
  auto& books = penstock::fake_ort::TheBooks();
  const penstock::fake_ort::Lock lock(books.mutex);
  const auto found = books.last_options.find(name);
  return found == books.last_options.end() ? nullptr : found->second.c_str();
}
