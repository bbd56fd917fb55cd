#include <string>
#include <utility>

#include "frontend/grpc_stream.h"

namespace penstock::frontend {
namespace {

// Between two HTTP/2 connections: everything goes on as it comes, and each side's window is given back when the other has taken the bytes.
class GrpcPassedStream : public GrpcStream, public UpstreamCall {
 public:
  GrpcPassedStream(GrpcUpstream* upstream, GrpcAnswer* answer, const std::vector<HeaderField>& fields, bool ends) : answer_(answer) {
    const Result<int32_t> begun = upstream->Begin(fields, ends, this);
    if (!begun.ok()) {
      SendUnavailable(begun.status().message());
      return;
    }
    upstream_ = upstream;
    call_ = begun.value();
  }

  void OnData(memory::Slice bytes) override {
    if (upstream_ == nullptr) {  // nobody wants them any more
      answer_->Consumed(bytes.size);
      return;
    }
    unsent_bytes_ += bytes.size;
    upstream_->SendData(call_, std::move(bytes));
  }

  void OnEnd() override {
    if (upstream_ != nullptr) upstream_->EndData(call_);
  }

  void OnTaken(size_t bytes) override {
    if (upstream_ != nullptr) upstream_->Consumed(call_, bytes);
  }

  void OnClosed(uint32_t error) override {
    // Without an error it is a client that has its answer and has not ended its own side.
    if (upstream_ != nullptr) upstream_->Cancel(call_, error == transport::kHttp2NoError ? transport::kHttp2Cancel : error);
    upstream_ = nullptr;
  }

  void OnAnswerHead(std::vector<HeaderField> fields, bool ends) override {
    has_head_ = true;
    answer_->SendHead(fields, ends);
  }

  void OnAnswerData(memory::Slice bytes) override { answer_->SendData(std::move(bytes)); }

  void OnAnswerTrailers(std::vector<HeaderField> fields) override { answer_->SendTrailers(fields); }

  void OnSent(size_t bytes) override {
    unsent_bytes_ -= bytes;
    answer_->Consumed(bytes);
  }

  void OnOver(Ending ending, uint32_t error) override {
    upstream_ = nullptr;
    // What the client still sends must not run into a window that nobody opens.
    if (unsent_bytes_ > 0) answer_->Consumed(std::exchange(unsent_bytes_, 0));
    if (ending == Ending::kAnswered) return;
    if (ending == Ending::kReset) return answer_->Reset(error);
    if (has_head_) return answer_->Reset(transport::kHttp2InternalError);
    SendUnavailable("the front end of this connection has ended");
  }

 private:
  // UNAVAILABLE: the call may be made again.
  void SendUnavailable(const std::string& message) {
    answer_->SendHead({{":status", "200"}, {"content-type", "application/grpc+proto"}, {"grpc-status", "14"}, {"grpc-message", message}},
                      true);
  }

  GrpcAnswer* const answer_;
  GrpcUpstream* upstream_ = nullptr;  // while it knows the call
  int32_t call_ = 0;
  bool has_head_ = false;
  size_t unsent_bytes_ = 0;           // of the client's body, that have not left for JavaScript
};

}  // namespace

std::unique_ptr<GrpcStream> MakeGrpcPassedStream(GrpcUpstream* upstream, GrpcAnswer* answer, const std::vector<HeaderField>& fields,
                                                 bool ends) {
  return std::make_unique<GrpcPassedStream>(upstream, answer, fields, ends);
}

}  // namespace penstock::frontend
