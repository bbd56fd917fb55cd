// One loaded version of a model as the engine sees it: its checked interface and its engine room.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/data_type.h"
#include "pipeline/pipeline.h"
#include "session/session.h"

namespace penstock::serving {

// One input or output as clients see it. `dims` includes the batch dimension (-1, first) when the version is batched.
struct ApiTensor {
  std::string name;
  DataType dtype = DataType::kInvalid;
  std::vector<int64_t> dims;  // -1 = any
};

struct VersionSpec {
  std::string model_name;
  int64_t version = 1;
  // 0: not batched, dims are taken as they are. >= 1: the first dim of every tensor is the batch, at most this many rows.
  int64_t max_batch_size = 0;
  std::vector<ApiTensor> inputs;   // any order; names equal the session's
  std::vector<ApiTensor> outputs;  // the order of replies that name no outputs
  pipeline::PipelineOptions pipeline;
};

// Immutable but for its pipeline. Dropping the last reference must happen where blocking is allowed: whatever leaves the thread that
// created it is wrapped by Reaper::Adopt. weak_from_this() is of the version itself: it outlasts the wrapper until the reaper has done.
class ModelVersion : public std::enable_shared_from_this<ModelVersion> {
 public:
  // Starts the lanes. Errors: kModelConfig when the spec names tensors that the session does not have, misses required inputs, disagrees on
  // dtype, or lacks the batch dimension of a batched version; kModelLoad when the machine has no more threads.
  static Result<std::shared_ptr<ModelVersion>> Create(std::shared_ptr<const session::Session> session, VersionSpec spec);

  const VersionSpec& spec() const { return spec_; }
  pipeline::Pipeline& pipeline() const { return *pipeline_; }
  // Position in the session's signature of spec().inputs[i] / spec().outputs[i].
  size_t session_input(size_t i) const { return input_index_[i]; }
  size_t session_output(size_t i) const { return output_index_[i]; }

 private:
  ModelVersion(VersionSpec spec, std::vector<size_t> inputs, std::vector<size_t> outputs, std::unique_ptr<pipeline::Pipeline> pipeline);
  VersionSpec spec_;
  std::vector<size_t> input_index_;
  std::vector<size_t> output_index_;
  std::unique_ptr<pipeline::Pipeline> pipeline_;
};

}  // namespace penstock::serving
