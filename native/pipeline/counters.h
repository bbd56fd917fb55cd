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
  uint64_t inference_count = 0;   // rows that ran
  uint64_t execution_count = 0;   // runs of the model
  uint64_t last_inference_ms = 0;  // wall clock, ms since the epoch; 0 = never
  Duration success, fail, queue, compute_input, compute_infer, compute_output;
  std::array<uint64_t, kFailureReasonCount> failures{};
  struct BatchRow {
    Duration compute_input, compute_infer, compute_output;
  };
  std::map<int64_t, BatchRow> batches;  // by batch size; count = executions
  // Of successes, by protocol.
  struct Latencies {
    Histogram request_seconds;  // accepted to completed
    Histogram queue_seconds;    // accepted to dequeued
    Histogram compute_seconds;  // dequeued to completed
  };
  std::array<Latencies, kProtocolCount> latencies;
  uint64_t bytes_received = 0;  // of input tensors
  uint64_t bytes_copied = 0;    // of input tensors, by the gather
};

class Counters {
 public:
  // Of a job whose timing is complete.
  void RecordSuccess(const Job& job);
  // `reason` of a request that was accepted or refused at the queue.
  void RecordFailure(FailureReason reason, int64_t duration_ns);
  void RecordInput(uint64_t bytes_received, uint64_t bytes_copied);
  CounterSnapshot Snapshot() const;

 private:
  mutable std::mutex mutex_;
  CounterSnapshot values_;
};

}  // namespace penstock::pipeline
