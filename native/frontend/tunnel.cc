#include "frontend/tunnel.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace penstock::frontend {
namespace {

std::string_view TextOf(const memory::Slice& bytes) { return {reinterpret_cast<const char*>(bytes.data), bytes.size}; }

}  // namespace

void AppendReceived(memory::Slice bytes, transport::SocketOutput* output) {
  if (output->empty() || bytes.size >= transport::ReceiveBuffer::kSmallBytes) {
    output->Append(std::move(bytes));
  } else {
    output->Append(std::string(TextOf(bytes)));
  }
}

Result<std::unique_ptr<Tunnel>> Tunnel::Open(transport::EventLoop* loop, transport::ReceiveBuffer* buffer, HandOff* hand_off,
                                             TunnelClient* client) {
  Result<transport::FileDescriptor> socket = hand_off->Connect();
  if (!socket.ok()) return socket.status();
  std::unique_ptr<Tunnel> tunnel(new Tunnel(loop, buffer, client, std::move(socket).value()));
  tunnel->watched_ = EPOLLIN;
  const Status watched = loop->Watch(tunnel->socket_.get(), EPOLLIN, tunnel.get());
  if (!watched.ok()) {
    tunnel->is_watched_ = false;
    return watched;
  }
  return tunnel;
}

Tunnel::Tunnel(transport::EventLoop* loop, transport::ReceiveBuffer* buffer, TunnelClient* client, transport::FileDescriptor socket)
    : loop_(loop), buffer_(buffer), client_(client), socket_(std::move(socket)) {}

Tunnel::~Tunnel() { Close(); }

void Tunnel::ExpectAnswer(bool is_head) {
  follows_ = true;
  is_head_ = is_head;
  in_body_ = false;
  head_.clear();
}

void Tunnel::Send(memory::Slice bytes) {
  if (!takes_bytes_ || client_ == nullptr) return;
  AppendReceived(std::move(bytes), &output_);
  Flush();
  was_full_ = was_full_ || is_full();
  Watch();
}

void Tunnel::EndSending() {
  ends_sending_ = true;
  Flush();
  Watch();
}

void Tunnel::PauseAnswers(bool paused) {
  is_paused_ = paused;
  Watch();
}

void Tunnel::Close() {
  client_ = nullptr;
  if (!socket_.ok()) return;
  if (is_watched_) loop_->Forget(socket_.get());
  is_watched_ = false;
  socket_.Reset();
}

void Tunnel::OnReady(uint32_t events) {
  if (client_ == nullptr || !is_watched_) return;
  if ((events & EPOLLOUT) != 0) {
    Flush();
    if (was_full_ && !is_full()) {
      was_full_ = false;
      client_->OnTunnelDrained();
      if (client_ == nullptr) return;
    }
  }
  // A hang-up is reported whether it is asked for or not. What JavaScript wrote before it is no more than the kernel holds for a socket,
  // and is taken although the client is slow.
  const bool hung_up = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (hung_up || (!is_paused_ && (events & EPOLLIN) != 0)) Receive();
  Watch();
}

// What JavaScript does not take any more is dropped; that it is gone is seen where its bytes come from, behind the last of them.
void Tunnel::Flush() {
  if (!takes_bytes_ || !socket_.ok()) return;
  if (!output_.empty() && output_.Flush(socket_.get()) == transport::SocketOutput::Sent::kBroken) {
    takes_bytes_ = false;
    output_ = transport::SocketOutput();
    return;
  }
  if (!output_.empty() || !ends_sending_ || has_shut_) return;
  has_shut_ = true;
  shutdown(socket_.get(), SHUT_WR);
}

void Tunnel::Receive() {
  memory::Slice bytes;
  switch (buffer_->Receive(socket_.get(), 0, &bytes)) {
    case transport::ReceiveBuffer::Got::kNothing:
      return;
    case transport::ReceiveBuffer::Got::kBytes:
      break;
    case transport::ReceiveBuffer::Got::kEnd:
      End(false);
      return;
    case transport::ReceiveBuffer::Got::kBroken:
    case transport::ReceiveBuffer::Got::kNoMemory:
      End(true);
      return;
  }
  if (follows_) {
    Follow(std::move(bytes));
  } else {
    client_->OnAnswer(std::move(bytes));
  }
}

