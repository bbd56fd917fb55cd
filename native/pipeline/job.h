// One accepted request inside a model's engine room, and the way its answer leaves.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "batching/queue_item.h"
#include "memory/slice.h"
#include "session/session.h"

namespace penstock::pipeline {

// How a request came in; a label of the request histogram.
enum class Protocol : uint8_t { kHttp = 0, kGrpc = 1 };
inline constexpr size_t kProtocolCount = 2;

// Moments of a job's life, monotonic nanoseconds; 0 where it never got there.
struct Timing {
  int64_t accepted_ns = 0;
  int64_t dequeued_ns = 0;       // a lane took it
  int64_t input_ready_ns = 0;    // gathered
  int64_t run_end_ns = 0;        // the model has run
  int64_t completed_ns = 0;      // outputs are in place
};

struct Outcome {
  Status status;
  std::vector<session::Tensor> outputs;  // in the order of Job::outputs; empty unless status is OK
  Timing timing;
  bool final = true;                     // ONNX models give one outcome, the final one
};

// Where outcomes go: a JavaScript environment, a warm-up, an ensemble step, a native front end.
class CompletionSink {
 public:
  virtual ~CompletionSink() = default;
  // [any thread] Takes the outcome of the job submitted with `token`. Never blocks and never calls back into the pipeline.
  // Exactly one final outcome arrives for each accepted job.
  virtual void Complete(uint64_t token, Outcome outcome) = 0;
};

struct JobInput {
  DataType dtype = DataType::kInvalid;  // kInvalid: an optional input that the client has left out
  std::vector<int64_t> dims;
  memory::SliceChain data;  // V2 raw format; exactly the bytes that dtype and dims ask for (BYTES: framing already checked)
  // True when the engine made `data` itself: a single aligned slice then runs where it lies. False for bytes of a client's message:
  // their JavaScript environment may end during the run, so they are copied into engine memory first.
  bool in_place = false;
};

// What one job gets out of the run of its batch.
struct JobResult {
  Status status;
  std::vector<session::Tensor> outputs;  // in the order of Job::outputs; empty unless status is OK
};

class Pipeline;

// Owned by the pipeline from Submit's OK until its final outcome; the submitter may keep a weak_ptr to cancel by.
// Its input slices are released as soon as they are gathered, its admission just before the outcome is handed over.
struct Job : batching::QueueItem {
  uint64_t token = 0;
  Protocol protocol = Protocol::kHttp;
  std::shared_ptr<CompletionSink> sink;
  std::vector<JobInput> inputs;   // one per signature input, in order; optional ones at the end may be missing
  std::vector<size_t> outputs;    // indices into the signature's outputs
  // Bytes of the inputs that were copied before a lane saw them (grpc-js joins a message once; rows_apart.h); for the counters.
  uint64_t bytes_copied_before = 0;
  std::shared_ptr<const void> admission;  // given back just before the outcome leaves
  // Where Cancel goes. An aliasing pointer that owns the model version of this pipeline: a version lives as long as it has a job. Lanes
  // drop jobs, so its deleter must pass the version to another thread (serving::Reaper). May be null when somebody else keeps the pipeline.
  std::shared_ptr<Pipeline> pipeline;
  Timing timing;
  std::atomic<bool> cancelled{false};
  // Of its lane: `result` is there, and only others of its batch still run. Here and not in a list beside the batch, which takes memory.
  std::atomic<bool> ended{false};
  JobResult result;
};

}  // namespace penstock::pipeline
