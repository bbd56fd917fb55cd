// CUDA graphs of one lane: a run of a batch size is recorded once and then started as one piece, instead of kernel by kernel.
//
// What ONNX Runtime asks for (onnxruntime.ai, CUDA execution provider, "Using CUDA Graphs"; onnxruntime_run_options_config_keys.h,
// "gpu_graph_id"; onnxruntime/core/providers/cuda/cuda_graph.cc): every node on the GPU and no control flow, or it refuses the session; the
// same addresses and shapes of inputs and outputs for every run of a graph, which it does not check; and one thread, because graphs belong
// to the session's context of the thread that has recorded them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "device/stream.h"
#include "session/cuda_model.h"
#include "session/ort_handle.h"
#include "session/session.h"

namespace penstock::session {

// Run option of a session that records: which graph a run belongs to.
inline constexpr char kGraphIdKey[] = "gpu_graph_id";
inline constexpr char kNoGraph[] = "-1";

// What an output is like, without its bytes.
struct OutputShape {
  DataType dtype = DataType::kInvalid;
  std::vector<int64_t> dims;
  uint64_t bytes = 0;
};

// One graph, with the buffers that it reads and writes. All on the thread of its lane.
struct CudaGraph {
  int64_t rows = 0;
  std::string id;
  std::vector<std::vector<int64_t>> input_dims;
  std::vector<OutputShape> output_shapes;      // one a signature output
  std::vector<device::DeviceBuffer> inputs;    // one a signature input, and they never move
  std::vector<device::DeviceBuffer> outputs;   // one a signature output
  OrtHandle<OrtIoBinding> binding{nullptr, nullptr};  // goes before the buffers
};

// A session of its own, so its weights are in memory once more.
class CudaGraphs {
 public:
  // [loader thread] Finds out whether lanes of `model` can have graphs, keeps what it made for the first of them, or a note that says why
  // they go without. Errors: kModelConfig with ONNX Runtime's reason where it refuses the model, kGpuFault, kGpuLost.
  static Status TryOn(CudaModel* model);
  // [loader thread, blocks for as long as loading takes] For one more lane; null, with a note, where it goes without.
  static std::unique_ptr<CudaGraphs> ForLane(CudaModel* model);

  explicit CudaGraphs(std::unique_ptr<CudaOrtSession> session) : session_(std::move(session)) {}

  OrtSession* session() const { return session_->get(); }

  // The following on the lane's thread. The graph of a run with these inputs; null where there is none.
  CudaGraph* Find(const std::vector<Tensor>& inputs) const;
  // Whether one is to be made of a run with these inputs, for which there is none.
  bool Wants(const std::vector<Tensor>& inputs, const Signature& signature) const;
  // It; null where none is wanted.
  std::unique_ptr<CudaGraph> Begin(const std::vector<Tensor>& inputs, const Signature& signature);
  // Makes buffers and binding of a graph whose output shapes are known. Errors: kGpuMemory, kGpuFault, kGpuLost, kModelRun.
  Status Bind(const CudaModel& model, CudaGraph* graph) const;
  // It has been recorded.
  void Add(std::unique_ptr<CudaGraph> graph) { graphs_.push_back(std::move(graph)); }
  // Nothing is tried again for this many rows.
  void GoWithout(int64_t rows) { without_.push_back(rows); }

 private:
  const std::unique_ptr<CudaOrtSession> session_;
  std::vector<std::unique_ptr<CudaGraph>> graphs_;  // one a number of rows
  std::vector<int64_t> without_;
  int64_t next_id_ = 1;  // 0 is ONNX Runtime's own. Never used twice: one that has failed may be there in part.
};

// Whether the output of a run with so many rows can only ever have these dims.
bool IsFixed(const Signature& signature, const TensorSpec& output, int64_t rows, const std::vector<int64_t>& dims);

}  // namespace penstock::session
