// How a model version runs, hidden behind one interface: ONNX Runtime in the server, a fake in tests of the folders above.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/data_type.h"
#include "base/status.h"
#include "memory/slice.h"

namespace penstock::session {

// One input or output as the model file declares it.
struct TensorSpec {
  std::string name;
  DataType dtype = DataType::kInvalid;
  std::vector<int64_t> dims;               // -1 where symbolic or unknown
  std::vector<std::string> symbolic_dims;  // as long as dims; empty text where fixed or nameless
};

struct Signature {
  std::vector<TensorSpec> inputs;   // required inputs, in the file's order
  std::vector<TensorSpec> outputs;  // in the file's order
  std::map<std::string, std::string> metadata;  // producer, graph name, description, version and custom keys
};

// A tensor in the V2 raw format: little-endian, row-major, no padding; BYTES as uint32 length + bytes per element; BOOL one byte each.
// `bytes` is contiguous. Its start is aligned to memory::BlockPool::kAlignment wherever the engine made it.
struct Tensor {
  DataType dtype = DataType::kInvalid;
  std::vector<int64_t> dims;
  memory::Slice bytes;
};

// Lets another thread stop a run. One control belongs to one lane at a time.
class RunControl {
 public:
  virtual ~RunControl() = default;
  // [any thread] The run in progress, and any later one until Reset(), ends early with kRequestCancelled.
  virtual void Terminate() = 0;
  // [lane thread, between runs]
  virtual void Reset() = 0;
};

// Shared by all lanes of a model version; weights are in memory once. Thread-safe.
class Session {
 public:
  virtual ~Session() = default;

  virtual const Signature& signature() const = 0;

  virtual std::unique_ptr<RunControl> NewRunControl() const = 0;

  // [lane thread] Blocks until the run ends. `inputs` has one tensor per signature input, in order, already checked against dtype and
  // byte size; they stay alive until Run returns. `outputs` are indices into signature().outputs; `results` gets as many tensors in
  // the same order, each owning its bytes. Errors: kRequestCancelled after Terminate(), kMemory, kModelRun.
  virtual Status Run(const std::vector<Tensor>& inputs, const std::vector<size_t>& outputs, RunControl& control,
                     std::vector<Tensor>* results) const = 0;
};

}  // namespace penstock::session
