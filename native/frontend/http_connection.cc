#include "frontend/http_connection.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "frontend/error_reply.h"
#include "frontend/http_answer.h"
#include "frontend/infer_path.h"

namespace penstock::frontend {
namespace {

// What JavaScript answers without taking more of the connection than this one request.
bool IsPassable(const transport::Http1RequestHead& head) {
  return (head.method == "GET" || head.method == "HEAD") && head.is_plain && !head.is_http10 && !head.is_chunked &&
         !head.expects_continue && head.content_length == 0;
}

// A head that has one `Expect: 100-continue`, without it: the client has been told to go on already.
memory::Slice WithoutExpectation(const memory::Slice& bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data), bytes.size);
  transport::Http1RequestHead head;
  transport::ParseHttp1Request(text, &head);
  auto rest = std::make_shared<std::string>(text);
  for (const transport::Http1Field& field : head.fields) {
    if (!transport::EqualsIgnoringCase(field.name, "expect")) continue;
    const auto begin = static_cast<size_t>(field.name.data() - text.data());
    rest->erase(begin, text.find("\r\n", begin) + 2 - begin);
    break;
  }
  return memory::Slice{reinterpret_cast<const uint8_t*>(rest->data()), rest->size(), memory::MemoryKind::kPageable, rest};
}

}  // namespace

std::unique_ptr<Connection> MakeHttpConnection(Loop* loop, transport::FileDescriptor socket, std::shared_ptr<HandOff> hand_off) {
  auto connection = std::make_unique<HttpConnection>(loop, std::move(socket), std::move(hand_off));
  if (!connection->Begin()) return nullptr;
  return connection;
}

HttpConnection::HttpConnection(Loop* loop, transport::FileDescriptor socket, std::shared_ptr<HandOff> hand_off)
    : loop_(loop),
      hand_off_(std::move(hand_off)),
      socket_(std::move(socket)),
      exchange_(loop, &output_, this),
      timer_(&loop->events_loop(), [this] { OnTimer(); }) {}

HttpConnection::~HttpConnection() {
  if (state_ != State::kClosed) loop_->events_loop().Forget(socket_.get());
}

bool HttpConnection::Begin() {
  if (!loop_->events_loop().Watch(socket_.get(), watched_, this).ok()) return false;
  state_ = State::kHead;
  since_ns_ = now_ns();
  SetTimer();
  return true;
}

void HttpConnection::Drain() {
  if (is_draining_) return;
  is_draining_ = true;
  if (!has_spoken_) silent_until_ns_ = now_ns() + kSilentGraceNs;
  Work();
}

void HttpConnection::Work() {
  while (state_ != State::kClosed && Flush() && Advance()) {
  }
  if (state_ == State::kClosed) return;
  input_.Gather();
  Watch();
  SetTimer();
}

// One step. False when more must happen first.
bool HttpConnection::Advance() {
  switch (state_) {
    case State::kHead:
      return output_.empty() && !input_.empty() && TakeHead();
    case State::kBody:
      return TakeBody();
    case State::kDropping:
      if (dropping_left_ > 0) return false;
      state_ = State::kLast;
      return true;
    default:
      return false;
  }
}

bool HttpConnection::TakeHead() {
  const bool goes_on = ReadHead();
  head_.DropFields();
  return goes_on;
}

