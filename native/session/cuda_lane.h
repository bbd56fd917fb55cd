// What one lane of a session on a GPU has to itself: stream, input buffers on the device, binding, and the flag that stops its runs.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "device/stream.h"
#include "memory/block.h"
#include "session/cuda_graphs.h"
#include "session/cuda_inputs.h"
#include "session/cuda_model.h"
#include "session/ort_handle.h"
#include "session/session.h"

namespace penstock::session {

class CudaLane final : public RunControl {
 public:
  // Creates nothing on the device yet: that is done on the lane's own thread. `conversions` and `graphs` may be null.
  CudaLane(std::shared_ptr<CudaModel> model, std::shared_ptr<const CudaConversions> conversions, std::unique_ptr<CudaGraphs> graphs,
           OrtHandle<OrtRunOptions> options);

  // [any thread] Also wakes a lane that waits for a permit.
  void Terminate() override;
  void Reset() override;
  std::string gpu() const override { return model_->gpu->info().uuid; }
  // A session that records is this lane's alone, and nobody has warmed it up.
  bool IsFirstOfItsKind(const std::vector<Tensor>& inputs) const override;
  const std::atomic<bool>& terminated() const { return terminated_; }
  // The arena of the session that all lanes share, and not one with graphs in it.
  bool may_shrink() const { return graphs_ == nullptr; }

  // The steps of a run, in this order, all on the lane's thread. The context is current. Finish() belongs to every run that has begun,
  // whatever became of it: after it nothing of the run's is in use any more.
  // Copies the inputs to the device, or has it read rows that lie apart, converts them there and waits for them; BYTES and empty tensors
  // stay on the CPU. One for which the driver has no memory is left to ONNX Runtime, whose arena may have some to spare, and Execute
  // shrinks that arena then. Errors: kGpuMemory, kGpuFault, kGpuLost, kModelRun.
  Status BindInputs(const std::vector<Tensor>& inputs);
  // Outputs are left on the device, BYTES on the CPU.
  Status BindOutputs(const std::vector<size_t>& outputs);
  // [holding a permit] `shrink`, or an input that found no memory: gives back what the arena holds without need, after the run, where there
  // is such an arena and no graph lies in it. Null, or a failure that the caller takes.
  OrtStatus* Execute(bool shrink);
  // Copies the outputs into blocks of `source` and waits for them. Errors: kMemory, kGpuFault, kGpuLost, kModelRun.
  Status TakeOutputs(memory::BlockSource& source, std::vector<Tensor>* results);
  void Finish();

  // After a run has ended well. Whether a graph is to be made of it: then come the following steps, Execute() before the last and Finish()
  // after it.
  bool wants_recording() const { return draft_ != nullptr; }
  // With the inputs of that run. Errors: those of BindInputs.
  Status BindRecording(const std::vector<Tensor>& inputs);
  // Keeps the graph, or goes on without: for this size, where memory ran out; for all, where the model cannot be recorded.
  void EndRecording(const Status& status);

 private:
  Status Prepare();
  OrtSession* session() const { return graphs_ != nullptr ? graphs_->session() : model_->session->get(); }
  Status BindValue(size_t index, OrtHandle<OrtValue> value);
  void WaitForCopies();
  Status TakeValues(memory::BlockSource& source, std::vector<Tensor>* tensors, std::vector<OrtHandle<OrtValue>>* values);
  Result<Tensor> TakeOutput(OrtHandle<OrtValue>& value, memory::BlockSource& source);
  Status TakeFromGraph(memory::BlockSource& source, std::vector<Tensor>* tensors);
  Status CopyOut(device::DevicePointer from, uint64_t bytes, memory::BlockSource& source, Tensor* tensor);
  Status ReadDraft(const std::vector<OrtHandle<OrtValue>>& values);

  const std::shared_ptr<CudaModel> model_;
  const OrtHandle<OrtRunOptions> options_;
  std::atomic<bool> terminated_{false};
  // The rest belongs to the lane's thread.
  std::unique_ptr<device::Stream> stream_;
  CudaInputs inputs_;
  std::vector<size_t> outputs_;     // asked for of this run
  std::unique_ptr<CudaGraphs> graphs_;  // null: goes without
  OrtHandle<OrtIoBinding> binding_{nullptr, nullptr};  // of session()
  CudaGraph* graph_ = nullptr;          // of this run
  std::unique_ptr<CudaGraph> draft_;    // a graph that this run may become
  bool copying_ = false;  // asked for on the stream and not waited for
};

}  // namespace penstock::session
