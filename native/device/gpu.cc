#include "device/gpu.h"

namespace penstock::device {
namespace {

// Refusals of a query while some stream records a CUDA graph (CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED and its neighbours).
bool IsCaptureRefusal(CudaCode code) { return code >= 900 && code <= 908; }

}  // namespace

std::shared_ptr<Gpu> Gpu::Open(std::shared_ptr<const Driver> driver, GpuInfo info, Fault* fault) {
  const CudaFunctions& cuda = driver->cuda();
  CudaDevice device = 0;
  *fault = driver->FaultOf("cuDeviceGet", cuda.cuDeviceGet(&device, info.ordinal), false);
  if (fault->kind != FaultKind::kNone) return nullptr;
  CudaContext context = nullptr;
  *fault = driver->FaultOf("cuDevicePrimaryCtxRetain", cuda.cuDevicePrimaryCtxRetain(&context, device), false);
  if (fault->kind != FaultKind::kNone) return nullptr;
  std::shared_ptr<Gpu> gpu(new Gpu(std::move(driver), std::move(info)));
  gpu->context_ = context;
  return gpu;
}

// ONNX Runtime records in CUDA's global mode (onnxruntime/core/providers/cuda/cuda_graph.cc). Meanwhile every other thread is refused calls
// such as cuMemAlloc, unless it has said that only its own recordings count (CUDA driver API, cuThreadExchangeStreamCaptureMode).
void Gpu::IgnoreOthersRecording() const {
  thread_local bool done = false;
  if (done) return;
  int mode = kCudaCaptureModeThreadLocal;
  done = driver_->cuda().cuThreadExchangeStreamCaptureMode(&mode) == kCudaSuccess;
}

Status Gpu::Enter() const {
  IgnoreOthersRecording();
  return Check("cuCtxSetCurrent", driver_->cuda().cuCtxSetCurrent(context_));
}

Result<DeviceMemory> Gpu::ReadMemory() const {
  PENSTOCK_RETURN_IF_ERROR(Enter());
  size_t free_bytes = 0;
  size_t total_bytes = 0;
  PENSTOCK_RETURN_IF_ERROR(Check("cuMemGetInfo_v2", driver_->cuda().cuMemGetInfo_v2(&free_bytes, &total_bytes)));
  return DeviceMemory{free_bytes, total_bytes};
}

Fault Gpu::Ask() const {
  if (const Fault known = fatal(); known.kind != FaultKind::kNone) return known;
  IgnoreOthersRecording();
  Fault fault = driver_->FaultOf("cuCtxSetCurrent", driver_->cuda().cuCtxSetCurrent(context_));
  if (fault.kind == FaultKind::kNone) {
    // Every call in a context gives its sticky error. This one waits neither for work nor, unlike cuCtxSynchronize, for other streams.
    const CudaCode code = driver_->cuda().cuStreamQuery(nullptr);
    if (code != kCudaNotReady && !IsCaptureRefusal(code)) fault = driver_->FaultOf("cuStreamQuery", code);
  }
  RecordFatal(fault);
  return fault;
}

Status Gpu::Check(const char* call, CudaCode code) const {
  if (code == kCudaSuccess) return Status::Ok();
  const Fault fault = driver_->FaultOf(call, code);
  if (fault.kind == FaultKind::kOutOfMemory) CountOutOfMemory();
  RecordFatal(fault);
  return StatusOf(fault);
}

Fault Gpu::fatal() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return fatal_;
}

void Gpu::RecordFatal(const Fault& fault) const {
  if (!IsFatal(fault.kind)) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (fatal_.kind == FaultKind::kNone) fatal_ = fault;
}

}  // namespace penstock::device
