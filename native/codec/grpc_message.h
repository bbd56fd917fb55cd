// ModelInferRequest and ModelInferResponse of the `inference` protobuf package, read and written by hand.
//
// Field numbers: reference of the protocol in proto/grpc_service.proto.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "codec/limits.h"
#include "memory/slice.h"
#include "pipeline/job.h"
#include "serving/infer_request.h"
#include "serving/reply_plan.h"

namespace penstock::codec {

// Raw input contents stay in the message's slice, uncopied; typed contents become typed memory that the result owns.
// Errors: kRequestProtobuf (byte offset), kRequestDepth, kRequestField, kRequestParameter, kTensorDtype, kTensorShape, kTensorData, kTensorSize,
// kTensorName, kRequestTooLarge, kMemory.
Result<serving::InferRequest> DecodeModelInferRequest(const memory::Slice& message, const CodecLimits& limits);

// The same for a message in pieces, as a socket gave them: raw input contents are ranges of its slices, everything else, which is small unless
// it is typed contents, is joined once. Byte offsets of complaints are those of the whole message.
Result<serving::InferRequest> DecodeModelInferRequest(const memory::SliceChain& message, const CodecLimits& limits);

// A response in two steps, so that the caller owns the buffer: Make says the size, WriteTo fills exactly that many bytes.
// The plan and the outcome must stay alive until WriteTo has returned. Answers always carry raw_output_contents.
class ModelInferReply {
 public:
  // Errors: kRequestTooLarge when the message would pass 2 GiB - 1 (protobuf's and Triton's limit).
  static Result<ModelInferReply> Make(const serving::ReplyPlan& plan, const pipeline::Outcome& outcome);
  size_t size() const { return size_; }
  void WriteTo(uint8_t* destination) const;
  // The same bytes with the outputs uncopied: they share the owners of the outcome's, so that the plan and the outcome may go. kMemory.
  Result<memory::SliceChain> Slices() const;

 private:
  std::string head_;  // everything before the raw contents
  const pipeline::Outcome* outcome_ = nullptr;
  size_t size_ = 0;
};

}  // namespace penstock::codec
