// What a client of HTTP/1.1 asks of JavaScript: one request at a time, or all that it sends.
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "frontend/error_reply.h"
#include "frontend/http_answer.h"
#include "frontend/http_connection.h"

namespace penstock::frontend {
namespace {

memory::Slice SliceOf(std::string text) {
  const auto owned = std::make_shared<const std::string>(std::move(text));
  return memory::Slice{reinterpret_cast<const uint8_t*>(owned->data()), owned->size(), memory::MemoryKind::kPageable, owned};
}

// A head that has one `Expect: 100-continue`, without it: the client has been told to go on already.
memory::Slice WithoutExpectation(const memory::Slice& bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data), bytes.size);
  transport::Http1RequestHead head;
  transport::ParseHttp1Request(text, &head);
  std::string rest(text);
  for (const transport::Http1Field& field : head.fields) {
    if (!transport::EqualsIgnoringCase(field.name, "expect")) continue;
    const auto begin = static_cast<size_t>(field.name.data() - text.data());
    rest.erase(begin, text.find("\r\n", begin) + 2 - begin);
    break;
  }
  return SliceOf(std::move(rest));
}

}  // namespace

void HttpConnection::Pass() {
  tunnel_was_used_ = tunnel_ != nullptr;
  if (!tunnel_was_used_ && !OpenTunnel()) return;
  has_answer_begun_ = false;
  state_ = State::kPassing;
  tunnel_->ExpectAnswer(head_.method == "HEAD");
  tunnel_->Send(head_bytes_);
}

void HttpConnection::GoTunnel() {
  // A new one: JavaScript may be about to end a connection that was idle.
  CloseTunnel();
  if (!OpenTunnel()) return;
  has_answer_begun_ = false;
  state_ = State::kTunnel;
  if (exchange_.is_open()) SendHalfRequest();
  for (memory::Slice& piece : input_.TakeAll()) tunnel_->Send(std::move(piece));
  if (has_client_ended_) tunnel_->EndSending();
}

// What has been taken of a request that comes in.
void HttpConnection::SendHalfRequest() {
  tunnel_->Send(head_.expects_continue ? WithoutExpectation(head_bytes_) : head_bytes_);
  head_bytes_ = memory::Slice();
  if (head_.is_chunked) {
    SendChunksSoFar();
  } else {
    // Its client has ended. What is said to it depends on its head and on the end. Its body is not needed, may be large, and would count
    // for nobody from here on.
    exchange_.GiveUp();
  }
}

// As one chunk: what comes next may be wrong, or be what only JavaScript knows.
void HttpConnection::SendChunksSoFar() {
  const memory::SliceChain body = exchange_.HandOver();
  if (!body.empty()) {
    char size[24];
    std::snprintf(size, sizeof size, "%zx\r\n", body.size());
    tunnel_->Send(SliceOf(size));
    for (const memory::Slice& piece : body.slices()) tunnel_->Send(piece);
  }
  if (!chunks_.lines().empty()) tunnel_->Send(SliceOf(chunks_.lines()));
  if (!tunnel_->is_full()) exchange_.GiveUp();
}

// False, and the answer stands in the output, when there is nobody to take it.
bool HttpConnection::OpenTunnel() {
  auto opened = Tunnel::Open(&loop_->events_loop(), &loop_->receive_buffer(), hand_off_.get(), this);
  if (!opened.ok()) {
    AnswerUnavailable(opened.status());
    return false;
  }
  tunnel_ = std::move(opened).value();
  return true;
}

// It passes: a front-end thread comes, or the system has a descriptor again. The client learns no more than that.
void HttpConnection::AnswerUnavailable(const Status& status) {
  const std::string_view path = head_.target.substr(0, head_.target.find('?'));
  loop_->request_events().Failed({head_.method, path, ""}, status, ReplyFor(status).is_our_fault);
  exchange_.GiveUp();
  const ErrorReply reply = ReplyFor(Status(StatusCode::kInFlightFull, "no front end takes this request now; try again later"));
  const double unit = loop_->random().Uniform();
  AnswerStyle style;
  style.date_line = &loop_->date_line();
  style.closes = true;
  style.is_head = head_.method == "HEAD";
  style.is_body_pending = true;  // for all that is known
  WriteErrorAnswer(reply, RetryAfterSeconds(reply.retry_after_ms, unit, loop_->random().Uniform()), style, &output_);
  may_send_more_ = true;
  head_bytes_ = memory::Slice();
  state_ = State::kLast;
}

void HttpConnection::CloseTunnel() {
  are_answers_paused_ = false;
  if (tunnel_ == nullptr) return;
  tunnel_->Close();
  loop_->events_loop().Retire(std::move(tunnel_));
}

void HttpConnection::OnAnswer(memory::Slice bytes) {
  if (state_ != State::kPassing && state_ != State::kTunnel) {
    // Nobody asked. The client would take it for the answer to its next request.
    CloseTunnel();
    return;
  }
  has_answer_begun_ = true;
  AppendReceived(std::move(bytes), &output_);
  if (output_.bytes() >= Tunnel::kMostWaiting && !are_answers_paused_) {
    are_answers_paused_ = true;
    tunnel_->PauseAnswers(true);
  }
  Work();
}

void HttpConnection::OnAnswerEnd() {
  head_bytes_ = memory::Slice();
  since_ns_ = 0;
  state_ = State::kHead;
  Work();
}

void HttpConnection::OnTunnelDrained() {
  exchange_.DropHandedOver();  // what is left of it counts no more than what comes behind it
  Work();
}

void HttpConnection::OnTunnelEnd(bool is_cut) {
  CloseTunnel();
  exchange_.DropHandedOver();
  if (state_ == State::kPassing && tunnel_was_used_ && !has_answer_begun_) {
    // JavaScript ended it for being idle when the request was on its way. GET and HEAD may be sent again (RFC 9110, section 9.2.2).
    Pass();
  } else if (state_ == State::kPassing || state_ == State::kTunnel) {
    if (is_cut) channel_->SayNoEnd();
    state_ = State::kLast;
  }
  Work();
}

}  // namespace penstock::frontend
