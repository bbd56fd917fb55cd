// The part of ONNX Runtime's C interface that Penstock calls, in our own words: no header of ONNX Runtime is needed to build.
//
// The library hands out a table of function pointers to which releases only ever append, so a function is named by its slot. The target
// `ort_header_check` compares slots, signatures and enum values below with the official header where one is present.
#pragma once

#include <cstdint>
#include <cstring>

extern "C" {
// Opaque. In the global namespace, because the official header declares the same names.
struct OrtAllocator;
struct OrtCUDAProviderOptionsV2;
struct OrtEnv;
struct OrtIoBinding;
struct OrtMemoryInfo;
struct OrtModelMetadata;
struct OrtRunOptions;
struct OrtSession;
struct OrtSessionOptions;
struct OrtStatus;
struct OrtTensorTypeAndShapeInfo;
struct OrtThreadingOptions;
struct OrtTypeInfo;
struct OrtValue;
}

namespace penstock::session {

// The oldest table that has every slot below.
constexpr uint32_t kOrtApiVersion = 15;

// Enums of the C interface travel as int: they have no fixed underlying type there, and 4 bytes on every platform we build for.
enum OrtElementType : int {
  kOrtFloat = 1,
  kOrtUint8 = 2,
  kOrtInt8 = 3,
  kOrtUint16 = 4,
  kOrtInt16 = 5,
  kOrtInt32 = 6,
  kOrtInt64 = 7,
  kOrtString = 8,
  kOrtBool = 9,
  kOrtFloat16 = 10,
  kOrtDouble = 11,
  kOrtUint32 = 12,
  kOrtUint64 = 13,
  kOrtBfloat16 = 16,
};
constexpr int kOrtTypeTensor = 1;         // ONNXType
constexpr int kOrtDeviceAllocator = 0;    // OrtAllocatorType
constexpr int kOrtMemTypeDefault = 0;     // OrtMemType
constexpr int kOrtLogFatal = 4;           // OrtLoggingLevel

// Slot, name, result, parameters. A returned OrtStatus* is null on success and otherwise belongs to the caller.
#define PENSTOCK_ORT_FUNCTIONS(X)                                                                                                     \
  X(2, GetErrorMessage, const char*, (const OrtStatus*))                                                                              \
  X(7, CreateSession, OrtStatus*, (const OrtEnv*, const char* path, const OrtSessionOptions*, OrtSession**))                          \
  X(9, Run, OrtStatus*,                                                                                                               \
    (OrtSession*, const OrtRunOptions*, const char* const* input_names, const OrtValue* const* inputs, size_t input_count,            \
     const char* const* output_names, size_t output_count, OrtValue** outputs))                                                       \
  X(10, CreateSessionOptions, OrtStatus*, (OrtSessionOptions**))                                                                      \
  X(17, DisableMemPattern, OrtStatus*, (OrtSessionOptions*))                                                                          \
  X(24, SetIntraOpNumThreads, OrtStatus*, (OrtSessionOptions*, int threads))                                                          \
  X(30, SessionGetInputCount, OrtStatus*, (const OrtSession*, size_t*))                                                               \
  X(31, SessionGetOutputCount, OrtStatus*, (const OrtSession*, size_t*))                                                              \
  X(32, SessionGetOverridableInitializerCount, OrtStatus*, (const OrtSession*, size_t*))                                              \
  X(33, SessionGetInputTypeInfo, OrtStatus*, (const OrtSession*, size_t index, OrtTypeInfo**))                                        \
  X(34, SessionGetOutputTypeInfo, OrtStatus*, (const OrtSession*, size_t index, OrtTypeInfo**))                                       \
  X(35, SessionGetOverridableInitializerTypeInfo, OrtStatus*, (const OrtSession*, size_t index, OrtTypeInfo**))                       \
  X(36, SessionGetInputName, OrtStatus*, (const OrtSession*, size_t index, OrtAllocator*, char**))                                    \
  X(37, SessionGetOutputName, OrtStatus*, (const OrtSession*, size_t index, OrtAllocator*, char**))                                   \
  X(38, SessionGetOverridableInitializerName, OrtStatus*, (const OrtSession*, size_t index, OrtAllocator*, char**))                   \
  X(39, CreateRunOptions, OrtStatus*, (OrtRunOptions**))                                                                              \
  X(46, RunOptionsSetTerminate, OrtStatus*, (OrtRunOptions*))                                                                         \
  X(47, RunOptionsUnsetTerminate, OrtStatus*, (OrtRunOptions*))                                                                       \
  X(48, CreateTensorAsOrtValue, OrtStatus*, (OrtAllocator*, const int64_t* dims, size_t rank, int element_type, OrtValue**))          \
  X(49, CreateTensorWithDataAsOrtValue, OrtStatus*,                                                                                   \
    (const OrtMemoryInfo*, void* data, size_t bytes, const int64_t* dims, size_t rank, int element_type, OrtValue**))                 \
  X(51, GetTensorMutableData, OrtStatus*, (OrtValue*, void**))                                                                        \
  X(53, GetStringTensorDataLength, OrtStatus*, (const OrtValue*, size_t*))                                                            \
  X(54, GetStringTensorContent, OrtStatus*, (const OrtValue*, void* text, size_t bytes, size_t* offsets, size_t offset_count))        \
  X(55, CastTypeInfoToTensorInfo, OrtStatus*, (const OrtTypeInfo*, const OrtTensorTypeAndShapeInfo** borrowed))                       \
  X(56, GetOnnxTypeFromTypeInfo, OrtStatus*, (const OrtTypeInfo*, int*))                                                              \
  X(60, GetTensorElementType, OrtStatus*, (const OrtTensorTypeAndShapeInfo*, int*))                                                   \
  X(61, GetDimensionsCount, OrtStatus*, (const OrtTensorTypeAndShapeInfo*, size_t*))                                                  \
  X(62, GetDimensions, OrtStatus*, (const OrtTensorTypeAndShapeInfo*, int64_t*, size_t rank))                                         \
  X(63, GetSymbolicDimensions, OrtStatus*, (const OrtTensorTypeAndShapeInfo*, const char** borrowed, size_t rank))                    \
  X(65, GetTensorTypeAndShape, OrtStatus*, (const OrtValue*, OrtTensorTypeAndShapeInfo**))                                            \
  X(68, CreateMemoryInfo, OrtStatus*, (const char* name, int allocator_type, int id, int memory_type, OrtMemoryInfo**))               \
  X(69, CreateCpuMemoryInfo, OrtStatus*, (int allocator_type, int memory_type, OrtMemoryInfo**))                                      \
  X(76, AllocatorFree, OrtStatus*, (OrtAllocator*, void*))                                                                            \
  X(78, GetAllocatorWithDefaultOptions, OrtStatus*, (OrtAllocator** borrowed))                                                        \
  X(93, ReleaseStatus, void, (OrtStatus*))                                                                                            \
  X(94, ReleaseMemoryInfo, void, (OrtMemoryInfo*))                                                                                    \
  X(95, ReleaseSession, void, (OrtSession*))                                                                                          \
  X(96, ReleaseValue, void, (OrtValue*))                                                                                              \
  X(97, ReleaseRunOptions, void, (OrtRunOptions*))                                                                                    \
  X(98, ReleaseTypeInfo, void, (OrtTypeInfo*))                                                                                        \
  X(99, ReleaseTensorTypeAndShapeInfo, void, (OrtTensorTypeAndShapeInfo*))                                                            \
  X(100, ReleaseSessionOptions, void, (OrtSessionOptions*))                                                                           \
  X(111, SessionGetModelMetadata, OrtStatus*, (const OrtSession*, OrtModelMetadata**))                                                \
  X(112, ModelMetadataGetProducerName, OrtStatus*, (const OrtModelMetadata*, OrtAllocator*, char**))                                  \
  X(113, ModelMetadataGetGraphName, OrtStatus*, (const OrtModelMetadata*, OrtAllocator*, char**))                                     \
  X(114, ModelMetadataGetDomain, OrtStatus*, (const OrtModelMetadata*, OrtAllocator*, char**))                                        \
  X(115, ModelMetadataGetDescription, OrtStatus*, (const OrtModelMetadata*, OrtAllocator*, char**))                                   \
  X(116, ModelMetadataLookupCustomMetadataMap, OrtStatus*, (const OrtModelMetadata*, OrtAllocator*, const char* key, char**))         \
  X(117, ModelMetadataGetVersion, OrtStatus*, (const OrtModelMetadata*, int64_t*))                                                    \
  X(118, ReleaseModelMetadata, void, (OrtModelMetadata*))                                                                             \
  X(119, CreateEnvWithGlobalThreadPools, OrtStatus*, (int log_level, const char* log_id, const OrtThreadingOptions*, OrtEnv**))       \
  X(120, DisablePerSessionThreads, OrtStatus*, (OrtSessionOptions*))                                                                  \
  X(121, CreateThreadingOptions, OrtStatus*, (OrtThreadingOptions**))                                                                 \
  X(122, ReleaseThreadingOptions, void, (OrtThreadingOptions*))                                                                       \
  X(123, ModelMetadataGetCustomMetadataMapKeys, OrtStatus*, (const OrtModelMetadata*, OrtAllocator*, char*** keys, int64_t* count))   \
  X(130, AddSessionConfigEntry, OrtStatus*, (OrtSessionOptions*, const char* key, const char* value))                                 \
  X(133, RunWithBinding, OrtStatus*, (OrtSession*, const OrtRunOptions*, const OrtIoBinding*))                                        \
  X(134, CreateIoBinding, OrtStatus*, (OrtSession*, OrtIoBinding**))                                                                  \
  X(135, ReleaseIoBinding, void, (OrtIoBinding*))                                                                                     \
  X(136, BindInput, OrtStatus*, (OrtIoBinding*, const char* name, const OrtValue*))                                                   \
  X(137, BindOutput, OrtStatus*, (OrtIoBinding*, const char* name, const OrtValue*))                                                  \
  X(138, BindOutputToDevice, OrtStatus*, (OrtIoBinding*, const char* name, const OrtMemoryInfo*))                                     \
  X(140, GetBoundOutputValues, OrtStatus*, (const OrtIoBinding*, OrtAllocator*, OrtValue*** values, size_t* count))                   \
  X(141, ClearBoundInputs, void, (OrtIoBinding*))                                                                                     \
  X(142, ClearBoundOutputs, void, (OrtIoBinding*))                                                                                    \
  X(147, SetGlobalIntraOpNumThreads, OrtStatus*, (OrtThreadingOptions*, int threads))                                                 \
  X(148, SetGlobalInterOpNumThreads, OrtStatus*, (OrtThreadingOptions*, int threads))                                                 \
  X(149, SetGlobalSpinControl, OrtStatus*, (OrtThreadingOptions*, int spin))                                                          \
  X(165, AddRunConfigEntry, OrtStatus*, (OrtRunOptions*, const char* key, const char* value))                                         \
  X(204, SessionOptionsAppendExecutionProvider_CUDA_V2, OrtStatus*, (OrtSessionOptions*, const OrtCUDAProviderOptionsV2*))            \
  X(205, CreateCUDAProviderOptions, OrtStatus*, (OrtCUDAProviderOptionsV2**))                                                         \
  X(206, UpdateCUDAProviderOptions, OrtStatus*,                                                                                       \
    (OrtCUDAProviderOptionsV2*, const char* const* keys, const char* const* values, size_t count))                                    \
  X(208, ReleaseCUDAProviderOptions, void, (OrtCUDAProviderOptionsV2*))                                                               \
  X(252, GetResizedStringTensorElementBuffer, OrtStatus*, (OrtValue*, size_t index, size_t bytes, char** borrowed))

// The functions above by name, copied out of the library's table.
struct OrtFunctions {
#define PENSTOCK_ORT_MEMBER(slot, name, result, parameters) result(*name) parameters = nullptr;
  PENSTOCK_ORT_FUNCTIONS(PENSTOCK_ORT_MEMBER)
#undef PENSTOCK_ORT_MEMBER

  // `table`: what GetApi(kOrtApiVersion) returned.
  static OrtFunctions Bind(const void* table) {
    OrtFunctions functions;
    const auto* slots = static_cast<const char*>(table);
#define PENSTOCK_ORT_BIND(slot, name, result, parameters) \
  std::memcpy(&functions.name, slots + slot * sizeof(void*), sizeof functions.name);
    PENSTOCK_ORT_FUNCTIONS(PENSTOCK_ORT_BIND)
#undef PENSTOCK_ORT_BIND
    return functions;
  }
};

// What the library's one exported function returns: how to ask for a table, and the release as text.
struct OrtEntry {
  const void* (*GetApi)(uint32_t version);
  const char* (*GetVersionString)();
};

}  // namespace penstock::session
