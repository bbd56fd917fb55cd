// Does a decoded request fit a model version? All arithmetic is overflow-safe; messages carry the path of the wrong field.
#pragma once

#include <memory>

#include "base/status.h"
#include "pipeline/job.h"
#include "serving/infer_request.h"
#include "serving/model_version.h"
#include "serving/reply_plan.h"
#include "serving/tensor_data.h"

namespace penstock::serving {

struct CheckedRequest {
  // Token, sink, admission, deadline and pipeline are the engine's to fill in, the rest is filled in.
  std::shared_ptr<pipeline::Job> job;
  ReplyPlan plan;
};

// Shares the slices of `request` without a copy. Errors: kTensorName (missing, unknown or duplicate input; unknown or duplicate output),
// kTensorDtype, kTensorShape, kTensorBatch, kTensorSize, kTensorData (BYTES framing, BOOL other than 0 and 1), kRequestField (the model
// cannot be asked in the raw form), kRequestTooLarge, kMemory.
Result<CheckedRequest> CheckRequest(const ModelVersion& version, InferRequest request);

}  // namespace penstock::serving
