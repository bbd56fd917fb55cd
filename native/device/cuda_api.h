// The part of the CUDA driver API that Penstock calls, in our own words: no header of CUDA is needed to build.
//
// Names are those that the library exports: where cuda.h renames a function to a later version (cuMemAlloc to cuMemAlloc_v2), the later one
// stands here. All of them exist since CUDA 11.4 at the latest.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {
// Opaque, under the names that cuda.h gives them.
struct CUctx_st;
struct CUstream_st;
struct CUevent_st;
struct CUmod_st;
struct CUfunc_st;
}

namespace penstock::device {

using CudaContext = CUctx_st*;
using CudaStream = CUstream_st*;
using CudaEvent = CUevent_st*;
using CudaModule = CUmod_st*;
using CudaFunction = CUfunc_st*;
using CudaDevice = int;
using CudaPointer = uint64_t;  // CUdeviceptr

struct CudaUuid {
  unsigned char bytes[16];
};

inline constexpr unsigned kCudaStreamNonBlocking = 1;
inline constexpr unsigned kCudaEventDisableTiming = 2;
inline constexpr unsigned kCudaHostAllocPortable = 1;
inline constexpr unsigned kCudaHostAllocDeviceMap = 2;
inline constexpr int kCudaComputeMajor = 75;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
inline constexpr int kCudaComputeMinor = 76;
inline constexpr int kCudaCaptureModeThreadLocal = 1;  // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
inline constexpr int kCudaSuccess = 0;
inline constexpr int kCudaNotReady = 600;  // of a query: work is still going on; no failure

// Name, parameters; every function returns a CUresult.
#define PENSTOCK_CUDA_FUNCTIONS(X)                                                                                                     \
  X(cuInit, (unsigned flags))                                                                                                          \
  X(cuDriverGetVersion, (int* version))                                                                                                \
  X(cuGetErrorName, (int code, const char** name))                                                                                     \
  X(cuGetErrorString, (int code, const char** text))                                                                                   \
  X(cuDeviceGetCount, (int* count))                                                                                                    \
  X(cuDeviceGet, (CudaDevice * device, int ordinal))                                                                                   \
  X(cuDeviceGetName, (char* name, int size, CudaDevice device))                                                                        \
  X(cuDeviceGetUuid_v2, (CudaUuid * uuid, CudaDevice device))                                                                          \
  X(cuDeviceTotalMem_v2, (size_t* bytes, CudaDevice device))                                                                           \
  X(cuDeviceGetAttribute, (int* value, int attribute, CudaDevice device))                                                              \
  X(cuDeviceGetPCIBusId, (char* id, int size, CudaDevice device))                                                                      \
  X(cuDevicePrimaryCtxRetain, (CudaContext * context, CudaDevice device))                                                              \
  X(cuCtxSetCurrent, (CudaContext context))                                                                                            \
  X(cuCtxGetCurrent, (CudaContext * context))                                                                                          \
  X(cuMemGetInfo_v2, (size_t * free_bytes, size_t* total_bytes))                                                                       \
  X(cuMemAlloc_v2, (CudaPointer * pointer, size_t bytes))                                                                              \
  X(cuMemFree_v2, (CudaPointer pointer))                                                                                               \
  X(cuMemHostAlloc, (void** pointer, size_t bytes, unsigned flags))                                                                    \
  X(cuMemFreeHost, (void* pointer))                                                                                                    \
  X(cuMemHostGetDevicePointer_v2, (CudaPointer * pointer, void* host, unsigned flags))                                                 \
  X(cuMemcpyHtoDAsync_v2, (CudaPointer to, const void* from, size_t bytes, CudaStream stream))                                         \
  X(cuMemcpyDtoHAsync_v2, (void* to, CudaPointer from, size_t bytes, CudaStream stream))                                               \
  X(cuMemsetD8Async, (CudaPointer at, unsigned char value, size_t bytes, CudaStream stream))                                           \
  X(cuMemsetD32Async, (CudaPointer at, unsigned value, size_t count, CudaStream stream))                                               \
  X(cuStreamCreate, (CudaStream * stream, unsigned flags))                                                                             \
  X(cuStreamDestroy_v2, (CudaStream stream))                                                                                           \
  X(cuStreamSynchronize, (CudaStream stream))                                                                                          \
  X(cuStreamQuery, (CudaStream stream))                                                                                                \
  X(cuThreadExchangeStreamCaptureMode, (int* mode))                                                                                    \
  X(cuModuleLoadData, (CudaModule * module, const void* image))                                                                        \
  X(cuModuleUnload, (CudaModule module))                                                                                               \
  X(cuModuleGetFunction, (CudaFunction * function, CudaModule module, const char* name))                                               \
  X(cuLaunchKernel, (CudaFunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,     \
                     unsigned block_z, unsigned shared_bytes, CudaStream stream, void** parameters, void** extra))

// The functions above by name.
struct CudaFunctions {
#define PENSTOCK_CUDA_MEMBER(name, parameters) int(*name) parameters = nullptr;
  PENSTOCK_CUDA_FUNCTIONS(PENSTOCK_CUDA_MEMBER)
#undef PENSTOCK_CUDA_MEMBER
};

}  // namespace penstock::device
