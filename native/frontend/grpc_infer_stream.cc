#include "frontend/grpc_infer_stream.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "codec/grpc_message.h"
#include "frontend/grpc_text.h"

namespace penstock::frontend {
namespace {

constexpr uint64_t kMostMessageBytes = std::numeric_limits<int32_t>::max();  // as src/frontend/grpc/listener.ts has it

constexpr int kOk = 0;
constexpr int kDeadlineExceeded = 4;
constexpr int kResourceExhausted = 8;
constexpr int kUnimplemented = 12;
constexpr int kInternal = 13;

uint64_t MostBytes(const FrontEndOptions& options) {
  return options.max_request_bytes == 0 ? kMostMessageBytes : std::min(options.max_request_bytes, kMostMessageBytes);
}

memory::Slice Prefix(uint32_t bytes) {
  const std::array<uint8_t, 5> head = {0, static_cast<uint8_t>(bytes >> 24), static_cast<uint8_t>(bytes >> 16),
                                       static_cast<uint8_t>(bytes >> 8), static_cast<uint8_t>(bytes)};
  const auto prefix = std::make_shared<const std::array<uint8_t, 5>>(head);
  return memory::Slice{prefix->data(), prefix->size(), memory::MemoryKind::kPageable, prefix};
}

}  // namespace

GrpcInferStream::GrpcInferStream(std::shared_ptr<GrpcShared> shared, GrpcAnswer* answer, const PlainInfer& infer)
    : shared_(std::move(shared)),
      loop_(*shared_->loop),
      answer_(answer),
      started_ns_(MonotonicNs()),
      timer_(&loop_.events_loop(), [this] { OnTimer(); }),
      reader_(shared_, MostBytes(loop_.options())),
      encoding_(infer.encoding) {
  if (infer.timeout_ns > 0 && __builtin_add_overflow(started_ns_, infer.timeout_ns, &deadline_ns_)) deadline_ns_ = kNever;
  // A message that does not come whole would keep its part of the loop's budget for ever.
  const int64_t limit_ns = loop_.options().request_timeout_ns;
  const int64_t whole_by_ns = limit_ns > 0 ? started_ns_ + limit_ns : kNever;
  const int64_t first_ns = deadline_ns_ > 0 ? std::min(deadline_ns_, whole_by_ns) : whole_by_ns;
  if (first_ns != kNever) timer_.SetAt(first_ns);
}

void GrpcInferStream::OnData(memory::Slice bytes) {
  // The memory is bounded by the loop's budget and not by windows, so that no call waits for another.
  answer_->Consumed(bytes.size);
  if (is_answered_ || has_second_) return;
  switch (reader_.Take(bytes)) {
    case GrpcMessageReader::Read::kOk:
      return BeginDecompression();
    case GrpcMessageReader::Read::kTooLarge:
      return SendStatus(kResourceExhausted, "Received message larger than max (" + std::to_string(reader_.size()) + " vs " +
                                                std::to_string(MostBytes(loop_.options())) + ")");
    case GrpcMessageReader::Read::kSecond:
      has_second_ = true;
      BeginDecompression();
      if (!IsDecompressing() && !is_answered_) RefuseSecond();
      return;
    case GrpcMessageReader::Read::kNoBudget:
      return Fail(loop_.budget().Full());
    case GrpcMessageReader::Read::kNoMemory:
      return Fail(NoMemoryForRequest());
  }
}

void GrpcInferStream::OnEnd() {
  if (is_answered_) return;
  if (!reader_.has_message()) {
    return SendStatus(kUnimplemented, std::string("Received no request message for server streaming method ") + kModelInferPath);
  }
  if (deadline_ns_ > 0) {
    timer_.SetAt(deadline_ns_);
  } else {
    timer_.Cancel();
  }
  has_ended_ = true;
  if (!IsDecompressing()) EndMessage();
}

void GrpcInferStream::BeginDecompression() {
  if (encoding_ == AnswerEncoding::kIdentity || decompression_ != nullptr) return;
  if (!reader_.has_message() || !reader_.is_compressed()) return;
  decompression_ = std::make_unique<RequestDecompression>(&loop_, encoding_, MostBytes(loop_.options()), reader_.message(),
                                                          [this] { Decompress(); });
  Decompress();
}

// What is said to what cannot be decompressed is what grpc-js says (server-interceptors.ts).
void GrpcInferStream::Decompress() {
  switch (decompression_->Run()) {
    case RequestDecompression::Ran::kMore:
      return loop_.events_loop().AtTurnEnd(decompression_.get());
    case RequestDecompression::Ran::kWhole:
      is_decompressed_ = true;
      reader_.Drop();
      if (has_second_) return RefuseSecond();
      if (has_ended_) EndMessage();
      return;
    case RequestDecompression::Ran::kBroken:
      return SendStatus(kInternal, "Failed to decompress message");
    case RequestDecompression::Ran::kTooLarge:
      return SendStatus(kResourceExhausted,
                        "Received message that decompresses to a size larger than " + std::to_string(MostBytes(loop_.options())));
    case RequestDecompression::Ran::kNoBudget:
      return Fail(loop_.budget().Full());
    case RequestDecompression::Ran::kNoMemory:
      return Fail(NoMemoryForRequest());
  }
}

void GrpcInferStream::EndMessage() {
  memory::SliceChain message = is_decompressed_ ? decompression_->TakeBody() : reader_.TakeMessage();
  message_bytes_ = message.size();
  // Streams that were reset count as long as the engine works for them: a client must not be able to make more work than it is allowed.
  const uint32_t most = loop_.options().max_concurrent_streams;
  if (most > 0 && shared_->in_engine >= most) {
    is_answered_ = true;
    timer_.Cancel();
    const Status refused(StatusCode::kInFlightFull,
                         "the engine has " + std::to_string(most) + " calls of this connection already, cancelled ones included");
    LogFailed(refused, ReplyFor(refused));
    LogEnded(GrpcStatusName(ReplyFor(refused).grpc_status), 0);
    DropMessage();
    return answer_->Reset(transport::kHttp2RefusedStream);
  }
  Submit(std::move(message));
  DropMessage();
}

void GrpcInferStream::DropMessage() {
  reader_.Drop();
  if (decompression_ == nullptr) return;
  decompression_->Close();
  loop_.events_loop().Retire(std::move(decompression_));
}

void GrpcInferStream::RefuseSecond() {
  SendStatus(kUnimplemented, std::string("Received a second request message for server streaming method ") + kModelInferPath);
}

void GrpcInferStream::Submit(memory::SliceChain message) {
  Result<serving::InferRequest> request = codec::DecodeModelInferRequest(message, loop_.limits());
  message = {};  // the request holds what it needs
  if (!request.ok()) return Fail(request.status());
  request_id_ = request.value().id;
  request.value().protocol = pipeline::Protocol::kGrpc;
  Result<uint64_t> token = loop_.calls().Submit(std::move(request).value(), deadline_ns_, this);
  if (!token.ok()) return Fail(token.status());
  token_ = token.value();
  ++shared_->in_engine;
}

void GrpcInferStream::OnOutcome(uint64_t, InferOutcome outcome) {
  token_ = 0;
  --shared_->in_engine;
  const Status status = outcome.outcome.status.ok() ? Reply(outcome) : outcome.outcome.status;
  if (!status.ok()) Fail(status);
}

Status GrpcInferStream::Reply(const InferOutcome& outcome) {
  const Result<codec::ModelInferReply> reply = codec::ModelInferReply::Make(outcome.plan, outcome.outcome);
  PENSTOCK_RETURN_IF_ERROR(reply.status());
  const Result<memory::SliceChain> slices = reply.value().Slices();
  PENSTOCK_RETURN_IF_ERROR(slices.status());
  const size_t bytes = slices.value().size();
  uint64_t handed_out = 0;
  for (const session::Tensor& output : outcome.outcome.outputs) handed_out += output.bytes.size;
  // Outputs are counted already, by what keeps them (pipeline::BatchRunOptions::charge).
  charge_ = loop_.engine().ChargeWholeAnswer(bytes - std::min<uint64_t>(bytes, handed_out));
  is_answered_ = true;
  AwaitTaking();
  answer_->SendHead(AnswerHead(), false);
  answer_->SendData(Prefix(static_cast<uint32_t>(bytes)));
  for (const memory::Slice& slice : slices.value().slices()) answer_->SendData(slice);
  answer_->SendTrailers({{"grpc-status", "0"}, {"grpc-message", "OK"}});
  CountAnswer(outcome, handed_out, 0);
  LogEnded(GrpcStatusName(kOk), bytes);
  return Status::Ok();
}

void GrpcInferStream::OnTaken(size_t) { AwaitTaking(); }

void GrpcInferStream::AwaitTaking() {
  const int64_t limit_ns = loop_.options().request_timeout_ns;
  if (limit_ns > 0) {
    timer_.SetAt(loop_.events_loop().now_ns() + limit_ns);
  } else {
    timer_.Cancel();
  }
}

void GrpcInferStream::OnClosed(uint32_t) {
  timer_.Cancel();
  DropMessage();
  if (is_answered_) return;
  is_answered_ = true;
  if (token_ == 0) return;  // nobody has asked the engine for anything
  Abandon();
  const Status gone(StatusCode::kRequestCancelled, "the client has cancelled the call, or has left");
  LogFailed(gone, ReplyFor(gone));
  LogEnded(GrpcStatusName(ReplyFor(gone).grpc_status), 0);
}

void GrpcInferStream::Abandon() {
  if (token_ == 0) return;
  loop_.calls().Abandon(std::exchange(token_, 0), [shared = shared_] { --shared->in_engine; });
}

void GrpcInferStream::OnTimer() {
  // Its client may well take the answers of other streams.
  if (is_answered_) return answer_->Reset(transport::kHttp2Cancel);
  Abandon();
  // CANCELLED would say that somebody wanted it to end; what has passed is a time, though it was not the client that set it.
  SendStatus(kDeadlineExceeded, HasDeadlinePassed() ? "Deadline exceeded" : "the request did not arrive in time");
}

bool GrpcInferStream::HasDeadlinePassed() const { return deadline_ns_ > 0 && MonotonicNs() >= deadline_ns_; }

void GrpcInferStream::Fail(const Status& status) {
  const ErrorReply reply = ReplyFor(status);
  LogFailed(status, reply);
  // The queue gave up at the call's own deadline: the client must not take that for an overload and try again.
  if (status.code() == StatusCode::kRequestTimeout && HasDeadlinePassed()) return SendStatus(kDeadlineExceeded, "Deadline exceeded");
  const double delay_ms = reply.retry_after_ms == 0 ? 0 : RetryDelayMs(reply.retry_after_ms, loop_.random().Uniform());
  SendStatus(reply.grpc_status, reply.message, delay_ms);
}

void GrpcInferStream::SendStatus(int grpc_status, const std::string& message, double retry_delay_ms) {
  is_answered_ = true;
  DropMessage();
  timer_.Cancel();
  std::vector<HeaderField> fields = {{":status", "200"},
                                     {"grpc-status", std::to_string(grpc_status)},
                                     {"grpc-message", GrpcMessage(message)},
                                     {"content-type", "application/grpc+proto"}};
  if (retry_delay_ms > 0) fields.push_back({"grpc-status-details-bin", RetryDetails(grpc_status, GrpcDetails(message), retry_delay_ms)});
  fields.push_back(Date());
  answer_->SendHead(fields, true);
  LogEnded(GrpcStatusName(grpc_status), 0);
}

void GrpcInferStream::LogEnded(const char* status, uint64_t bytes_out) {
  loop_.request_events().Ended({"GRPC", kModelInferPath, request_id_}, {status, started_ns_, message_bytes_, bytes_out});
}

void GrpcInferStream::LogFailed(const Status& status, const ErrorReply& reply) {
  loop_.request_events().Failed({"GRPC", kModelInferPath, request_id_}, status, reply.is_our_fault);
}

std::string_view GrpcInferStream::DateText() const {
  const std::string_view line = loop_.date_line();  // "Date: ...\r\n"
  return line.substr(6, line.size() - 8);
}

HeaderField GrpcInferStream::Date() const { return {"date", std::string(DateText())}; }

const std::vector<HeaderField>& GrpcInferStream::AnswerHead() const {
  std::vector<HeaderField>& head = shared_->answer_head;
  if (head.empty()) {
    head = {{":status", "200"},
            {"content-type", "application/grpc+proto"},
            {"grpc-accept-encoding", "identity,deflate,gzip"},
            {"grpc-encoding", "identity"},
            Date()};
  } else if (head.back().value != DateText()) {
    head.back() = Date();
  }
  return head;
}

std::unique_ptr<GrpcStream> MakeGrpcInferStream(std::shared_ptr<GrpcShared> shared, GrpcAnswer* answer, const PlainInfer& infer) {
  return std::make_unique<GrpcInferStream>(std::move(shared), answer, infer);
}

}  // namespace penstock::frontend
