// Reads the body of POST /v2/models/M/infer: V2 JSON, the binary tensor data extension, or a raw binary request.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "codec/limits.h"
#include "memory/slice.h"
#include "serving/infer_request.h"

namespace penstock::codec {

// `json_bytes`: value of Inference-Header-Content-Length, or -1 when the header is absent (the whole body is JSON); 0 is a raw request.
// model_name and model_version of the result are left empty: they are in the URL, and a `model_name` in the body is ignored.
// JSON `data` is parsed straight into typed memory that the result owns; binary data stays in the body's slices, uncopied.
// Errors: kRequestJson (with the byte offset), kRequestDepth, kRequestField (path, value found, what was expected), kRequestHeader,
// kRequestParameter, kTensorDtype, kTensorShape, kTensorData, kTensorSize, kTensorName, kRequestTooLarge, kMemory.
Result<serving::InferRequest> DecodeHttpInfer(const memory::SliceChain& body, int64_t json_bytes, const CodecLimits& limits);

}  // namespace penstock::codec