bool HttpConnection::ReadHead() {
  idle_since_ns_ = 0;
  if (since_ns_ == 0) since_ns_ = now_ns();
  const transport::Http1Parsed parsed = input_.ReadHead(&head_);
  if (parsed != transport::Http1Parsed::kWhole) head_ = transport::Http1RequestHead();
  switch (parsed) {
    case transport::Http1Parsed::kPart:
      if (has_client_ended_) GoTunnel();
      return has_client_ended_;
    case transport::Http1Parsed::kRefused:
      GoTunnel();
      return true;
    case transport::Http1Parsed::kWhole:
      break;
  }
  if (const std::optional<InferPath> path = FindInferPath(head_, loop_->options().max_request_bytes, loop_->compresses())) {
    head_bytes_ = input_.TakeHead(head_);
    exchange_.Open(head_, *path);
    if (head_.expects_continue) output_.Append(std::string("HTTP/1.1 100 Continue\r\n\r\n"));
    state_ = State::kBody;
  } else if (IsPassable(head_)) {
    head_bytes_ = input_.TakeHead(head_);
    Pass();
  } else {
    GoTunnel();
  }
  return true;
}

bool HttpConnection::TakeBody() {
  if (exchange_.missing() == 0) {
    head_bytes_ = memory::Slice();
    state_ = State::kRunning;
    if (!exchange_.Submit()) {
      Answered();
    } else if (has_client_ended_) {
      Close();
    }
    return true;
  }
  if (input_.empty()) {
    // JavaScript knows what to say to half a request.
    if (has_client_ended_) GoTunnel();
    return has_client_ended_;
  }
  const uint64_t missing = exchange_.missing();
  memory::Slice piece = input_.Take(static_cast<size_t>(std::min<uint64_t>(missing, SIZE_MAX)));
  const size_t size = piece.size;
  if (exchange_.Take(std::move(piece)) == HttpExchange::Took::kRefused) DropBody(missing - size);
  return true;
}

// The answer stands in the output already; `left` of the body has not been seen.
void HttpConnection::DropBody(uint64_t left) {
  is_answer_owed_ = true;
  may_send_more_ = true;
  head_bytes_ = memory::Slice();
  state_ = State::kDropping;
  linger_until_ns_ = now_ns() + kLingerNs;
  dropping_left_ = left;
  for (const memory::Slice& piece : input_.TakeAll()) dropping_left_ -= std::min<uint64_t>(dropping_left_, piece.size);
}

void HttpConnection::Answered() {
  is_answer_owed_ = true;
  since_ns_ = 0;
  state_ = exchange_.closes() ? State::kLast : State::kHead;
}

void HttpConnection::OnAnswered() {
  Answered();
  Work();
}

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
  state_ = State::kTunnel;
  if (exchange_.is_open()) {
    // Half a request whose client has ended. What is said to it depends on its head and on the end. Its body is not needed, may be large,
    // and would count for nobody from here on.
    exchange_.GiveUp();
    tunnel_->Send(head_.expects_continue ? WithoutExpectation(head_bytes_) : head_bytes_);
    head_bytes_ = memory::Slice();
  }
  for (memory::Slice& piece : input_.TakeAll()) tunnel_->Send(std::move(piece));
  if (has_client_ended_) tunnel_->EndSending();
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
  RequestEvents& events = loop_->request_events();
  if (ReplyFor(status).is_our_fault || events.wants_refused) {
    RequestEvent event;
    event.kind = RequestEvent::Kind::kFailed;
    event.method = head_.method;
    event.path = head_.target.substr(0, head_.target.find('?'));
    event.code = status.code();
    event.message = status.message();
    events.Add(std::move(event));
  }
  exchange_.GiveUp();
  const ErrorReply reply = ReplyFor(Status(StatusCode::kInFlightFull, "no front end takes this request now; try again later"));
  const double unit = loop_->random().Uniform();
  AnswerStyle style;
  style.date_line = &loop_->date_line();
  style.closes = true;
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

void HttpConnection::OnTunnelEnd() {
  CloseTunnel();
  if (state_ == State::kPassing && tunnel_was_used_ && !has_answer_begun_) {
    // JavaScript ended it for being idle when the request was on its way. GET and HEAD may be sent again (RFC 9110, section 9.2.2).
    Pass();
  } else if (state_ == State::kPassing || state_ == State::kTunnel) {
    state_ = State::kLast;
  }
  Work();
}

}  // namespace penstock::frontend
