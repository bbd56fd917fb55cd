// The JSON document of an infer request, before its binary tensors are looked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "codec/limits.h"
#include "serving/infer_request.h"

namespace penstock::codec {

struct HttpDocument {
  serving::InferRequest request;
  // For each input, the value of its `binary_data_size`: its bytes follow the document. None when its data was in the JSON.
  std::vector<std::optional<uint64_t>> binary_sizes;
};

// Errors as DecodeHttpInfer's, but for kRequestHeader.
Result<HttpDocument> ReadHttpDocument(std::string_view json, const CodecLimits& limits);

}  // namespace penstock::codec
