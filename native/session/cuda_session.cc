#include "session/cuda_session.h"

#include <atomic>
#include <new>
#include <string>
#include <utility>

#include "device/kernels.h"
#include "session/cuda_failure.h"
#include "session/cuda_lane.h"
#include "session/cuda_provider.h"
#include "session/model_file.h"
#include "session/ort_session_options.h"
#include "session/ort_signature.h"
#include "session/ort_status.h"
#include "session/run_inputs.h"

namespace penstock::session {
namespace {

Status Stopped() { return Status(StatusCode::kRequestCancelled, "the run was stopped"); }

// Null where the GPU has no kernels to do it with. They gather rows that lie apart too, so no input need be converted.
Result<std::shared_ptr<const CudaConversions>> PrepareConversions(const std::shared_ptr<const device::Gpu>& gpu, const void* image,
                                                                  const InputConversions& conversions) {
  Result<std::shared_ptr<const device::Kernels>> kernels = device::Kernels::LoadImage(gpu, image);
  if (kernels.status().code() == StatusCode::kGpuUnavailable) return std::shared_ptr<const CudaConversions>();
  if (!kernels.ok()) return kernels.status();
  Result<std::unique_ptr<device::Stream>> stream = device::Stream::Create(gpu);
  if (!stream.ok()) return stream.status();
  auto prepared = std::make_shared<CudaConversions>();
  prepared->by_input.resize(conversions.size());
  for (size_t i = 0; i < conversions.size(); ++i) {
    if (conversions[i] == nullptr) continue;
    Result<device::PreparedConversion> conversion = kernels.value()->Prepare(stream.value().get(), *conversions[i]);
    if (!conversion.ok()) return conversion.status();
    prepared->by_input[i] = std::move(conversion).value();
  }
  prepared->kernels = std::move(kernels).value();
  return std::shared_ptr<const CudaConversions>(std::move(prepared));
}

class CudaSession final : public Session {
 public:
  // `conversions` are null where the GPU has no kernels.
  CudaSession(std::shared_ptr<CudaModel> model, std::shared_ptr<const CudaConversions> conversions, CudaSessionOptions options,
              uint64_t free_before)
      : model_(std::move(model)), conversions_(std::move(conversions)), options_(std::move(options)), free_before_(free_before) {}

  const Signature& signature() const override { return model_->signature; }

  std::unique_ptr<RunControl> NewRunControl() const override {
    const OrtFunctions& ort = model_->runtime.functions;
    OrtRunOptions* raw = nullptr;
    // Fails only where `new` would, and this function has no other way to say so.
    const Status status = TakeOrtStatus(ort, ort.CreateRunOptions(&raw), StatusCode::kMemory, "");
    if (!status.ok()) throw std::bad_alloc();
    return std::make_unique<CudaLane>(model_, conversions_, OrtHandle<OrtRunOptions>(raw, ort.ReleaseRunOptions));
  }

  Status Run(const std::vector<Tensor>& inputs, const std::vector<size_t>& outputs, RunControl& control,
             std::vector<Tensor>* results) const override {
    auto& lane = static_cast<CudaLane&>(control);
    if (lane.terminated()) return Stopped();
    try {
      const Status status = RunLane(lane, inputs, outputs, results);
      // A run that fails while it is being stopped counts as stopped, but a broken GPU is everybody's concern.
      const bool concerns_all = status.code() == StatusCode::kGpuFault || status.code() == StatusCode::kGpuLost;
      return !status.ok() && lane.terminated() && !concerns_all ? Stopped() : status;
    } catch (const std::bad_alloc&) {
      return Status(StatusCode::kMemory, "not enough memory for the outputs of a run");
    }
  }

  memory::BlockSource& input_memory() const override {
    return options_.pinned != nullptr ? *options_.pinned : memory::BlockPool::Process();
  }

  bool TakesRowsApart(size_t input) const override {
    return conversions_ != nullptr && model_->signature.inputs[input].dtype != DataType::kBytes;
  }

  int64_t PaddedRows(int64_t rows) const override {
    if (!options_.buckets) return rows;
    int64_t padded = rows < 1 ? rows : 1;
    // Past 2^62 rows there is no larger power to be had.
    while (padded < rows && padded <= INT64_MAX / 2) padded *= 2;
    return padded > rows ? padded : rows;
  }

  Result<std::shared_ptr<Session>> ConvertingOnDevice(const InputConversions& conversions) const override {
    Result<std::shared_ptr<const CudaConversions>> prepared = PrepareConversions(model_->gpu, options_.kernel_image, conversions);
    if (!prepared.ok()) return prepared.status();
    if (prepared.value() == nullptr) return std::shared_ptr<Session>();
    return std::shared_ptr<Session>(std::make_shared<CudaSession>(model_, std::move(prepared).value(), options_, free_before_));
  }

  void ReleaseSpareMemory() const override { shrink_.store(true); }

  void MeasureMemory() const override {
    const Result<device::DeviceMemory> now = model_->gpu->ReadMemory();
    if (!now.ok()) return;
    const uint64_t free_now = now.value().free_bytes;
    used_bytes_.store(free_before_ > free_now ? free_before_ - free_now : 0);
    measured_.store(true);
  }

  std::vector<MemoryUse> memory_use() const override {
    if (!measured_.load()) return {};
    const device::GpuInfo& gpu = model_->gpu->info();
    return {MemoryUse{"GPU", gpu.uuid, gpu.ordinal, used_bytes_.load()}};
  }

  std::vector<std::string> gpus() const override { return {model_->gpu->info().uuid}; }

