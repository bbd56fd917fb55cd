// A plain ModelInfer: one message in, one run of the engine, one message out, as src/frontend/grpc/{infer,unary,status}.ts answer it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/error_reply.h"
#include "frontend/grpc_message_reader.h"
#include "frontend/grpc_stream.h"
#include "frontend/infer_calls.h"
#include "frontend/request_decompression.h"
#include "transport/event_loop.h"

namespace penstock::frontend {

inline constexpr const char* kModelInferPath = "/inference.GRPCInferenceService/ModelInfer";

// [loop thread]
class GrpcInferStream : public GrpcStream, private InferWaiter {
 public:
  // As MakeGrpcInferStream.
  GrpcInferStream(std::shared_ptr<GrpcShared> shared, GrpcAnswer* answer, const PlainInfer& infer);

  void OnData(memory::Slice bytes) override;
  void OnEnd() override;
  void OnTaken(size_t bytes) override;
  void OnClosed(uint32_t error) override;

 private:
  void OnOutcome(uint64_t token, InferOutcome outcome) override;
  // The message, if it is whole and compressed.
  void BeginDecompression();
  void Decompress();
  bool IsDecompressing() const { return decompression_ != nullptr && !is_decompressed_; }
  // Whole, as it is meant, and the client's side has ended.
  void EndMessage();
  void Submit(memory::SliceChain message);
  void DropMessage();
  void RefuseSecond();
  Status Reply(const InferOutcome& outcome);
  void Abandon();
  void OnTimer();
  // The client must take something of its answer before long.
  void AwaitTaking();
  bool HasDeadlinePassed() const;
  void Fail(const Status& status);
  // A status without a message. `retry_delay_ms`: 0 = says nothing about a retry.
  void SendStatus(int grpc_status, const std::string& message, double retry_delay_ms = 0);
  void LogEnded(const char* status, uint64_t bytes_out);
  void LogFailed(const Status& status, const ErrorReply& reply);
  std::string_view DateText() const;
  HeaderField Date() const;
  const std::vector<HeaderField>& AnswerHead() const;

  const std::shared_ptr<GrpcShared> shared_;
  Loop& loop_;
  GrpcAnswer* const answer_;
  const int64_t started_ns_;
  int64_t deadline_ns_ = 0;  // 0 = none
  // What ends the call next: the message that does not come, then the deadline, then the answer that is not taken.
  transport::Timer timer_;
  GrpcMessageReader reader_;
  const AnswerEncoding encoding_;
  std::unique_ptr<RequestDecompression> decompression_;  // from the message until the call has it
  bool is_decompressed_ = false;
  bool has_second_ = false;  // it is refused when the first has been read: that may be wrong itself
  bool has_ended_ = false;   // the client's side
  uint64_t message_bytes_ = 0;
  uint64_t token_ = 0;       // of the call that the engine works on; 0 = none
  bool is_answered_ = false;
  std::string request_id_;
  memory::Owner charge_;     // the answer's bytes, until the client has them
};

}  // namespace penstock::frontend
