// What a model version has done, counted where it happens and read by the metrics endpoint and the statistics routes.
//
// All counters only grow (perf_analyzer subtracts two snapshots). Writers are lanes and submitters; readers take a snapshot.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "base/status.h"
#include "pipeline/job.h"

namespace penstock::pipeline {

// A count and the time it took in all.
struct Duration {
  uint64_t count = 0;
  uint64_t ns = 0;
};

// Upper bounds in seconds of every latency histogram, ending in +Inf. Fine where models live (100 us to 10 s).
inline constexpr std::array<double, 16> kLatencyBoundsSeconds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                                 0.05,   0.1,     0.25,   0.5,   1.0,    2.5,   5.0,  10.0};

struct Histogram {
  std::array<uint64_t, kLatencyBoundsSeconds.size() + 1> buckets{};  // not cumulative; last = above all bounds
  uint64_t count = 0;
  double sum_seconds = 0;
  void Observe(double seconds);
};

// Why a request failed, as Triton's `reason` label has it.
enum class FailureReason : uint8_t { kRejected = 0, kCanceled = 1, kBackend = 2, kOther = 3 };
inline constexpr size_t kFailureReasonCount = 4;

struct CounterSnapshot {
  uint64_t inference_count = 0;   // rows of successful requests
  uint64_t execution_count = 0;   // runs of the model that gave an answer; a run serves a whole batch
  uint64_t last_inference_ms = 0;  // wall clock, ms since the epoch; 0 = never
  // Of requests. As in Triton each request counts the whole compute time of the batch that it was in.
  Duration success, fail, queue, compute_input, compute_infer, compute_output;
  std::array<uint64_t, kFailureReasonCount> failures{};
  struct BatchRow {
    Duration compute_input, compute_infer, compute_output;
  };
  // Of executions, by BatchSizeLabel(rows of the run); count = executions.
  std::map<int64_t, BatchRow> batches;
  // Of successes, by protocol.
  struct Latencies {
    Histogram request_seconds;  // accepted to completed
    Histogram queue_seconds;    // accepted to dequeued
    Histogram compute_seconds;  // dequeued to completed
  };
  std::array<Latencies, kProtocolCount> latencies;
  uint64_t bytes_received = 0;  // of input tensors
  uint64_t bytes_copied = 0;    // of input tensors, by the gather and before it
  uint64_t output_bytes_handed_out = 0;
  uint64_t output_bytes_copied = 0;
  // Let in, then dropped before their time had run out, because they could not end in time any more: rare while estimates are right.
  uint64_t dropped_at_dispatch = 0;
  uint64_t lane_busy_ns = 0;  // all lanes together, from taking a batch to the end of it
};

// The key under which runs of `rows` rows are counted: `rows` itself up to 4096, the next power of two above, so that a model with a
// million rows a batch does not grow a map of a million sizes.
int64_t BatchSizeLabel(int64_t rows);

// One run of the model that gave an answer.
struct Execution {
  int64_t rows = 0;
  int64_t begin_ns = 0;  // its gather begins
  int64_t input_ready_ns = 0;
  int64_t run_end_ns = 0;
  int64_t end_ns = 0;    // its outputs are split
};

class Counters {
 public:
  // Of a job whose timing is complete.
  void RecordSuccess(const Job& job);
  // `reason` of a request that was accepted or refused at the queue.
  void RecordFailure(FailureReason reason, int64_t duration_ns);
  void RecordExecution(const Execution& execution);
  void RecordInput(uint64_t bytes_received, uint64_t bytes_copied);
  // By whoever passes outputs on to a client.
  void RecordOutput(uint64_t bytes_handed_out, uint64_t bytes_copied);
  void RecordDroppedAtDispatch(uint64_t jobs);
  void RecordLaneBusy(int64_t duration_ns);
  CounterSnapshot Snapshot() const;

 private:
  mutable std::mutex mutex_;
  CounterSnapshot values_;
};

}  // namespace penstock::pipeline
