#include "frontend/tls_handshake.h"

#include <sys/epoll.h>

#include <utility>

namespace penstock::frontend {

TlsHandshake::TlsHandshake(Loop* loop, Protocol protocol, std::unique_ptr<transport::TlsChannel> channel, std::shared_ptr<HandOff> hand_off)
    : loop_(loop),
      protocol_(protocol),
      channel_(std::move(channel)),
      hand_off_(std::move(hand_off)),
      timer_(&loop->events_loop(), [this] { Close(); }) {}

bool TlsHandshake::Begin() {
  watched_ = EPOLLIN;
  if (!loop_->events_loop().Watch(channel_->fd(), watched_, this).ok()) return false;
  const int64_t timeout_ns = loop_->options().headers_timeout_ns;
  if (timeout_ns > 0) timer_.SetAt(loop_->events_loop().now_ns() + timeout_ns);
  return true;
}

void TlsHandshake::OnReady(uint32_t) {
  if (channel_ == nullptr) return;
  switch (channel_->Shake()) {
    case transport::TlsChannel::Handshake::kDone:
      timer_.Cancel();
      loop_->events_loop().Forget(channel_->fd());
      loop_->Replace(this, protocol_, std::move(channel_), hand_off_);
      return;
    case transport::TlsChannel::Handshake::kWantsInput:
      Watch(EPOLLIN);
      return;
    case transport::TlsChannel::Handshake::kWantsOutput:
      Watch(EPOLLOUT);
      return;
    case transport::TlsChannel::Handshake::kFailed:
      Close();
      return;
  }
}

void TlsHandshake::Watch(uint32_t events) {
  if (events == watched_) return;
  watched_ = events;
  loop_->events_loop().Rewatch(channel_->fd(), events, this);
}

void TlsHandshake::Close() {
  if (channel_ == nullptr) return;
  timer_.Cancel();
  loop_->events_loop().Forget(channel_->fd());
  channel_.reset();
  loop_->Remove(this);
}

}  // namespace penstock::frontend
