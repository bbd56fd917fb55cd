#include "session/cuda_model.h"

#include <algorithm>
#include <utility>

#include "session/cuda_failure.h"
#include "session/cuda_graphs.h"
#include "session/cuda_provider.h"
#include "session/model_file.h"
#include "session/ort_session_options.h"
#include "session/ort_signature.h"
#include "session/ort_status.h"

namespace penstock::session {
namespace {

std::string MiB(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

// The file is a floor for what its weights take on the device. Refused here, nothing that others use has been asked for yet.
Status CheckRoom(const SessionOptions& options, const device::Gpu& gpu) {
  const Result<device::DeviceMemory> memory = gpu.ReadMemory();
  if (!memory.ok()) return memory.status();
  const ModelFile file = InspectModelFile(options.model_path);
  if (file.bytes <= memory.value().free_bytes) return Status::Ok();
  const uint64_t rounded_up = (file.bytes >> 20) + 1;
  return Status(StatusCode::kGpuMemory, file.name + " needs at least " + std::to_string(rounded_up) +
                                            " MiB of GPU memory for its weights, " + gpu.info().uuid + " has " +
                                            MiB(memory.value().free_bytes) + " free of " + MiB(memory.value().total_bytes));
}

// Reachable, so that leak checkers know that it is meant.
void KeepForEver(OrtSession* session) {
  static auto* mutex = new std::mutex();
  static auto* kept = new std::vector<OrtSession*>();
  const std::lock_guard<std::mutex> lock(*mutex);
  kept->push_back(session);
}

}  // namespace

std::shared_mutex& LoadingOrRecording() {
  static auto* mutex = new std::shared_mutex();
  return *mutex;
}

Result<std::unique_ptr<CudaOrtSession>> CudaOrtSession::Load(const OrtRuntime& runtime, const SessionOptions& options,
                                                             std::shared_ptr<const device::Gpu> gpu, bool graphs) {
  const std::shared_lock<std::shared_mutex> loading(LoadingOrRecording());
  PENSTOCK_RETURN_IF_ERROR(device::StatusOf(gpu->fatal()));
  PENSTOCK_RETURN_IF_ERROR(gpu->Enter());
  Result<OrtHandle<OrtSessionOptions>> session_options = NewSessionOptions(runtime, options);
  if (!session_options.ok()) return session_options.status();
  OrtSessionOptions* const raw_options = session_options.value().get();
  PENSTOCK_RETURN_IF_ERROR(AppendCudaProvider(runtime, *gpu, options.cuda.provider_options, graphs, raw_options));
  PENSTOCK_RETURN_IF_ERROR(CheckRoom(options, *gpu));
  const OrtFunctions& ort = runtime.functions;
  OrtSession* raw = nullptr;
  if (OrtStatus* failure = ort.CreateSession(runtime.env, options.model_path.c_str(), raw_options, &raw); failure != nullptr) {
    const OrtHandle<OrtStatus> owned(failure, ort.ReleaseStatus);
    const std::string reason = CleanOrtMessage(ort.GetErrorMessage(failure), options.model_path);
    return ExplainCudaFailure(runtime, *gpu, failure, StatusCode::kModelLoad,
                              "cannot load " + ModelFileName(options.model_path) + ": " + reason);
  }
  return std::unique_ptr<CudaOrtSession>(new CudaOrtSession(std::move(gpu), OrtHandle<OrtSession>(raw, ort.ReleaseSession)));
}

CudaOrtSession::~CudaOrtSession() {
  const std::shared_lock<std::shared_mutex> releasing(LoadingOrRecording());
  // Asked rather than looked up: nobody may have noticed yet. In a broken context ONNX Runtime throws out of destructors, which ends
  // the process on the spot (CUDAPinnedAllocator::Free, onnxruntime/core/providers/cuda/cuda_allocator.cc; issue 15174 there), and a
  // device that has left may never answer. Where it answers, its context is current now, as the handles of a second GPU need.
  if (device::IsFatal(gpu_->Ask().kind)) {
    KeepForEver(handle_.release());
  } else {
    handle_.reset();
  }
}

CudaModel::CudaModel(const OrtRuntime& ort_runtime, std::shared_ptr<const device::Gpu> device, SessionOptions how)
    : runtime(ort_runtime), gpu(std::move(device)), options(std::move(how)), permits(options.cuda.runs_at_once) {}

CudaModel::~CudaModel() = default;

void CudaModel::Note(const std::string& note) {
  const std::lock_guard<std::mutex> lock(mutex);
  if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(note);
}

Status CheckBinding(const CudaModel& model, OrtStatus* status) {
  if (status == nullptr) return Status::Ok();
  const OrtFunctions& ort = model.runtime.functions;
  const OrtHandle<OrtStatus> owned(status, ort.ReleaseStatus);
  const std::string message = "cannot bind a tensor: " + CleanOrtMessage(ort.GetErrorMessage(status), "");
  return ExplainCudaFailure(model.runtime, *model.gpu, status, StatusCode::kModelRun, message);
}

Result<std::shared_ptr<CudaModel>> LoadCudaModel(const OrtRuntime& runtime, const SessionOptions& options,
                                                 std::shared_ptr<const device::Gpu> gpu) {
  auto model = std::make_shared<CudaModel>(runtime, std::move(gpu), options);
  Result<std::unique_ptr<CudaOrtSession>> session = CudaOrtSession::Load(runtime, options, model->gpu, false);
  if (!session.ok()) return session.status();
  model->session = std::move(session).value();
  OrtMemoryInfo* device_memory = nullptr;
  PENSTOCK_RETURN_IF_ERROR(TakeLoadStatus(runtime, options,
                                          runtime.functions.CreateMemoryInfo("Cuda", kOrtDeviceAllocator, model->gpu->info().ordinal,
                                                                             kOrtMemTypeDefault, &device_memory)));
  model->device_memory = OrtHandle<OrtMemoryInfo>(device_memory, runtime.functions.ReleaseMemoryInfo);
  Result<Signature> signature = ReadSignature(runtime, model->session->get());
  if (!signature.ok()) return signature.status();
  model->signature = std::move(signature).value();
  if (options.cuda.graphs) PENSTOCK_RETURN_IF_ERROR(CudaGraphs::TryOn(model.get()));
  return model;
}

}  // namespace penstock::session
