#include "codec/http_request.h"

#include <memory>
#include <new>
#include <string>
#include <utility>

#include "codec/http_document.h"
#include "codec/request_fields.h"
#include "memory/block.h"

namespace penstock::codec {
namespace {

// Hands each binary input its part of `body`, which starts after the document and must be used up.
Status AttachBinaryData(const memory::SliceChain& body, size_t offset, HttpDocument* document) {
  for (size_t i = 0; i < document->binary_sizes.size(); ++i) {
    if (!document->binary_sizes[i]) continue;
    const uint64_t size = *document->binary_sizes[i];
    const size_t left = body.size() - offset;
    if (size > left) {
      return FieldError(StatusCode::kTensorSize, "inputs[" + std::to_string(i) + "].parameters.binary_data_size", std::to_string(size),
                        "at most " + std::to_string(left) + ", the bytes left in the body after the JSON and the inputs before");
    }
    document->request.inputs[i].data = body.Sub(offset, size);
    offset += size;
  }
  if (offset == body.size()) return Status::Ok();
  return Status(StatusCode::kTensorSize,
                "the body: found " + std::to_string(body.size() - offset) + " bytes after the last binary input, expected none");
}

// The document in one piece. `copy` keeps it alive when it lies across slices.
Result<std::string_view> Contiguous(const memory::SliceChain& json, std::shared_ptr<memory::Block>* copy) {
  if (json.empty()) return std::string_view("", 0);
  const uint8_t* data = json.slices().front().data;
  if (json.slices().size() > 1) {
    auto block = memory::BlockPool::Process().Allocate(json.size());
    if (!block.ok()) return block.status();
    *copy = std::move(block).value();
    json.CopyTo((*copy)->data());
    data = (*copy)->data();
  }
  return std::string_view(reinterpret_cast<const char*>(data), json.size());
}

Result<serving::InferRequest> Decode(const memory::SliceChain& body, int64_t json_bytes, const CodecLimits& limits) {
  if (json_bytes == 0) {
    serving::InferRequest request;
    request.is_raw = true;
    request.raw_body = body;
    return request;
  }
  if (json_bytes < -1 || (json_bytes > 0 && static_cast<uint64_t>(json_bytes) > body.size())) {
    return FieldError(StatusCode::kRequestHeader, "Inference-Header-Content-Length", std::to_string(json_bytes),
                      "0 to " + std::to_string(body.size()) + ", the bytes of the body");
  }
  const size_t json_size = json_bytes < 0 ? body.size() : static_cast<size_t>(json_bytes);
  std::shared_ptr<memory::Block> copy;
  const Result<std::string_view> json = Contiguous(body.Sub(0, json_size), &copy);
  if (!json.ok()) return json.status();
  Result<HttpDocument> document = ReadHttpDocument(json.value(), limits);
  if (!document.ok()) return document.status();
  PENSTOCK_RETURN_IF_ERROR(AttachBinaryData(body, json_size, &document.value()));
  return std::move(document.value().request);
}

}  // namespace

Result<serving::InferRequest> DecodeHttpInfer(const memory::SliceChain& body, int64_t json_bytes, const CodecLimits& limits) {
  try {
    return Decode(body, json_bytes, limits);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kMemory, "no memory left to read the request");
  }
}

}  // namespace penstock::codec
