// One loaded version of a model as the engine sees it: its checked interface and its engine room.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/data_type.h"
#include "pipeline/canary.h"
#include "pipeline/pipeline.h"
#include "session/session.h"

namespace penstock::serving {

// One input or output as clients see it. `dims` includes the batch dimension (-1, first) when the version is batched.
struct ApiTensor {
  std::string name;
  DataType dtype = DataType::kInvalid;
  std::vector<int64_t> dims;  // -1 = any
  bool optional = false;      // inputs: clients may leave it out; the session must be able to as well
};

// An input whose requests may differ in one dimension, their length, and share a batch: rows are padded behind to the longest.
struct PaddedInput {
  std::string input;
  int64_t dim = 1;             // the only open one of the input beyond the batch
  std::vector<uint8_t> value;  // the bytes of the element to pad with
};

// An output that is as long as the padded inputs; it is cut back to what each request sent.
struct CutOutput {
  std::string output;
  std::vector<int64_t> dims;  // rising
};

struct VersionSpec {
  std::string model_name;
  int64_t version = 1;
  // 0: not batched, dims are taken as they are. >= 1: the first dim of every tensor is the batch, at most this many rows.
  int64_t max_batch_size = 0;
  std::vector<ApiTensor> inputs;   // any order; names equal the session's
  std::vector<ApiTensor> outputs;  // the order of replies that name no outputs
  // Empty: only requests of equal shapes share a batch.
  std::vector<PaddedInput> padded_inputs;
  std::vector<CutOutput> cut_outputs;
  // `batching.merge` and `batching.lanes` are what is wanted; Create says what became of them. `batching.max_batch_rows`, `pad`, `ragged`,
  // `model`, `run_history` and `run_samples` are Create's to fill in.
  pipeline::PipelineOptions pipeline;
  // Merge only where two different rows run together and apart agree, and pad only where a padded row agrees with itself alone. Needs the
  // warm-up, and so does:
  bool merge_if_rows_are_independent = false;
  // keep lanes beyond the first only where their measured joint speed is at least pipeline::kWorthwhileJointSpeed.
  bool lanes_if_faster = false;
  bool warm_up = false;  // run batches of 1, 2, 4 ... rows before serving
  bool canary = false;   // on GPUs: keep what one of the inputs of the warm-up gave, for later checks
};

// What Create has found out and decided.
struct VersionReport {
  int lanes = 1;
  bool merges = false;
  bool pads = false;  // requests of different length share batches
  std::vector<std::string> notes;  // for the log: why a wish was not granted, or why there was no warm-up
};

// Immutable but for its pipeline, and for what has been told of it. Dropping the last reference must happen where blocking is allowed: whatever
// leaves the thread that created it is wrapped by Reaper::Adopt. weak_from_this() is of the version itself: it outlasts the wrapper until the
// reaper has done.
class ModelVersion : public std::enable_shared_from_this<ModelVersion> {
 public:
  // [thread that may block] Warms up, starts the lanes, and has the session measure its memory. `report` may be null. Errors: kModelConfig
  // when the spec names tensors that the session does not have, misses required inputs, disagrees on dtype, or lacks the batch dimension of
  // a batched version; kModelLoad when the machine has no more threads.
  static Result<std::shared_ptr<ModelVersion>> Create(std::shared_ptr<const session::Session> session, VersionSpec spec,
                                                      VersionReport* report);

  const VersionSpec& spec() const { return spec_; }
  pipeline::Pipeline& pipeline() const { return *pipeline_; }
  // [any thread] For the log: what the session has to say and no call has returned before, the report of Create included.
  std::vector<std::string> TakeNotes();
  // Null on a CPU, and where none was asked for or could be had.
  pipeline::Canary* canary() const { return canary_.get(); }
  // Position in the session's signature of spec().inputs[i] / spec().outputs[i].
  size_t session_input(size_t i) const { return input_index_[i]; }
  size_t session_output(size_t i) const { return output_index_[i]; }
  // How many of the session's inputs a job has: the required ones, and the optional ones up to the last that clients may give.
  size_t job_inputs() const { return job_inputs_; }
  // Positions in the session's signature of the inputs that clients may leave out: only requests that have the same ones share a batch.
  // Empty when nothing shares one.
  const std::vector<size_t>& optional_inputs() const { return optional_inputs_; }
  // Positions in the session's signature of the inputs whose shapes beyond the batch dimension may differ between requests, so that only
  // equal ones share a batch. Empty when nothing shares one. Without those of ragged().
  const std::vector<size_t>& inputs_to_match() const { return inputs_to_match_; }
  // What is padded so that requests of different length share a batch. Null where nothing is.
  const pipeline::Ragged* ragged() const { return spec_.pipeline.ragged.get(); }

 private:
  ModelVersion(VersionSpec spec, std::vector<size_t> inputs, std::vector<size_t> outputs, std::unique_ptr<pipeline::Pipeline> pipeline,
               std::unique_ptr<pipeline::Canary> canary);
  // `input`: position in the session's signature.
  bool IsPadded(size_t input) const;

  VersionSpec spec_;
  size_t job_inputs_ = 0;
  std::vector<size_t> optional_inputs_;
  std::vector<size_t> inputs_to_match_;
  std::vector<size_t> input_index_;
  std::vector<size_t> output_index_;
  std::unique_ptr<pipeline::Pipeline> pipeline_;
  std::unique_ptr<pipeline::Canary> canary_;
  std::mutex told_mutex_;
  std::set<std::string> told_;
};

}  // namespace penstock::serving
