// The channel of a client of HTTP/1.1: what comes, what leaves, how long that may take, and the end.
#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "frontend/http_answer.h"
#include "frontend/http_connection.h"

namespace penstock::frontend {

void HttpConnection::OnReady(uint32_t events) {
  if (state_ == State::kClosed) return;
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    Close();
    return;
  }
  if ((events & EPOLLIN) != 0) {
    Receive();
  } else if ((events & EPOLLRDHUP) != 0 && state_ == State::kRunning) {
    ReceiveEnd();
  }
  Work();
}

void HttpConnection::OnTurnEnd() {
  if (state_ == State::kClosed || !ReadsBuffered()) return;
  Receive();
  Work();
}

bool HttpConnection::ReadsBuffered() const { return !has_client_ended_ && WantsInput() && channel_->has_buffered(); }

// False when the connection is closed.
bool HttpConnection::Flush() {
  if (!output_.empty()) {
    if (channel_->Flush(&output_) == transport::SocketOutput::Sent::kBroken) {
      Close();
      return false;
    }
    if (progress_ns_ == 0 || output_.sent_bytes() != progress_bytes_) progress_ns_ = now_ns();
    progress_bytes_ = output_.sent_bytes();
  }
  if (are_answers_paused_ && tunnel_ != nullptr && output_.bytes() < Tunnel::kMostWaiting / 2) {
    are_answers_paused_ = false;
    tunnel_->PauseAnswers(false);
  }
  if (output_.empty()) {
    progress_ns_ = 0;
    Settle();
  }
  return state_ != State::kClosed;
}

// Everything has left.
void HttpConnection::Settle() {
  if (is_answer_owed_ && state_ != State::kDropping) {
    is_answer_owed_ = false;
    exchange_.End();
  }
  if (state_ == State::kLast) EndAfterLast();
  if (state_ != State::kHead || !input_.empty()) return;
  if (has_client_ended_ || (is_draining_ && has_spoken_ && !channel_->HasUnread())) {
    Close();
  } else if (since_ns_ == 0 && idle_since_ns_ == 0) {
    idle_since_ns_ = now_ns();
  }
}

void HttpConnection::Receive() {
  uint64_t missing = 0;
  if (state_ == State::kBody) missing = head_.is_chunked ? chunks_.data_left() : exchange_.missing();
  const auto wanted = static_cast<size_t>(std::min<uint64_t>(missing, SIZE_MAX));
  memory::Slice bytes;
  switch (channel_->Receive(&loop_->receive_buffer(), wanted, &bytes)) {
    case transport::ReceiveBuffer::Got::kBytes:
      Received(std::move(bytes));
      return;
    case transport::ReceiveBuffer::Got::kNothing:
      return;
    case transport::ReceiveBuffer::Got::kEnd:
      ReceiveEnd();
      return;
    case transport::ReceiveBuffer::Got::kBroken:
      Close();
      return;
    case transport::ReceiveBuffer::Got::kNoMemory:
      if (state_ == State::kBody) {
        exchange_.RefuseBody(NoMemoryForRequest());
        DropBody(missing);
      } else {
        Close();
      }
      return;
  }
}

void HttpConnection::Received(memory::Slice bytes) {
  has_spoken_ = true;
  switch (state_) {
    case State::kLinger:
      return;
    case State::kDropping:
      DropPiece(bytes);
      return;
    case State::kTunnel:
      tunnel_->Send(std::move(bytes));
      return;
    default:
      input_.Add(std::move(bytes));
  }
}

// As node:http does when half-open connections are not allowed: what has come is read, what is under way is aborted, what has been written
// still leaves.
void HttpConnection::ReceiveEnd() {
  has_client_ended_ = true;
  switch (state_) {
    case State::kRunning:
    case State::kLinger:
      Close();
      return;
    case State::kDropping:
      state_ = State::kLast;
      return;
    case State::kTunnel:
      tunnel_->EndSending();
      return;
    default:
      return;
  }
}