void Tunnel::Follow(memory::Slice bytes) {
  size_t taken = 0;
  const Answer answer = Scan(TextOf(bytes), &taken);
  if (taken > 0) client_->OnAnswer(bytes.Sub(0, taken));
  if (answer == Answer::kMore || client_ == nullptr) return;
  follows_ = false;
  // Bytes behind the end belong to no request.
  if (answer == Answer::kBroken || !keeps_alive_ || taken < bytes.size) {
    End(answer == Answer::kBroken);
  } else {
    client_->OnAnswerEnd();
  }
}

Tunnel::Answer Tunnel::Scan(std::string_view bytes, size_t* taken) {
  if (in_body_) return ScanBody(bytes, taken);
  const Answer head = ScanHead(bytes, taken);
  if (head != Answer::kMore || !in_body_) return head;
  size_t of_body = 0;
  const Answer body = ScanBody(bytes.substr(*taken), &of_body);
  *taken += of_body;
  return body;
}

// kMore with in_body_ set: the head ends within these bytes, and a body follows.
Tunnel::Answer Tunnel::ScanHead(std::string_view bytes, size_t* taken) {
  const size_t before = head_.size();
  head_.append(bytes);
  size_t at = 0;
  for (;;) {
    transport::Http1ResponseHead head;
    const transport::Http1Parsed parsed = transport::ParseHttp1Response(std::string_view(head_).substr(at), &head);
    if (parsed == transport::Http1Parsed::kPart) {
      head_.erase(0, at);
      *taken = bytes.size();
      return Answer::kMore;
    }
    if (parsed != transport::Http1Parsed::kWhole) return Answer::kBroken;
    at += head.bytes;
    if (head.status < 200) continue;  // an interim answer; the final one follows
    *taken = at - before;
    head_.clear();
    keeps_alive_ = head.keeps_alive;
    if (is_head_ || head.status == 204 || head.status == 304) return Answer::kEnd;
    is_chunked_ = head.is_chunked;
    until_close_ = !head.is_chunked && !head.has_length;
    body_left_ = head.content_length;
    chunks_ = transport::Http1ChunkScanner();
    if (head.has_length && body_left_ == 0) return Answer::kEnd;
    in_body_ = true;
    return Answer::kMore;
  }
}

Tunnel::Answer Tunnel::ScanBody(std::string_view bytes, size_t* taken) {
  if (until_close_) {
    *taken = bytes.size();
    return Answer::kMore;
  }
  if (is_chunked_) {
    switch (chunks_.Scan(bytes, taken)) {
      case transport::Http1ChunkScanner::State::kMore:
        return Answer::kMore;
      case transport::Http1ChunkScanner::State::kEnd:
        return Answer::kEnd;
      case transport::Http1ChunkScanner::State::kRefused:
        return Answer::kBroken;
    }
  }
  *taken = static_cast<size_t>(std::min<uint64_t>(body_left_, bytes.size()));
  body_left_ -= *taken;
  return body_left_ == 0 ? Answer::kEnd : Answer::kMore;
}

bool Tunnel::is_within_answer() const { return follows_ && (in_body_ ? !until_close_ : !head_.empty()); }

void Tunnel::End(bool is_broken) {
  if (client_ == nullptr) return;
  // The hang-up would be reported for ever.
  loop_->Forget(socket_.get());
  is_watched_ = false;
  client_->OnTunnelEnd(is_broken || is_within_answer());
}

void Tunnel::Watch() {
  if (!is_watched_) return;
  const uint32_t wanted = (is_paused_ ? 0u : EPOLLIN) | (output_.empty() ? 0u : EPOLLOUT);
  if (wanted != watched_) loop_->Rewatch(socket_.get(), wanted, this);
  watched_ = wanted;
}

}  // namespace penstock::frontend
