// A pipeline over a fake session, for tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "pipeline/fake_sink.h"
#include "pipeline/job_maker.h"
#include "pipeline/pipeline.h"
#include "session/fake_session.h"

namespace penstock::pipeline {

class PipelineTest : public ::testing::Test {
 protected:
  void Start(int lanes = 1, batching::QueueOptions queue = {}) {
    PipelineOptions options;
    options.batching.lanes = lanes;
    options.batching.queue = std::move(queue);
    Start(options);
  }
  void Start(const PipelineOptions& options) { pipeline_ = std::make_unique<Pipeline>(session_, options); }
  static PipelineOptions Merging(int64_t max_batch_rows, int lanes = 1) {
    PipelineOptions options;
    options.batching.merge = true;
    options.batching.max_batch_rows = max_batch_rows;
    options.batching.lanes = lanes;
    return options;
  }

  // One FP32 [1,n] input in pieces of these many floats each.
  static std::shared_ptr<Job> MakeJob(uint64_t token, std::shared_ptr<CompletionSink> sink, const std::vector<size_t>& pieces = {4}) {
    auto job = std::make_shared<Job>();
    job->token = token;
    job->sink = std::move(sink);
    JobInput input{DataType::kFp32, {}, {}, false};
    float next = 1;
    for (const size_t floats : pieces) {
      auto owner = std::make_shared<std::vector<float>>(floats);
      for (float& value : *owner) value = next++;
      input.data.Append({reinterpret_cast<const uint8_t*>(owner->data()), floats * sizeof(float), memory::MemoryKind::kPageable, owner});
    }
    job->bytes = input.data.size();
    input.dims = {1, static_cast<int64_t>(job->bytes / sizeof(float))};
    job->inputs.push_back(std::move(input));
    job->outputs = {0};
    return job;
  }

  // Starts one lane that merges, and occupies it with job 1 behind the shut gate.
  void OccupyTheOnlyLane(PipelineOptions options = Merging(8)) {
    session_->ShutGate();
    Start(options);
    Submit(1);
    session_->WaitForStarted(1);
  }

  // One row with this content.
  std::shared_ptr<Job> SubmitValue(uint64_t token, float value) { return SubmitJob(token, FloatJob(1, {{value, value}})); }

  std::shared_ptr<Job> SubmitJob(uint64_t token, std::shared_ptr<Job> job) {
    job->token = token;
    job->sink = sink_;
    std::shared_ptr<Job> kept = job;
    EXPECT_TRUE(pipeline_->Submit(&job).ok());
    return kept;
  }

  // Starts one lane that merges, and lets one batch of these jobs (one row each, holding its token) wait behind the shut gate.
  std::vector<std::shared_ptr<Job>> HoldABatchAtTheGate(const std::vector<uint64_t>& tokens) {
    session_->ShutGate();
    Start(Merging(8));
    const auto first = Submit(1);
    session_->WaitForStarted(1);
    std::vector<std::shared_ptr<Job>> jobs;
    for (const uint64_t token : tokens) jobs.push_back(SubmitValue(token, static_cast<float>(token)));
    pipeline_->Cancel(first);
    session_->WaitForStarted(2);
    EXPECT_EQ(session_->rows_per_run().back(), static_cast<int64_t>(tokens.size()));
    return jobs;
  }

  // Returns the job for Cancel.
  std::shared_ptr<Job> Submit(uint64_t token, int64_t deadline_ns = 0) {
    std::shared_ptr<Job> job = MakeJob(token, sink_);
    job->deadline_ns = deadline_ns;
    std::shared_ptr<Job> kept = job;
    EXPECT_TRUE(pipeline_->Submit(&job).ok());
    EXPECT_EQ(job, nullptr);
    return kept;
  }

  CounterSnapshot Counts() const { return pipeline_->counters().Snapshot(); }
  uint64_t Failures(FailureReason reason) const { return Counts().failures[static_cast<size_t>(reason)]; }

  std::shared_ptr<session::FakeSession> session_ = session::FakeSession::WithOneInput();
  std::shared_ptr<FakeSink> sink_ = std::make_shared<FakeSink>();
  std::unique_ptr<Pipeline> pipeline_;
};

}  // namespace penstock::pipeline