// The last byte has left.
void HttpConnection::EndAfterLast() {
  if (has_client_ended_ || (!may_send_more_ && input_.empty() && !channel_->HasUnread())) {
    Close();
    return;
  }
  input_.TakeAll();
  channel_->EndSending();
  state_ = State::kLinger;
  linger_until_ns_ = now_ns() + kLingerNs;
}

void HttpConnection::Watch() {
  uint32_t wanted = output_.empty() ? 0u : EPOLLOUT;
  if (!has_client_ended_) {
    if (WantsInput()) {
      wanted |= EPOLLIN;
    } else if (state_ == State::kRunning) {
      wanted |= EPOLLRDHUP;  // nobody computes for a client that is gone
    }
  }
  if (ReadsBuffered()) loop_->events_loop().AtTurnEnd(this);
  if (wanted == watched_) return;
  watched_ = wanted;
  loop_->events_loop().Rewatch(channel_->fd(), wanted, this);
}

bool HttpConnection::WantsInput() const {
  switch (state_) {
    case State::kBody:
    case State::kDropping:
    case State::kLinger:
      return true;
    case State::kTunnel:
      return !tunnel_->is_full();
    default:
      return input_.bytes() < kMostWaiting;
  }
}

// kNever where nothing is waited for.
int64_t HttpConnection::Deadline() const {
  const FrontEndOptions& options = loop_->options();
  int64_t at = kNever;
  const auto add = [&at](int64_t from_ns, int64_t timeout_ns) {
    if (timeout_ns > 0) at = std::min(at, from_ns + timeout_ns);
  };
  if (!output_.empty()) add(progress_ns_, options.request_timeout_ns);
  switch (state_) {
    case State::kHead:
      if (!output_.empty()) break;
      if (since_ns_ == 0) {
        add(idle_since_ns_, options.keep_alive_timeout_ns);
      } else {
        add(since_ns_, options.headers_timeout_ns);
        add(since_ns_, options.request_timeout_ns);
      }
      if (!has_spoken_ && silent_until_ns_ > 0) at = std::min(at, silent_until_ns_);
      break;
    case State::kBody:
      add(since_ns_, options.request_timeout_ns);
      break;
    case State::kDropping:
    case State::kLinger:
      at = std::min(at, linger_until_ns_);
      break;
    default:
      break;
  }
  return at;
}

void HttpConnection::SetTimer() {
  const int64_t at = Deadline();
  if (at == kNever) {
    timer_.Cancel();
  } else {
    timer_.SetAt(at);
  }
}

void HttpConnection::OnTimer() {
  if (state_ == State::kClosed) return;
  const int64_t now = now_ns();
  if (now < Deadline()) {
    SetTimer();
    return;
  }
  const int64_t stall_ns = loop_->options().request_timeout_ns;
  const bool is_stalled = !output_.empty() && stall_ns > 0 && now >= progress_ns_ + stall_ns;
  const bool is_silent = !has_spoken_ && silent_until_ns_ > 0 && now >= silent_until_ns_;
  const bool is_coming_in = state_ == State::kBody || (state_ == State::kHead && since_ns_ != 0 && !is_silent);
  if (state_ == State::kDropping && !is_stalled) {
    state_ = State::kLast;
  } else if (is_coming_in && !is_stalled) {
    exchange_.Abort();
    WriteTimeoutAnswer(&output_);
    may_send_more_ = true;
    state_ = State::kLast;
  } else {
    Close();
  }
  Work();
}

void HttpConnection::Close() {
  if (state_ == State::kClosed) return;
  if ((state_ == State::kPassing || state_ == State::kTunnel) && has_answer_begun_) channel_->SayNoEnd();
  state_ = State::kClosed;
  exchange_.Abort();
  CloseTunnel();
  timer_.Cancel();
  loop_->events_loop().Forget(channel_->fd());
  channel_->Close();
  loop_->Remove(this);
}

}  // namespace penstock::frontend
