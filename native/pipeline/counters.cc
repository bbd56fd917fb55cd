#include "pipeline/counters.h"

#include <algorithm>
#include <chrono>

namespace penstock::pipeline {
namespace {

uint64_t SpanNs(int64_t from_ns, int64_t to_ns) { return to_ns > from_ns ? static_cast<uint64_t>(to_ns - from_ns) : 0; }

double Seconds(uint64_t ns) { return static_cast<double>(ns) * 1e-9; }

void Add(Duration* duration, uint64_t ns) {
  duration->count += 1;
  duration->ns += ns;
}

uint64_t WallClockMs() {
  using std::chrono::milliseconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<milliseconds>(now).count());
}

constexpr int64_t kExactBatchSizes = 4096;

}  // namespace

int64_t BatchSizeLabel(int64_t rows) {
  if (rows <= kExactBatchSizes) return rows;
  int64_t label = kExactBatchSizes;
  while (label < rows && label <= INT64_MAX / 2) label *= 2;
  return label;
}

void Histogram::Observe(double seconds) {
  const auto bound = std::lower_bound(kLatencyBoundsSeconds.begin(), kLatencyBoundsSeconds.end(), seconds);
  buckets[static_cast<size_t>(bound - kLatencyBoundsSeconds.begin())] += 1;
  count += 1;
  sum_seconds += seconds;
}

void Counters::RecordSuccess(const Job& job) {
  const Timing& timing = job.timing;
  const uint64_t total = SpanNs(timing.accepted_ns, timing.completed_ns);
  const uint64_t queued = SpanNs(timing.accepted_ns, timing.dequeued_ns);
  const uint64_t input = SpanNs(timing.dequeued_ns, timing.input_ready_ns);
  const uint64_t infer = SpanNs(timing.input_ready_ns, timing.run_end_ns);
  const uint64_t output = SpanNs(timing.run_end_ns, timing.completed_ns);
  const uint64_t now_ms = WallClockMs();

  const std::lock_guard<std::mutex> lock(mutex_);
  values_.inference_count += static_cast<uint64_t>(job.rows);
  values_.last_inference_ms = std::max(values_.last_inference_ms, now_ms);
  Add(&values_.success, total);
  Add(&values_.queue, queued);
  Add(&values_.compute_input, input);
  Add(&values_.compute_infer, infer);
  Add(&values_.compute_output, output);
  CounterSnapshot::Latencies& latencies = values_.latencies[static_cast<size_t>(job.protocol)];
  latencies.request_seconds.Observe(Seconds(total));
  latencies.queue_seconds.Observe(Seconds(queued));
  latencies.compute_seconds.Observe(Seconds(SpanNs(timing.dequeued_ns, timing.completed_ns)));
}

void Counters::RecordFailure(FailureReason reason, int64_t duration_ns) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Add(&values_.fail, SpanNs(0, duration_ns));
  values_.failures[static_cast<size_t>(reason)] += 1;
}

void Counters::RecordExecution(const Execution& execution) {
  const std::lock_guard<std::mutex> lock(mutex_);
  values_.execution_count += 1;
  CounterSnapshot::BatchRow& batch = values_.batches[BatchSizeLabel(execution.rows)];
  Add(&batch.compute_input, SpanNs(execution.begin_ns, execution.input_ready_ns));
  Add(&batch.compute_infer, SpanNs(execution.input_ready_ns, execution.run_end_ns));
  Add(&batch.compute_output, SpanNs(execution.run_end_ns, execution.end_ns));
}

void Counters::RecordInput(uint64_t bytes_received, uint64_t bytes_copied) {
  const std::lock_guard<std::mutex> lock(mutex_);
  values_.bytes_received += bytes_received;
  values_.bytes_copied += bytes_copied;
}

void Counters::RecordOutput(uint64_t bytes_handed_out, uint64_t bytes_copied) {
  const std::lock_guard<std::mutex> lock(mutex_);
  values_.output_bytes_handed_out += bytes_handed_out;
  values_.output_bytes_copied += bytes_copied;
}

void Counters::RecordDroppedAtDispatch(uint64_t jobs) {
  const std::lock_guard<std::mutex> lock(mutex_);
  values_.dropped_at_dispatch += jobs;
}

void Counters::RecordLaneBusy(int64_t duration_ns) {
  const std::lock_guard<std::mutex> lock(mutex_);
  values_.lane_busy_ns += SpanNs(0, duration_ns);
}

CounterSnapshot Counters::Snapshot() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return values_;
}

}  // namespace penstock::pipeline
