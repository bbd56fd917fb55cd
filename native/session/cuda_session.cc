#include "session/cuda_session.h"

#include <atomic>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <string>
#include <utility>

#include "device/kernels.h"
#include "session/cuda_failure.h"
#include "session/cuda_lane.h"
#include "session/cuda_model.h"
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
  CudaSession(std::shared_ptr<CudaModel> model, std::shared_ptr<const CudaConversions> conversions, uint64_t free_before)
      : model_(std::move(model)), conversions_(std::move(conversions)), options_(model_->options.cuda), free_before_(free_before) {}

  const Signature& signature() const override { return model_->signature; }

  std::unique_ptr<RunControl> NewRunControl() const override { return NewLane(nullptr); }
  std::unique_ptr<RunControl> NewLaneControl() const override { return NewLane(CudaGraphs::ForLane(model_.get())); }

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
    return std::shared_ptr<Session>(std::make_shared<CudaSession>(model_, std::move(prepared).value(), free_before_));
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

  std::vector<std::string> notes() const override {
    const std::lock_guard<std::mutex> lock(model_->mutex);
    return model_->notes;
  }

 private:
  std::unique_ptr<RunControl> NewLane(std::unique_ptr<CudaGraphs> graphs) const {
    const OrtFunctions& ort = model_->runtime.functions;
    OrtRunOptions* raw = nullptr;
    // Fails only where `new` would, and this function has no other way to say so.
    const Status status = TakeOrtStatus(ort, ort.CreateRunOptions(&raw), StatusCode::kMemory, "");
    if (!status.ok()) throw std::bad_alloc();
    OrtHandle<OrtRunOptions> options(raw, ort.ReleaseRunOptions);
    return std::make_unique<CudaLane>(model_, conversions_, std::move(graphs), std::move(options));
  }

  Status RunLane(CudaLane& lane, const std::vector<Tensor>& inputs, const std::vector<size_t>& outputs,
                 std::vector<Tensor>* results) const {
    PENSTOCK_RETURN_IF_ERROR(CheckInputs(model_->signature, inputs));
    PENSTOCK_RETURN_IF_ERROR(device::StatusOf(model_->gpu->fatal()));
    PENSTOCK_RETURN_IF_ERROR(model_->gpu->Enter());
    PENSTOCK_RETURN_IF_ERROR(RunOnce(lane, inputs, outputs, results));
    if (lane.wants_recording()) Record(lane, inputs);
    return Status::Ok();
  }

  struct Finisher {
    CudaLane& lane;
    ~Finisher() { lane.Finish(); }
  };

  Status RunOnce(CudaLane& lane, const std::vector<Tensor>& inputs, const std::vector<size_t>& outputs,
                 std::vector<Tensor>* results) const {
    const Finisher finisher{lane};
    PENSTOCK_RETURN_IF_ERROR(lane.BindInputs(inputs));
    PENSTOCK_RETURN_IF_ERROR(lane.BindOutputs(outputs));
    PENSTOCK_RETURN_IF_ERROR(RunPermitted(lane));
    return lane.TakeOutputs(input_memory(), results);
  }

  // Runs once more. The results are there already, so whatever goes wrong is nobody's concern; a broken GPU is found by the next run.
  void Record(CudaLane& lane, const std::vector<Tensor>& inputs) const {
    Status status;
    {
      const std::unique_lock<std::shared_mutex> alone(LoadingOrRecording(), std::try_to_lock);
      if (!alone.owns_lock()) return;  // the next run of this size tries again
      const Finisher finisher{lane};
      status = lane.BindRecording(inputs);
      if (status.ok()) status = RunPermitted(lane);
      if (!status.ok() && lane.terminated()) status = Stopped();
    }
    lane.EndRecording(status);
  }

  Status RunPermitted(CudaLane& lane) const {
    if (!model_->permits.Acquire(lane.terminated())) return Stopped();
    struct Releaser {
      RunPermits& permits;
      ~Releaser() { permits.Release(); }
    } const releaser{model_->permits};
    const OrtRuntime& runtime = model_->runtime;
    OrtStatus* const failure = lane.Execute(lane.may_shrink() && shrink_.exchange(false));
    if (failure == nullptr) return Status::Ok();
    const OrtHandle<OrtStatus> owned(failure, runtime.functions.ReleaseStatus);
    const std::string message = "the model failed: " + CleanOrtMessage(runtime.functions.GetErrorMessage(failure), "");
    return ExplainCudaFailure(runtime, *model_->gpu, failure, StatusCode::kModelRun, message);
  }

  const std::shared_ptr<CudaModel> model_;
  const std::shared_ptr<const CudaConversions> conversions_;
  const CudaSessionOptions& options_;  // of model_
  const uint64_t free_before_;  // bytes of the device, before the model was loaded
  mutable std::atomic<bool> shrink_{false};
  mutable std::atomic<uint64_t> used_bytes_{0};
  mutable std::atomic<bool> measured_{false};
};

}  // namespace

Result<std::shared_ptr<Session>> OpenCudaSession(const OrtRuntime& runtime, const SessionOptions& options,
                                                 std::shared_ptr<device::Gpu> gpu) {
  PENSTOCK_RETURN_IF_ERROR(device::StatusOf(gpu->fatal()));
  const Result<device::DeviceMemory> before = gpu->ReadMemory();
  if (!before.ok()) return before.status();
  Result<std::shared_ptr<CudaModel>> model = LoadCudaModel(runtime, options, gpu);
  if (!model.ok()) return model.status();
  Result<std::shared_ptr<const CudaConversions>> kernels =
      PrepareConversions(gpu, options.cuda.kernel_image, InputConversions(model.value()->signature.inputs.size()));
  if (!kernels.ok()) return kernels.status();
  return std::shared_ptr<Session>(
      std::make_shared<CudaSession>(std::move(model).value(), std::move(kernels).value(), before.value().free_bytes));
}

}  // namespace penstock::session