 private:
  Status RunLane(CudaLane& lane, const std::vector<Tensor>& inputs, const std::vector<size_t>& outputs,
                 std::vector<Tensor>* results) const {
    PENSTOCK_RETURN_IF_ERROR(CheckInputs(model_->signature, inputs));
    PENSTOCK_RETURN_IF_ERROR(device::StatusOf(model_->gpu->fatal()));
    PENSTOCK_RETURN_IF_ERROR(model_->gpu->Enter());
    struct Finisher {
      CudaLane& lane;
      ~Finisher() { lane.Finish(); }
    } const finisher{lane};
    PENSTOCK_RETURN_IF_ERROR(lane.BindInputs(inputs));
    PENSTOCK_RETURN_IF_ERROR(lane.BindOutputs(outputs));
    PENSTOCK_RETURN_IF_ERROR(RunPermitted(lane));
    return lane.TakeOutputs(input_memory(), results);
  }

  Status RunPermitted(CudaLane& lane) const {
    if (!model_->permits.Acquire(lane.terminated())) return Stopped();
    struct Releaser {
      RunPermits& permits;
      ~Releaser() { permits.Release(); }
    } const releaser{model_->permits};
    const OrtRuntime& runtime = model_->runtime;
    OrtStatus* const failure = lane.Execute(shrink_.exchange(false));
    if (failure == nullptr) return Status::Ok();
    const OrtHandle<OrtStatus> owned(failure, runtime.functions.ReleaseStatus);
    const std::string message = "the model failed: " + CleanOrtMessage(runtime.functions.GetErrorMessage(failure), "");
    return ExplainCudaFailure(runtime, *model_->gpu, failure, StatusCode::kModelRun, message);
  }

  const std::shared_ptr<CudaModel> model_;
  const std::shared_ptr<const CudaConversions> conversions_;
  const CudaSessionOptions options_;
  const uint64_t free_before_;  // bytes of the device, before the model was loaded
  mutable std::atomic<bool> shrink_{false};
  mutable std::atomic<uint64_t> used_bytes_{0};
  mutable std::atomic<bool> measured_{false};
};

std::string MiB(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

// The file is a floor for what its weights take on the device. Refused here, nothing that others use has been asked for yet.
Status CheckRoom(const SessionOptions& options, const device::Gpu& gpu, const device::DeviceMemory& memory) {
  const ModelFile file = InspectModelFile(options.model_path);
  if (file.bytes <= memory.free_bytes) return Status::Ok();
  const uint64_t rounded_up = (file.bytes >> 20) + 1;
  return Status(StatusCode::kGpuMemory, file.name + " needs at least " + std::to_string(rounded_up) +
                                            " MiB of GPU memory for its weights, " + gpu.info().uuid + " has " + MiB(memory.free_bytes) +
                                            " free of " + MiB(memory.total_bytes));
}

Status LoadModel(const SessionOptions& options, const OrtSessionOptions* session_options, CudaModel* model) {
  const OrtRuntime& runtime = model->runtime;
  const OrtFunctions& ort = runtime.functions;
  OrtSession* raw = nullptr;
  if (OrtStatus* failure = ort.CreateSession(runtime.env, options.model_path.c_str(), session_options, &raw); failure != nullptr) {
    const OrtHandle<OrtStatus> owned(failure, ort.ReleaseStatus);
    const std::string reason = CleanOrtMessage(ort.GetErrorMessage(failure), options.model_path);
    return ExplainCudaFailure(runtime, *model->gpu, failure, StatusCode::kModelLoad,
                              "cannot load " + ModelFileName(options.model_path) + ": " + reason);
  }
  model->session = OrtHandle<OrtSession>(raw, ort.ReleaseSession);
  OrtMemoryInfo* device_memory = nullptr;
  PENSTOCK_RETURN_IF_ERROR(
      TakeLoadStatus(runtime, options,
                     ort.CreateMemoryInfo("Cuda", kOrtDeviceAllocator, model->gpu->info().ordinal, kOrtMemTypeDefault, &device_memory)));
  model->device_memory = OrtHandle<OrtMemoryInfo>(device_memory, ort.ReleaseMemoryInfo);
  Result<Signature> signature = ReadSignature(runtime, raw);
  if (!signature.ok()) return signature.status();
  model->signature = std::move(signature).value();
  return Status::Ok();
}

}  // namespace

Result<std::shared_ptr<Session>> OpenCudaSession(const OrtRuntime& runtime, const SessionOptions& options,
                                                 std::shared_ptr<device::Gpu> gpu) {
  PENSTOCK_RETURN_IF_ERROR(device::StatusOf(gpu->fatal()));
  PENSTOCK_RETURN_IF_ERROR(gpu->Enter());
  Result<OrtHandle<OrtSessionOptions>> session_options = NewSessionOptions(runtime, options);
  if (!session_options.ok()) return session_options.status();
  PENSTOCK_RETURN_IF_ERROR(AppendCudaProvider(runtime, *gpu, options.cuda.provider_options, session_options.value().get()));
  const Result<device::DeviceMemory> before = gpu->ReadMemory();
  if (!before.ok()) return before.status();
  PENSTOCK_RETURN_IF_ERROR(CheckRoom(options, *gpu, before.value()));
  auto model = std::make_shared<CudaModel>(runtime, gpu, options.cuda.runs_at_once);
  PENSTOCK_RETURN_IF_ERROR(LoadModel(options, session_options.value().get(), model.get()));
  Result<std::shared_ptr<const CudaConversions>> kernels =
      PrepareConversions(gpu, options.cuda.kernel_image, InputConversions(model->signature.inputs.size()));
  if (!kernels.ok()) return kernels.status();
  return std::shared_ptr<Session>(
      std::make_shared<CudaSession>(std::move(model), std::move(kernels).value(), options.cuda, before.value().free_bytes));
}

}  // namespace penstock::session
