// One native request over HTTP/1.1 and its answer, after src/frontend/http/infer.ts and exchange.ts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "frontend/answer_compression.h"
#include "frontend/answer_encoding.h"
#include "frontend/http_answer.h"
#include "frontend/http_request_body.h"
#include "frontend/infer_calls.h"
#include "frontend/infer_path.h"
#include "frontend/loop.h"
#include "frontend/request_decompression.h"
#include "memory/slice.h"
#include "transport/http1_head.h"
#include "transport/socket_output.h"

namespace penstock::frontend {

// Who has the connection.
class HttpExchangeClient {
 public:
  virtual ~HttpExchangeClient() = default;
  // [loop thread] The answer stands in the output. Never from inside a call.
  virtual void OnAnswered() = 0;
};

// [loop thread] Used again for each request of its connection: Open, Take until the body is whole, Submit, and End or Abort.
class HttpExchange : public InferWaiter {
 public:
  enum class Took : uint8_t { kMore, kWhole, kRefused };

  // All of them outlive it.
  HttpExchange(Loop* loop, transport::SocketOutput* output, HttpExchangeClient* client) : loop_(loop), output_(output), client_(client) {}

  void Open(const transport::Http1RequestHead& head, const InferPath& path);
  bool is_open() const { return is_open_; }
  // Of a body of known length.
  uint64_t missing() const { return body_.missing(); }

  // At most `missing` bytes, or the next of a chunk: whoever reads the chunks knows when they are whole. kRefused: the answer stands in the
  // output, the connection ends with it, and the rest of the body is for nobody.
  Took Take(memory::Slice piece);
  // A body that cannot be taken in. As kRefused of Take.
  void RefuseBody(const Status& status);
  // The body is whole. False: the answer, a refusal, stands in the output already.
  bool Submit();

  // Whether the connection ends with the answer that was written last.
  bool closes() const { return closes_; }

  // The answer has been handed to the kernel.
  void End();
  // The client is gone: a call of it is abandoned. May be repeated.
  void Abort();
  // Its request goes another way, as if it had never been opened; what has come of its body is dropped.
  void GiveUp();
  // The same, with what has come of the body: it counts in the loop's budget until GiveUp or DropHandedOver.
  memory::SliceChain HandOver();
  // Of a body that was handed over, if one was.
  void DropHandedOver();

  void OnOutcome(uint64_t token, InferOutcome outcome) override;

 private:
  // As Submit, of what has been compressed and the next piece of it.
  bool Decompress();
  Status DecompressionFault(RequestDecompression::Ran ran) const;
  // As Submit, of the body as it is meant.
  bool SubmitBody(memory::SliceChain bytes);
  Status Decode(memory::SliceChain bytes, std::string* request_id);
  void DropBody();
  AnswerStyle Style() const;
  // False when the answer will stand in the output later: OnAnswered says when.
  bool Answer(InferOutcome outcome);
  // The next piece of the answer. As Answer.
  bool Compress();
  bool CompressNextTurn();
  void Fail(const Status& status, const std::string& request_id);
  void Report(const Status& status, bool is_our_fault, const std::string& request_id);
  void Finish(const std::string& status);

  Loop* const loop_;
  transport::SocketOutput* const output_;
  HttpExchangeClient* const client_;
  bool is_open_ = false;
  bool keeps_alive_ = true;  // as far as the client is concerned
  bool closes_ = false;
  std::string path_;
  std::string model_;
  std::string version_;
  int64_t json_bytes_ = -1;
  HttpRequestBody body_;
  AnswerEncoding body_encoding_ = AnswerEncoding::kIdentity;
  std::unique_ptr<RequestDecompression> decompression_;  // while it goes on
  bool is_arriving_ = false;
  uint64_t token_ = 0;  // of the call, while it runs; 0 = none
  memory::Owner charge_;
  AnswerEncoding encoding_ = AnswerEncoding::kIdentity;  // that the client wants
  std::unique_ptr<AnswerCompression> compression_;       // while it goes on
  int64_t document_bytes_ = -1;                          // of the answer in it, as WriteCompressedAnswer has it
  // For the log.
  int64_t started_ns_ = 0;
  int status_ = 0;
  uint64_t bytes_in_ = 0;
  uint64_t bytes_out_ = 0;
  std::string request_id_;
};

}  // namespace penstock::frontend
