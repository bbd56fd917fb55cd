#include "frontend/http_connection.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "frontend/infer_path.h"

namespace penstock::frontend {
namespace {

// What JavaScript answers without taking more of the connection than this one request.
bool IsPassable(const transport::Http1RequestHead& head) {
  return (head.method == "GET" || head.method == "HEAD") && head.is_plain && !head.is_http10 && !head.is_chunked &&
         !head.expects_continue && head.content_length == 0;
}

}  // namespace

std::unique_ptr<Connection> MakeHttpConnection(Loop* loop, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff> hand_off) {
  auto connection = std::make_unique<HttpConnection>(loop, std::move(channel), std::move(hand_off));
  if (!connection->Begin()) return nullptr;
  return connection;
}

HttpConnection::HttpConnection(Loop* loop, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff> hand_off)
    : loop_(loop),
      hand_off_(std::move(hand_off)),
      channel_(std::move(channel)),
      exchange_(loop, &output_, this),
      timer_(&loop->events_loop(), [this] { OnTimer(); }) {}

HttpConnection::~HttpConnection() {
  if (state_ != State::kClosed) loop_->events_loop().Forget(channel_->fd());
}

bool HttpConnection::Begin() {
  if (!loop_->events_loop().Watch(channel_->fd(), watched_, this).ok()) return false;
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
    chunks_ = transport::Http1ChunkReader();
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
  if (!head_.is_chunked && exchange_.missing() == 0) return SubmitBody();
  if (input_.empty()) {
    // JavaScript knows what to say to half a request.
    if (has_client_ended_) GoTunnel();
    return has_client_ended_;
  }
  if (head_.is_chunked) return TakeChunks();
  const uint64_t missing = exchange_.missing();
  memory::Slice piece = input_.Take(static_cast<size_t>(std::min<uint64_t>(missing, SIZE_MAX)));
  const size_t size = piece.size;
  if (exchange_.Take(std::move(piece)) == HttpExchange::Took::kRefused) DropBody(missing - size);
  return true;
}

bool HttpConnection::TakeChunks() {
  using Read = transport::Http1ChunkReader::Read;
  size_t size = 0;
  const Read read = chunks_.Next(input_.Front(), &size);
  memory::Slice piece;
  if (size > 0) piece = input_.Take(size);
  switch (read) {
    case Read::kLines:
      return true;
    case Read::kData:
      if (exchange_.Take(std::move(piece)) == HttpExchange::Took::kRefused) DropBody(0);
      return true;
    case Read::kEnd:
      return SubmitBody();
    case Read::kRefused:
      break;
  }
  // JavaScript knows what is wrong with it, or that nothing is.
  GoTunnel();
  return true;
}

bool HttpConnection::SubmitBody() {
  head_bytes_ = memory::Slice();
  state_ = State::kRunning;
  if (!exchange_.Submit()) {
    Answered();
  } else if (has_client_ended_) {
    Close();
  }
  return true;
}

// The answer stands in the output already; `left` of the body has not been seen, if its length is known.
void HttpConnection::DropBody(uint64_t left) {
  is_answer_owed_ = true;
  may_send_more_ = true;
  head_bytes_ = memory::Slice();
  state_ = State::kDropping;
  linger_until_ns_ = now_ns() + kLingerNs;
  dropping_left_ = head_.is_chunked ? 1 : left;
  for (const memory::Slice& piece : input_.TakeAll()) DropPiece(piece);
}

void HttpConnection::DropPiece(const memory::Slice& bytes) {
  if (!head_.is_chunked) {
    dropping_left_ -= std::min<uint64_t>(dropping_left_, bytes.size);
  } else if (chunks_.Skip({reinterpret_cast<const char*>(bytes.data), bytes.size})) {
    dropping_left_ = 0;
  }
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

}  // namespace penstock::frontend
