#include "session/cuda_graphs.h"

#include <algorithm>
#include <utility>

#include "base/checked_math.h"
#include "session/ort_tensor.h"

namespace penstock::session {
namespace {

constexpr const char* kField = "optimization.cuda.graphs";
// Rows 1, 2, 4 ... 2^14, and one size that is no power of two. Clients must not be able to fill the device with buffers.
constexpr size_t kMostGraphs = 16;

std::string Without(const std::string& why) { return std::string(kField) + ": runs without CUDA graphs: " + why; }

int64_t RowsOf(const std::vector<Tensor>& inputs) { return inputs.front().dims.front(); }

bool IsNamedByAnInput(const Signature& signature, const std::string& dim) {
  return !dim.empty() && std::any_of(signature.inputs.begin(), signature.inputs.end(), [&dim](const TensorSpec& input) {
    return std::find(input.symbolic_dims.begin(), input.symbolic_dims.end(), dim) != input.symbolic_dims.end();
  });
}

// What a graph would get wrong without anybody noticing; empty where there is nothing.
std::string WhyNot(const Signature& signature) {
  if (signature.inputs.empty()) return "the model has no input";
  for (const TensorSpec& input : signature.inputs) {
    const std::string name = "input \"" + input.name + "\"";
    if (input.dtype == DataType::kBytes) return name + " is text";
    // Shapes, axes, limits: what operators read on the host, where a graph would go on using the values that it was recorded with.
    if (input.dims.size() < 2) return name + " has fewer than two dimensions, as values have that the host reads";
  }
  for (const TensorSpec& output : signature.outputs) {
    const std::string name = "output \"" + output.name + "\"";
    if (output.dtype == DataType::kBytes) return name + " is text";
    for (size_t i = 1; i < output.dims.size(); ++i) {
      if (output.dims[i] >= 0 || IsNamedByAnInput(signature, output.symbolic_dims[i])) continue;
      return "dimension " + std::to_string(i) + " of " + name + " is neither fixed nor that of an input, so it may depend on the data";
    }
  }
  return {};
}

// A session that records. Errors: kModelConfig where ONNX Runtime refuses to make one of a model that it has loaded without.
Result<std::unique_ptr<CudaGraphs>> Make(const CudaModel& model) {
  Result<std::unique_ptr<CudaOrtSession>> session = CudaOrtSession::Load(model.runtime, model.options, model.gpu, true);
  if (session.ok()) return std::make_unique<CudaGraphs>(std::move(session).value());
  const Status& status = session.status();
  if (status.code() != StatusCode::kModelLoad) return status;
  return Status(StatusCode::kModelConfig,
                std::string(kField) + ": found true, expected false, as the model cannot run as a CUDA graph: " + status.message());
}

}  // namespace

Status CudaGraphs::TryOn(CudaModel* model) {
  if (const std::string why = WhyNot(model->signature); !why.empty()) {
    model->Note(Without(why));
    return Status::Ok();
  }
  Result<std::unique_ptr<CudaGraphs>> graphs = Make(*model);
  if (graphs.ok()) {
    model->records.store(true);
    model->first_graphs = std::move(graphs).value();
    return Status::Ok();
  }
  if (graphs.status().code() != StatusCode::kGpuMemory) return graphs.status();
  model->Note(Without(graphs.status().message()));
  return Status::Ok();
}

std::unique_ptr<CudaGraphs> CudaGraphs::ForLane(CudaModel* model) {
  if (!model->records.load()) return nullptr;
  {
    const std::lock_guard<std::mutex> lock(model->mutex);
    if (model->first_graphs != nullptr) return std::move(model->first_graphs);
  }
  Result<std::unique_ptr<CudaGraphs>> graphs = Make(*model);
  if (graphs.ok()) return std::move(graphs).value();
  model->Note(Without("a lane found no session of its own: " + graphs.status().message()));
  return nullptr;
}

CudaGraph* CudaGraphs::Find(const std::vector<Tensor>& inputs) const {
  for (const std::unique_ptr<CudaGraph>& graph : graphs_) {
    if (inputs.size() != graph->input_dims.size()) continue;
    bool same = true;
    for (size_t i = 0; same && i < inputs.size(); ++i) same = !inputs[i].left_out() && inputs[i].dims == graph->input_dims[i];
    if (same) return graph.get();
  }
  return nullptr;
}

bool CudaGraphs::Wants(const std::vector<Tensor>& inputs, const Signature& signature) const {
  if (inputs.size() != signature.inputs.size() || graphs_.size() + without_.size() >= kMostGraphs) return false;
  const auto is_empty = [](const Tensor& input) { return input.left_out() || input.bytes.size == 0 || input.dims.empty(); };
  if (std::any_of(inputs.begin(), inputs.end(), is_empty)) return false;
  const int64_t rows = RowsOf(inputs);
  if (std::find(without_.begin(), without_.end(), rows) != without_.end()) return false;
  return std::none_of(graphs_.begin(), graphs_.end(), [rows](const std::unique_ptr<CudaGraph>& graph) { return graph->rows == rows; });
}

std::unique_ptr<CudaGraph> CudaGraphs::Begin(const std::vector<Tensor>& inputs, const Signature& signature) {
  if (!Wants(inputs, signature)) return nullptr;
  auto graph = std::make_unique<CudaGraph>();
  graph->rows = RowsOf(inputs);
  graph->id = std::to_string(next_id_++);
  for (const Tensor& input : inputs) graph->input_dims.push_back(input.dims);
  return graph;
}

Status CudaGraphs::Bind(const CudaModel& model, CudaGraph* graph) const {
  const OrtFunctions& ort = model.runtime.functions;
  OrtIoBinding* raw = nullptr;
  PENSTOCK_RETURN_IF_ERROR(CheckBinding(model, ort.CreateIoBinding(session_->get(), &raw)));
  graph->binding = OrtHandle<OrtIoBinding>(raw, ort.ReleaseIoBinding);
  // A value over a new buffer; the binding keeps a reference of its own to what it holds.
  const auto bind = [&](auto* function, const TensorSpec& spec, DataType dtype, const std::vector<int64_t>& dims, uint64_t bytes,
                        std::vector<device::DeviceBuffer>* buffers) {
    Result<device::DeviceBuffer> buffer = device::DeviceBuffer::Allocate(model.gpu, bytes);
    if (!buffer.ok()) return buffer.status();
    buffers->push_back(std::move(buffer).value());
    OrtValue* value = nullptr;
    PENSTOCK_RETURN_IF_ERROR(CheckBinding(
        model, ort.CreateTensorWithDataAsOrtValue(model.device_memory.get(), reinterpret_cast<void*>(buffers->back().data()), bytes,
                                                  dims.data(), dims.size(), ElementTypeOf(dtype), &value)));
    const OrtHandle<OrtValue> owned(value, ort.ReleaseValue);
    return CheckBinding(model, function(raw, spec.name.c_str(), value));
  };
  for (size_t i = 0; i < graph->input_dims.size(); ++i) {
    const TensorSpec& spec = model.signature.inputs[i];
    uint64_t elements = 0;
    uint64_t bytes = 0;
    if (!ElementCount(graph->input_dims[i], &elements) || !CheckedMul(elements, DataTypeSize(spec.dtype), &bytes)) {
      return Status(StatusCode::kGpuMemory, "the size of an input overflows");
    }
    PENSTOCK_RETURN_IF_ERROR(bind(ort.BindInput, spec, spec.dtype, graph->input_dims[i], bytes, &graph->inputs));
  }
  for (size_t i = 0; i < graph->output_shapes.size(); ++i) {
    const OutputShape& shape = graph->output_shapes[i];
    PENSTOCK_RETURN_IF_ERROR(bind(ort.BindOutput, model.signature.outputs[i], shape.dtype, shape.dims, shape.bytes, &graph->outputs));
  }
  return Status::Ok();
}

bool IsFixed(const Signature& signature, const TensorSpec& output, int64_t rows, const std::vector<int64_t>& dims) {
  if (dims.size() != output.dims.size()) return false;
  if (dims.empty() || output.dims[0] >= 0 || IsNamedByAnInput(signature, output.symbolic_dims[0])) return true;
  // Exporters often leave the batch of outputs without a name.
  return dims[0] == rows;
}

}  // namespace penstock::session
