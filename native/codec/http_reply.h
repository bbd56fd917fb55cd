// Writes the answer to POST /v2/models/M/infer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "memory/slice.h"
#include "pipeline/job.h"
#include "serving/reply_plan.h"

namespace penstock::codec {

struct HttpReply {
  // JSON document; when `is_binary`, the value for Inference-Header-Content-Length is json.size().
  std::string json;
  // True when at least one binary output has bytes: Content-Type application/octet-stream.
  bool is_binary = false;
  // Binary outputs in order, uncopied; each keeps its block alive.
  std::vector<memory::Slice> tails;
};

// `outcome.outputs` correspond to `plan.outputs`. Errors: kTensorNotJson (NaN, infinity or BYTES that are not UTF-8 in a JSON output; the
// message names the output and says to ask for binary), kMemory.
Result<HttpReply> EncodeHttpReply(const serving::ReplyPlan& plan, const pipeline::Outcome& outcome);

}  // namespace penstock::codec
