// Typed contents of a gRPC input (InferTensorContents) as a tensor in V2 raw format.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "codec/limits.h"
#include "codec/protobuf_reader.h"
#include "serving/infer_request.h"

namespace penstock::codec {

// `input`: at the start of the InferInputTensor that `tensor` (dtype and shape set, `elements` = product of shape) was read from. Reads
// its contents twice, to measure and to fill, so that nothing is allocated before the message is known to hold every element.
// Sets data and data_is_checked. Errors: kRequestProtobuf, kRequestDepth, kTensorDtype (contents of another type), kTensorData (count or
// range of the elements), kRequestTooLarge, kMemory.
Status DecodeContents(const ProtobufReader& input, uint64_t elements, const CodecLimits& limits, serving::RequestTensor* tensor);

// For an input whose data is in raw_input_contents: kRequestField when it has typed contents as well.
Status RefuseContents(const ProtobufReader& input);

}  // namespace penstock::codec
