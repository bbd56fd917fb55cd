#include "frontend/http_exchange.h"

#include <utility>

#include "base/clock.h"
#include "codec/http_reply.h"
#include "codec/http_request.h"
#include "frontend/error_reply.h"

namespace penstock::frontend {
namespace {

uint64_t OutputBytes(const pipeline::Outcome& outcome) {
  uint64_t bytes = 0;
  for (const session::Tensor& output : outcome.outputs) bytes += output.bytes.size;
  return bytes;
}

}  // namespace

void HttpExchange::Open(const transport::Http1RequestHead& head, const InferPath& path) {
  is_open_ = true;
  is_arriving_ = true;
  keeps_alive_ = head.keeps_alive;
  closes_ = false;
  path_ = head.target.substr(0, head.target.find('?'));
  model_ = path.model;
  version_ = path.version;
  json_bytes_ = path.json_bytes;
  body_encoding_ = path.body_encoding;
  encoding_ = path.encoding;
  started_ns_ = loop_->request_events().wants_ended ? MonotonicNs() : 0;
  status_ = 0;
  bytes_in_ = 0;
  bytes_out_ = 0;
  request_id_.clear();
  if (head.is_chunked) {
    body_.OpenChunked(loop_->options().max_request_bytes, &loop_->budget());
  } else {
    body_.Open(head.content_length, &loop_->budget());
  }
}

HttpExchange::Took HttpExchange::Take(memory::Slice piece) {
  const Status taken = body_.Add(std::move(piece));
  if (taken.ok()) return body_.missing() == 0 ? Took::kWhole : Took::kMore;
  RefuseBody(taken);
  return Took::kRefused;
}

void HttpExchange::RefuseBody(const Status& status) {
  DropBody();
  Fail(status, "");
}

bool HttpExchange::Submit() {
  is_arriving_ = false;
  memory::SliceChain bytes = body_.Take();
  bytes_in_ = bytes.size();
  if (body_encoding_ == AnswerEncoding::kIdentity) return SubmitBody(std::move(bytes));
  decompression_ = std::make_unique<RequestDecompression>(loop_, body_encoding_, loop_->options().max_request_bytes, bytes, [this] {
    if (!Decompress()) client_->OnAnswered();
  });
  return Decompress();
}

bool HttpExchange::Decompress() {
  const RequestDecompression::Ran ran = decompression_->Run();
  if (ran == RequestDecompression::Ran::kMore) {
    loop_->events_loop().AtTurnEnd(decompression_.get());
    return true;
  }
  if (ran == RequestDecompression::Ran::kWhole) return SubmitBody(decompression_->TakeBody());
  const Status fault = DecompressionFault(ran);
  DropBody();
  Fail(fault, "");
  return false;
}

Status HttpExchange::DecompressionFault(RequestDecompression::Ran ran) const {
  switch (ran) {
    case RequestDecompression::Ran::kTooLarge:
      return Status(StatusCode::kRequestTooLarge, "the decompressed body is larger than the limit of " +
                                                      std::to_string(loop_->options().max_request_bytes) + " bytes");
    case RequestDecompression::Ran::kNoBudget:
      return loop_->budget().Full();
    case RequestDecompression::Ran::kNoMemory:
      return NoMemoryForRequest();
    default:
      return Status(StatusCode::kRequestCompressed,
                    "the body is not valid " + std::string(NameOf(body_encoding_)) + " data: " + decompression_->fault());
  }
}

bool HttpExchange::SubmitBody(memory::SliceChain bytes) {
  // Before the body is decoded: nobody parses 64 MiB for a model that is not there.
  Status status = loop_->engine().CheckServed(model_, version_);
  std::string request_id;
  if (status.ok()) status = Decode(std::move(bytes), &request_id);
  DropBody();
  if (status.ok()) return true;
  Fail(status, request_id);
  return false;
}

Status HttpExchange::Decode(memory::SliceChain bytes, std::string* request_id) {
  Result<serving::InferRequest> request = codec::DecodeHttpInfer(bytes, json_bytes_, loop_->limits());
  PENSTOCK_RETURN_IF_ERROR(request.status());
  bytes = memory::SliceChain();  // the request holds what it needs
  request.value().protocol = pipeline::Protocol::kHttp;
  request.value().model_name = model_;
  request.value().model_version = version_;
  *request_id = request.value().id;
  Result<uint64_t> token = loop_->calls().Submit(std::move(request).value(), 0, this);
  PENSTOCK_RETURN_IF_ERROR(token.status());
  token_ = token.value();
  return Status::Ok();
}

// Of the request; what its call needs of it, the call has.
void HttpExchange::DropBody() {
  body_.Drop();
  if (decompression_ == nullptr) return;
  decompression_->Close();
  loop_->events_loop().Retire(std::move(decompression_));
}

void HttpExchange::OnOutcome(uint64_t, InferOutcome outcome) {
  token_ = 0;
  if (Answer(std::move(outcome))) client_->OnAnswered();
}

bool HttpExchange::Answer(InferOutcome outcome) {
  request_id_ = outcome.plan.id;
  if (!outcome.outcome.status.ok()) {
    Fail(outcome.outcome.status, request_id_);
    return true;
  }
  Result<codec::HttpReply> reply = codec::EncodeHttpReply(outcome.plan, outcome.outcome);
  if (!reply.ok()) {
    Fail(reply.status(), request_id_);
    return true;
  }
  // Outputs that were written as JSON count as handed out: text is no copy.
  CountAnswer(outcome, OutputBytes(outcome.outcome), 0);
  // Outputs behind the document are counted already, by what keeps them (pipeline::BatchRunOptions::charge).
  const uint64_t document_bytes = reply.value().json.size();
  charge_ = loop_->engine().ChargeWholeAnswer(document_bytes);
  if (encoding_ != AnswerEncoding::kIdentity) {
    document_bytes_ = reply.value().is_binary ? static_cast<int64_t>(document_bytes) : -1;
    compression_ = AnswerCompression::Begin(&loop_->deflate_streams(), encoding_, &reply.value(), &loop_->engine(), [this] {
      if (Compress()) client_->OnAnswered();
    });
  }
  if (compression_ != nullptr) {
    outcome = {};  // the outputs go as soon as they are compressed
    return compression_->takes_turns() ? CompressNextTurn() : Compress();
  }
  status_ = 200;
  const AnswerStyle style = Style();
  closes_ = style.closes;
  bytes_out_ = WriteInferAnswer(std::move(reply).value(), style, output_);
  return true;
}

bool HttpExchange::Compress() {
  const AnswerCompression::Ran ran = compression_->Run();
  if (ran == AnswerCompression::Ran::kMore) return CompressNextTurn();
  if (ran == AnswerCompression::Ran::kWhole) {
    charge_ = nullptr;  // of the document
    status_ = 200;
    const AnswerStyle style = Style();
    closes_ = style.closes;
    bytes_out_ = WriteCompressedAnswer(compression_->TakePieces(), encoding_, document_bytes_, style, output_);
  } else {
    Fail(Status(StatusCode::kMemory, "not enough memory to compress the answer"), request_id_);
  }
  loop_->events_loop().Retire(std::move(compression_));
  return true;
}

bool HttpExchange::CompressNextTurn() {
  loop_->events_loop().AtTurnEnd(compression_.get());
  return false;
}

AnswerStyle HttpExchange::Style() const {
  AnswerStyle style;
  style.date_line = &loop_->date_line();
  style.is_going = loop_->is_going();
  style.is_body_pending = is_arriving_;
  style.closes = !keeps_alive_ || style.is_going || is_arriving_;
  style.keep_alive_timeout_ns = loop_->options().keep_alive_timeout_ns;
  return style;
}

void HttpExchange::Fail(const Status& status, const std::string& request_id) {
  const ErrorReply reply = ReplyFor(status);
  request_id_ = request_id;
  Report(status, reply.is_our_fault, request_id);
  int64_t retry_after_s = 0;
  if (reply.retry_after_ms > 0) {
    const double unit = loop_->random().Uniform();
    retry_after_s = RetryAfterSeconds(reply.retry_after_ms, unit, loop_->random().Uniform());
  }
  status_ = reply.http_status;
  const AnswerStyle style = Style();
  closes_ = style.closes;
  bytes_out_ = WriteErrorAnswer(reply, retry_after_s, style, output_);
}

void HttpExchange::Report(const Status& status, bool is_our_fault, const std::string& request_id) {
  loop_->request_events().Failed({"POST", path_, request_id}, status, is_our_fault);
}

void HttpExchange::End() { Finish(std::to_string(status_)); }

void HttpExchange::Abort() {
  if (!is_open_) return;
  if (token_ != 0) loop_->calls().Abandon(std::exchange(token_, 0), {});
  if (compression_ != nullptr) loop_->events_loop().Retire(std::move(compression_));
  if (is_arriving_ && status_ == 0) {
    Report(Status(StatusCode::kRequestCancelled, "the client left before its whole request had arrived"), false, "");
  }
  Finish("aborted");
}

void HttpExchange::GiveUp() {
  is_open_ = false;
  body_.Drop();
}

memory::SliceChain HttpExchange::HandOver() {
  is_open_ = false;
  return body_.Take();
}

void HttpExchange::DropHandedOver() {
  if (!is_open_) body_.Drop();
}

void HttpExchange::Finish(const std::string& status) {
  if (!is_open_) return;
  is_open_ = false;
  DropBody();
  charge_ = nullptr;
  loop_->request_events().Ended({"POST", path_, request_id_}, {status, started_ns_, bytes_in_, bytes_out_});
}

}  // namespace penstock::frontend
