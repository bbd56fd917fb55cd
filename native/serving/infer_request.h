// A request as every codec produces it: what the client said, decoded but not yet judged.
//
// Names and values are the client's. Meaning (does the model exist, do the shapes fit) is added by the engine.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/data_type.h"
#include "memory/slice.h"
#include "pipeline/job.h"

namespace penstock::serving {

struct Parameter {
  std::string name;
  std::variant<bool, int64_t, uint64_t, double, std::string> value;
};

struct RequestTensor {
  std::string name;
  DataType dtype = DataType::kInvalid;  // never kInvalid in a decoded request
  std::vector<int64_t> shape;           // never negative, element count checked for overflow
  memory::SliceChain data;              // V2 raw format, as the client sent it or as parsed from JSON. Byte size not yet checked
  bool data_is_checked = false;         // true when the codec made `data` itself, so that its size and framing fit dtype and shape
};

enum class OutputForm : uint8_t { kDefault, kJson, kBinary };

struct RequestedOutput {
  std::string name;
  OutputForm form = OutputForm::kDefault;
};

struct InferRequest {
  pipeline::Protocol protocol = pipeline::Protocol::kHttp;
  std::string model_name;
  std::string model_version;            // empty = the model's default version
  std::string id;                       // empty = none
  std::vector<RequestTensor> inputs;
  std::vector<RequestedOutput> outputs; // empty = all, in the model's order
  std::vector<Parameter> parameters;    // custom ones; the reserved ones are taken out below
  bool binary_output = false;           // `binary_data_output`: form of outputs that say nothing themselves
  uint64_t timeout_us = 0;              // `timeout` parameter; 0 = none
  uint64_t priority = 0;                // `priority` parameter; 0 = default
  // Raw binary request (Inference-Header-Content-Length: 0): `inputs` is empty and `raw_body` is the one input's bytes.
  bool is_raw = false;
  memory::SliceChain raw_body;
  // The message was joined from pieces before it was decoded, so that its raw tensors have been copied once already; for the counters.
  bool was_joined = false;
  // Bytes of the client's message that stay in memory for as long as the request, however few of them are tensors; 0 = no more than those.
  uint64_t message_bytes = 0;
};

}  // namespace penstock::serving
