// Memory and copies.
#include <algorithm>
#include <cstring>
#include <vector>

#include "base/checked_math.h"
#include "contexts.h"
#include "functions.h"

using namespace penstock::fake_driver;
using penstock::CheckedMul;
using penstock::device::CudaPointer;
using penstock::device::CudaStream;

namespace {

unsigned char* At(CudaPointer pointer) { return reinterpret_cast<unsigned char*>(pointer); }

// A silent error of memory or bus: one bit, in the middle.
void Flip(unsigned char* bytes, size_t count) { bytes[count / 2] ^= 0x10; }

// Copies `bytes` on the stream. `staged` holds what is to be copied when the source may change as soon as the call returns.
void SubmitCopy(StreamWorker* stream, const Effects& effects, unsigned char* to, const unsigned char* from, size_t bytes,
                std::vector<unsigned char> staged = {}) {
  stream->Submit(effects, [=, staged = std::move(staged)] {
    std::memcpy(to, staged.empty() ? from : staged.data(), bytes);
    if (effects.corrupt) Flip(to, bytes);
  });
}

// What is wrong with an operation on `bytes` at `pointer`.
int Check(const CudaCall& call, CudaPointer pointer, uint64_t bytes, const std::shared_ptr<StreamWorker>& stream) {
  if (stream == nullptr) return kInvalidHandle;
  return call.context()->Reaches(At(pointer), bytes) ? 0 : kInvalidValue;
}

}  // namespace

FAKE_EXPORT int cuMemGetInfo_v2(size_t* free_bytes, size_t* total_bytes) {
  const CudaCall call(FAKE_FUNCTION(cuMemGetInfo_v2), Needs::kContext);
  if (call.code() != 0) return call.code();
  if (free_bytes == nullptr || total_bytes == nullptr) return kInvalidValue;
  *free_bytes = call.context()->free_bytes();
  *total_bytes = call.context()->total_bytes;
  return 0;
}

FAKE_EXPORT int cuMemAlloc_v2(CudaPointer* pointer, size_t bytes) {
  const CudaCall call(FAKE_FUNCTION(cuMemAlloc_v2), Needs::kContext);
  if (call.code() != 0) return call.code();
  if (pointer == nullptr || bytes == 0) return kInvalidValue;
  CUctx_st* context = call.context();
  void* block = context->memory.Allocate(bytes, context->limit_bytes());
  if (block == nullptr) return kOutOfMemory;
  *pointer = reinterpret_cast<CudaPointer>(block);
  return 0;
}

FAKE_EXPORT int cuMemFree_v2(CudaPointer pointer) {
  const CudaCall call(FAKE_FUNCTION(cuMemFree_v2), Needs::kContext);
  if (call.code() != 0) return call.code();
  for (CUctx_st* each : Devices()) {
    if (!each->memory.Begins(At(pointer))) continue;
    each->WaitForAll();  // as the driver does before it gives memory back
    return each->memory.Free(At(pointer)) ? each->sticky() : kInvalidValue;
  }
  return kInvalidValue;
}

FAKE_EXPORT int cuMemHostAlloc(void** pointer, size_t bytes, unsigned flags) {
  const CudaCall call(FAKE_FUNCTION(cuMemHostAlloc), Needs::kContext);
  if (call.code() != 0) return call.code();
  if (pointer == nullptr || bytes == 0 || flags > 7) return kInvalidValue;
  *pointer = HostMemory().Allocate(bytes, UINT64_MAX);
  return *pointer == nullptr ? kOutOfMemory : 0;
}

FAKE_EXPORT int cuMemFreeHost(void* pointer) {
  const CudaCall call(FAKE_FUNCTION(cuMemFreeHost), Needs::kContext);
  if (call.code() != 0) return call.code();
  if (!HostMemory().Begins(pointer)) return kInvalidValue;
  for (CUctx_st* each : Devices()) each->WaitForAll();
  return HostMemory().Free(pointer) ? 0 : kInvalidValue;
}

FAKE_EXPORT int cuMemHostGetDevicePointer_v2(CudaPointer* pointer, void* host, unsigned flags) {
  const CudaCall call(FAKE_FUNCTION(cuMemHostGetDevicePointer_v2), Needs::kContext);
  if (call.code() != 0) return call.code();
  if (pointer == nullptr || flags != 0 || !HostMemory().Contains(host, 1)) return kInvalidValue;
  *pointer = reinterpret_cast<CudaPointer>(host);
  return 0;
}

FAKE_EXPORT int cuMemcpyHtoDAsync_v2(CudaPointer to, const void* from, size_t bytes, CudaStream handle) {
  const CudaCall call(FAKE_FUNCTION(cuMemcpyHtoDAsync_v2), Needs::kContext);
  if (call.code() != 0) return call.code();
  const auto stream = call.context()->FindStream(handle);
  if (const int code = Check(call, to, bytes, stream); code != 0) return code;
  if (bytes == 0) return 0;
  if (from == nullptr) return kInvalidValue;
  const auto* source = static_cast<const unsigned char*>(from);
  // Pageable memory has been read when the call returns (CUDA driver API, "API synchronization behavior").
  std::vector<unsigned char> staged;
  if (!HostMemory().Contains(from, bytes)) staged.assign(source, source + bytes);
  SubmitCopy(stream.get(), call.effects(), At(to), source, bytes, std::move(staged));
  return 0;
}

FAKE_EXPORT int cuMemcpyDtoHAsync_v2(void* to, CudaPointer from, size_t bytes, CudaStream handle) {
  const CudaCall call(FAKE_FUNCTION(cuMemcpyDtoHAsync_v2), Needs::kContext);
  if (call.code() != 0) return call.code();
  const auto stream = call.context()->FindStream(handle);
  if (const int code = Check(call, from, bytes, stream); code != 0) return code;
  if (bytes == 0) return 0;
  if (to == nullptr) return kInvalidValue;
  SubmitCopy(stream.get(), call.effects(), static_cast<unsigned char*>(to), At(from), bytes);
  if (HostMemory().Contains(to, bytes)) return 0;
  stream->Wait();  // pageable memory has been written when the call returns
  return call.context()->sticky();
}

FAKE_EXPORT int cuMemsetD8Async(CudaPointer at, unsigned char value, size_t bytes, CudaStream handle) {
  const CudaCall call(FAKE_FUNCTION(cuMemsetD8Async), Needs::kContext);
  if (call.code() != 0) return call.code();
  const auto stream = call.context()->FindStream(handle);
  if (const int code = Check(call, at, bytes, stream); code != 0) return code;
  if (bytes == 0) return 0;
  stream->Submit(call.effects(), [=, corrupt = call.effects().corrupt] {
    std::memset(At(at), value, bytes);
    if (corrupt) Flip(At(at), bytes);
  });
  return 0;
}

FAKE_EXPORT int cuMemsetD32Async(CudaPointer at, unsigned value, size_t count, CudaStream handle) {
  const CudaCall call(FAKE_FUNCTION(cuMemsetD32Async), Needs::kContext);
  if (call.code() != 0) return call.code();
  uint64_t bytes = 0;
  if (!CheckedMul(count, sizeof(value), &bytes) || at % sizeof(value) != 0) return kInvalidValue;
  const auto stream = call.context()->FindStream(handle);
  if (const int code = Check(call, at, bytes, stream); code != 0) return code;
  if (bytes == 0) return 0;
  stream->Submit(call.effects(), [=, corrupt = call.effects().corrupt] {
    std::fill_n(reinterpret_cast<unsigned*>(at), count, value);
    if (corrupt) Flip(At(at), bytes);
  });
  return 0;
}
