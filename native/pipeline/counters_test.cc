#include "pipeline/counters.h"

#include <gtest/gtest.h>

namespace penstock::pipeline {
namespace {

TEST(Counters, SplitASuccessIntoItsPhases) {
  Counters counters;
  Job job;
  job.rows = 3;
  job.protocol = Protocol::kGrpc;
  job.timing = {1000, 1010, 1030, 1070, 1150};
  counters.RecordSuccess(job);
  const CounterSnapshot values = counters.Snapshot();
  EXPECT_EQ(values.inference_count, 3u);
  EXPECT_EQ(values.execution_count, 0u) << "an execution is counted by batch, not by request";
  EXPECT_GT(values.last_inference_ms, 1'600'000'000'000u) << "wall clock, milliseconds";
  EXPECT_EQ(values.success.ns, 150u);
  EXPECT_EQ(values.queue.ns, 10u);
  EXPECT_EQ(values.compute_input.ns, 20u);
  EXPECT_EQ(values.compute_infer.ns, 40u);
  EXPECT_EQ(values.compute_output.ns, 80u);
  const CounterSnapshot::Latencies& grpc = values.latencies[static_cast<size_t>(Protocol::kGrpc)];
  EXPECT_NEAR(grpc.request_seconds.sum_seconds, 150e-9, 1e-12);
  EXPECT_NEAR(grpc.queue_seconds.sum_seconds, 10e-9, 1e-12);
  EXPECT_NEAR(grpc.compute_seconds.sum_seconds, 140e-9, 1e-12);
  EXPECT_EQ(values.latencies[static_cast<size_t>(Protocol::kHttp)].request_seconds.count, 0u) << "it came over gRPC";
}

TEST(Counters, CountAnExecutionUnderTheRowsOfItsBatch) {
  Counters counters;
  counters.RecordExecution({3, 1000, 1020, 1060, 1140});
  counters.RecordExecution({3, 2000, 2020, 2060, 2140});
  const CounterSnapshot values = counters.Snapshot();
  EXPECT_EQ(values.execution_count, 2u);
  ASSERT_EQ(values.batches.count(3), 1u);
  EXPECT_EQ(values.batches.at(3).compute_input.ns, 40u);
  EXPECT_EQ(values.batches.at(3).compute_infer.count, 2u);
  EXPECT_EQ(values.batches.at(3).compute_infer.ns, 80u);
  EXPECT_EQ(values.batches.at(3).compute_output.ns, 160u);
  EXPECT_EQ(values.inference_count, 0u) << "rows are counted by request";
}

TEST(Counters, GroupLargeBatchSizesSoThatTheirNumberStaysBounded) {
  EXPECT_EQ(BatchSizeLabel(1), 1);
  EXPECT_EQ(BatchSizeLabel(4096), 4096);
  EXPECT_EQ(BatchSizeLabel(4097), 8192);
  EXPECT_EQ(BatchSizeLabel(8192), 8192);
  EXPECT_EQ(BatchSizeLabel(1'000'000), 1 << 20);
  EXPECT_GE(BatchSizeLabel(INT64_MAX), int64_t{1} << 62) << "and ends";
}

TEST(Counters, KeepWhatWasHandedOutApartFromWhatWasCopiedForIt) {
  Counters counters;
  counters.RecordOutput(100, 0);
  counters.RecordOutput(10, 10);
  EXPECT_EQ(counters.Snapshot().output_bytes_handed_out, 110u);
  EXPECT_EQ(counters.Snapshot().output_bytes_copied, 10u);
}

TEST(Counters, CountFailuresByReasonAndLeaveSuccessAlone) {
  Counters counters;
  counters.RecordFailure(FailureReason::kRejected, 5);
  counters.RecordFailure(FailureReason::kBackend, 7);
  const CounterSnapshot values = counters.Snapshot();
  EXPECT_EQ(values.fail.count, 2u);
  EXPECT_EQ(values.fail.ns, 12u);
  EXPECT_EQ(values.failures, (std::array<uint64_t, kFailureReasonCount>{1, 0, 1, 0}));
  EXPECT_EQ(values.success.count, 0u);
}

TEST(Histogram, PutsAValueOnABoundIntoTheBucketOfThatBound) {
  Histogram histogram;
  histogram.Observe(0.0001);
  histogram.Observe(0.00011);
  histogram.Observe(10.0);
  histogram.Observe(11.0);
  EXPECT_EQ(histogram.buckets.front(), 1u);
  EXPECT_EQ(histogram.buckets[1], 1u);
  EXPECT_EQ(histogram.buckets[kLatencyBoundsSeconds.size() - 1], 1u);
  EXPECT_EQ(histogram.buckets.back(), 1u);
  EXPECT_EQ(histogram.count, 4u);
}

}  // namespace
}  // namespace penstock::pipeline
