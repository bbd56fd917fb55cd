// Streams, modules and launches.
#include <cstring>
#include <utility>
#include <vector>

#include "contexts.h"
#include "functions.h"

using namespace penstock::fake_driver;
using penstock::device::CudaFunction;
using penstock::device::CudaModule;
using penstock::device::CudaStream;

namespace {

constexpr unsigned kMaxBlockThreads = 1024;  // of every device that CUDA still supports
constexpr unsigned kMaxGridYZ = 65535;

bool IsPossible(const Dimensions& grid, const Dimensions& block) {
  const bool some = grid.x > 0 && grid.y > 0 && grid.z > 0 && block.x > 0 && block.y > 0 && block.z > 0;
  const bool small = block.x <= kMaxBlockThreads && block.y <= kMaxBlockThreads && block.z <= 64;
  return some && small && block.x * block.y * block.z <= kMaxBlockThreads && grid.y <= kMaxGridYZ && grid.z <= kMaxGridYZ;
}

}  // namespace

FAKE_EXPORT int cuStreamCreate(CudaStream* stream, unsigned flags) {
  const CudaCall call(FAKE_FUNCTION(cuStreamCreate), Needs::kContext);
  if (call.code() != 0) return call.code();
  if (stream == nullptr || flags > penstock::device::kCudaStreamNonBlocking) return kInvalidValue;
  *stream = call.context()->streams.Add(StreamWorker::Start(call.context()));
  return 0;
}

FAKE_EXPORT int cuStreamDestroy_v2(CudaStream handle) {
  const CudaCall call(FAKE_FUNCTION(cuStreamDestroy_v2), Needs::kContext);
  if (call.code() != 0) return call.code();
  const auto stream = call.context()->streams.Take(handle);
  if (stream == nullptr) return kInvalidHandle;
  stream->Finish();
  return 0;
}

FAKE_EXPORT int cuStreamSynchronize(CudaStream handle) {
  const CudaCall call(FAKE_FUNCTION(cuStreamSynchronize), Needs::kContext);
  if (call.code() != 0) return call.code();
  const auto stream = call.context()->FindStream(handle);
  if (stream == nullptr) return kInvalidHandle;
  stream->Wait();
  return call.context()->sticky();
}

FAKE_EXPORT int cuStreamQuery(CudaStream handle) {
  const CudaCall call(FAKE_FUNCTION(cuStreamQuery), Needs::kContext);
  if (call.code() != 0) return call.code();
  const auto stream = call.context()->FindStream(handle);
  if (stream == nullptr) return kInvalidHandle;
  if (stream->busy()) return penstock::device::kCudaNotReady;
  return call.context()->sticky();
}

// Needs no context. Nothing here records, so the mode is all there is.
FAKE_EXPORT int cuThreadExchangeStreamCaptureMode(int* mode) {
  const CudaCall call(FAKE_FUNCTION(cuThreadExchangeStreamCaptureMode), Needs::kInit);
  if (call.code() != 0) return call.code();
  static thread_local int current __attribute__((tls_model("initial-exec"))) = 0;
  if (mode == nullptr || *mode < 0 || *mode > 2) return kInvalidValue;
  std::swap(current, *mode);
  return 0;
}

FAKE_EXPORT int cuModuleLoadData(CudaModule* module, const void* image) {
  const CudaCall call(FAKE_FUNCTION(cuModuleLoadData), Needs::kContext);
  if (call.code() != 0) return call.code();
  if (module == nullptr || image == nullptr) return kInvalidValue;
  *module = call.context()->modules.Add(std::make_shared<Module>());
  return 0;
}

FAKE_EXPORT int cuModuleUnload(CudaModule handle) {
  const CudaCall call(FAKE_FUNCTION(cuModuleUnload), Needs::kContext);
  if (call.code() != 0) return call.code();
  const auto module = call.context()->modules.Take(handle);
  if (module == nullptr) return kInvalidHandle;
  module->loaded = false;
  return 0;
}

FAKE_EXPORT int cuModuleGetFunction(CudaFunction* function, CudaModule handle, const char* name) {
  const CudaCall call(FAKE_FUNCTION(cuModuleGetFunction), Needs::kContext);
  if (call.code() != 0) return call.code();
  if (function == nullptr || name == nullptr) return kInvalidValue;
  const auto module = call.context()->modules.Find(handle);
  if (module == nullptr) return kInvalidHandle;
  const Kernel* kernel = FindKernel(name);
  if (kernel == nullptr) return kNotFound;
  *function = call.context()->functions.Add({kernel, module});
  return 0;
}

FAKE_EXPORT int cuLaunchKernel(CudaFunction handle, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                               unsigned block_z, unsigned /*shared_bytes*/, CudaStream stream_handle, void** parameters, void** extra) {
  const CudaCall call(FAKE_FUNCTION(cuLaunchKernel), Needs::kContext);
  if (call.code() != 0) return call.code();
  const Function function = call.context()->functions.Find(handle);
  const auto stream = call.context()->FindStream(stream_handle);
  if (function.kernel == nullptr || !function.module->loaded || stream == nullptr) return kInvalidHandle;
  Launch launch;
  launch.context = call.context();
  launch.grid = {grid_x, grid_y, grid_z};
  launch.block = {block_x, block_y, block_z};
  const auto& sizes = function.kernel->parameter_bytes;
  if (!IsPossible(launch.grid, launch.block) || extra != nullptr || (parameters == nullptr && !sizes.empty())) return kInvalidValue;
  std::vector<unsigned char> copied;
  for (size_t each = 0; each < sizes.size(); ++each) {
    const auto* bytes = static_cast<const unsigned char*>(parameters[each]);
    copied.insert(copied.end(), bytes, bytes + sizes[each]);
  }
  stream->Submit(call.effects(), [launch, kernel = function.kernel, copied = std::move(copied)] { kernel->run(launch, copied.data()); });
  return 0;
}
