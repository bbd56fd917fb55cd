// The raw binary form of a request: a body that is one input's bytes and nothing else.
#pragma once

#include "base/status.h"
#include "serving/infer_request.h"
#include "serving/model_version.h"

namespace penstock::serving {

// Turns `raw_body` into the model's one input, so that the checks of every request apply to it: batch 1 where the version is batched, at
// most one variable dim deduced from the byte count; a BYTES body is one element, whose length goes in front of it. All outputs are binary.
// Errors: kRequestField (the model cannot be asked this way), kTensorSize (no whole number of elements), kRequestTooLarge, kMemory.
Status NameRawInput(const VersionSpec& spec, InferRequest* request);

}  // namespace penstock::serving
