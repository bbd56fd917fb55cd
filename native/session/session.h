// How a model version runs, hidden behind one interface: ONNX Runtime in the server, a fake in tests of the folders above.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/data_type.h"
#include "base/status.h"
#include "device/convert_input.h"
#include "memory/block.h"
#include "memory/slice.h"

namespace penstock::session {

// One input or output as the model file declares it.
struct TensorSpec {
  std::string name;
  DataType dtype = DataType::kInvalid;
  std::vector<int64_t> dims;               // -1 where symbolic or unknown
  std::vector<std::string> symbolic_dims;  // as long as dims; empty text where fixed or nameless
  bool optional = false;                   // inputs: the file has a value for runs that are not given any
};

struct Signature {
  std::vector<TensorSpec> inputs;   // required inputs, in the file's order; after them the optional ones
  std::vector<TensorSpec> outputs;  // in the file's order
  std::map<std::string, std::string> metadata;  // producer, graph name, description, version and custom keys
};

// A tensor in the V2 raw format: little-endian, row-major, no padding; BYTES as uint32 length + bytes per element; BOOL one byte each.
// `bytes` is contiguous. Its start is aligned to memory::BlockPool::kAlignment wherever the engine made it.
struct Tensor {
  DataType dtype = DataType::kInvalid;
  std::vector<int64_t> dims;
  memory::Slice bytes;
  // Only among the inputs of a run, and only where the session takes it (TakesRowsApart): the tensor lies in these pieces, in order, each
  // of whole rows of the first dimension and mapped for GPUs (memory::Slice::device). Rows that they lack are zeros. `bytes` then has the
  // size of all rows, and no data. Empty: `bytes` is all there is.
  std::vector<memory::Slice> rows{};

  // Among the inputs of a run: stands for an optional input that the run goes without.
  bool left_out() const { return dtype == DataType::kInvalid; }
};

// Lets another thread stop a run. One control belongs to one lane at a time.
class RunControl {
 public:
  virtual ~RunControl() = default;
  // [any thread] The run in progress, and any later one until Reset(), ends early with kRequestCancelled.
  virtual void Terminate() = 0;
  // [lane thread, between runs]
  virtual void Reset() = 0;
  // UUID of the GPU that its runs go to, of those in Session::gpus(). May stay empty where those are fewer than two.
  virtual std::string gpu() const { return {}; }
  // [lane thread, between runs] Whether a run with these inputs may take far longer than later ones will: nothing is to be judged by its time.
  virtual bool IsFirstOfItsKind(const std::vector<Tensor>& inputs) const {
    (void)inputs;
    return false;
  }
};

// Memory that a session holds, by where it lies: weights, arena, lanes' buffers.
struct MemoryUse {
  std::string kind;  // as the V2 statistics have it: "CPU", "CPU_PINNED", "GPU"
  std::string gpu_uuid;  // of "GPU"; empty otherwise
  int id = 0;        // the device's index; 0 for the CPU
  uint64_t bytes = 0;
};

// One a signature input; null where it goes in as it comes.
using InputConversions = std::vector<std::shared_ptr<const device::InputConversion>>;

// Shared by all lanes of a model version; weights are in memory once a device. Thread-safe.
class Session {
 public:
  virtual ~Session() = default;

  virtual const Signature& signature() const = 0;

  // Those of a session on several GPUs go round them in turn.
  virtual std::unique_ptr<RunControl> NewRunControl() const = 0;
  // [loader thread, may take as long as loading] The same for a lane that serves, which is worth memory of its own to make it fast.
  virtual std::unique_ptr<RunControl> NewLaneControl() const { return NewRunControl(); }

  // [lane thread] Blocks until the run ends. `inputs` has one tensor per signature input, in order, already checked against dtype and
  // byte size; optional ones at the end may be missing. They stay alive until Run returns. `outputs` are indices into
  // signature().outputs; `results` gets as many tensors in the same order, each owning its bytes. Errors: kRequestCancelled after
  // Terminate(), kMemory, kModelRun. On a GPU also: kGpuMemory (passes), kGpuFault and kGpuLost (do not).
  virtual Status Run(const std::vector<Tensor>& inputs, const std::vector<size_t>& outputs, RunControl& control,
                     std::vector<Tensor>* results) const = 0;

  // Where the inputs of a run are best gathered.
  virtual memory::BlockSource& input_memory() const { return memory::BlockPool::Process(); }

  // Whether a run may get this input of the signature as rows that lie apart.
  virtual bool TakesRowsApart(size_t input) const {
    (void)input;
    return false;
  }

  // How many rows a batch of `rows` should be padded to, at least `rows`: devices re-plan for every new shape.
  virtual int64_t PaddedRows(int64_t rows) const { return rows; }

  // [loader thread] The same loaded model for inputs that come in the types that `conversions` start from, converted where it runs; its
  // signature goes on showing what the model wants. Null where nothing there can do it: then they are converted before each run. All pass
  // CheckConversion. Errors: kGpuMemory, kGpuFault, kGpuLost.
  virtual Result<std::shared_ptr<Session>> ConvertingOnDevice(const InputConversions& conversions) const {
    (void)conversions;
    return std::shared_ptr<Session>();
  }

  // [any thread] Asked for after a run has failed with kGpuMemory: the next run gives back what the arena holds without need.
  virtual void ReleaseSpareMemory() const {}

  // [loader thread, after the warm-up, with all lanes there and idle; may call the driver] Takes stock of the memory that loading and
  // warming up have taken.
  virtual void MeasureMemory() const {}
  // [any thread] What MeasureMemory found; empty before.
  virtual std::vector<MemoryUse> memory_use() const { return {}; }

  // [any thread] For the log, once all lanes are there: what was wished for and is not, and why.
  virtual std::vector<std::string> notes() const { return {}; }

  // UUIDs of the GPUs that it runs on; empty: the CPU.
  virtual std::vector<std::string> gpus() const { return {}; }
};

}  // namespace penstock::session
