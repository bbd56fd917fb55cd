#include "frontend/grpc_connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "frontend/error_reply.h"
#include "frontend/grpc_plain_infer.h"
#include "frontend/grpc_text.h"

namespace penstock::frontend {
namespace {

constexpr size_t kPrefaceBytes = 24;

// A notice before it may cross the first call of a client who knows no other server (src/frontend/grpc/going-away.ts).
constexpr int64_t kMinAgeNs = kNsPerSecond / 5;
// From the notice to the GOAWAY that refuses calls: those that were on their way have come.
constexpr int64_t kNoticeNs = kNsPerSecond / 5;
// For the client to close its side: closing while it still sends would cost it what we have sent last.
constexpr int64_t kLingerNs = kNsPerSecond;

// Beyond it nothing more is taken from nghttp2, nor read from the client: whoever does not take answers cannot ask for more.
constexpr size_t kMostUnsentBytes = 256 * 1024;
// Of one connection in one turn: others wait.
constexpr int kMostRounds = 4;
// The more is received at a time, the more is held by a small piece of it (grpc_message_reader.h).
constexpr uint64_t kMostWantedBytes = 256 * 1024;

}  // namespace

GrpcConnection::GrpcConnection(Loop* loop, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff> hand_off)
    : loop_(loop),
      channel_(std::move(channel)),
      upstreams_(loop, std::move(hand_off)),
      shared_(std::make_shared<GrpcShared>()),
      opened_ns_(MonotonicNs()),
      received_ns_(opened_ns_),
      silence_(&loop->events_loop(), [this] { OnSilence(); }),
      stalled_(&loop->events_loop(), [this] { Close(); }),
      going_(&loop->events_loop(), [this] { GoOn(); }) {
  shared_->loop = loop;
}

bool GrpcConnection::Start() {
  session_ = GrpcSession::Make(loop_->http2(), loop_->options().max_concurrent_streams, this);
  if (session_ == nullptr) return false;
  watched_ = EPOLLIN;
  if (!loop_->events_loop().Watch(channel_->fd(), watched_, this).ok()) return false;
  const int64_t headers_timeout_ns = loop_->options().headers_timeout_ns;
  silence_.SetAt(opened_ns_ + (headers_timeout_ns > 0 ? headers_timeout_ns : loop_->options().ping_after_ns));
  OnUnsent();  // our settings
  return true;
}

bool GrpcConnection::has_preface() const { return received_bytes_ >= kPrefaceBytes; }

void GrpcConnection::OnReady(uint32_t events) {
  if (!channel_->is_open()) return;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) Receive();
  if (channel_->is_open()) OnUnsent();
}

void GrpcConnection::Receive() {
  const uint64_t wanted = std::min(shared_->awaited_bytes + shared_->awaited_bytes / 1024, kMostWantedBytes);
  memory::Slice bytes;
  switch (channel_->Receive(&loop_->receive_buffer(), static_cast<size_t>(wanted), &bytes)) {
    case transport::ReceiveBuffer::Got::kNothing:
      return;
    case transport::ReceiveBuffer::Got::kBytes:
      break;
    default:
      return Close();
  }
  if (is_lingering_) return;
  const bool had_preface = has_preface();
  received_bytes_ += bytes.size;
  received_ns_ = now_ns();
  if (!had_preface && has_preface()) silence_.SetAt(received_ns_ + loop_->options().ping_after_ns);
  pinged_ns_ = 0;
  if (!session_->Receive(bytes)) return Close();
  if (is_going_ && told_ns_ == 0) GoOn();
}

std::unique_ptr<GrpcStream> GrpcConnection::OnCall(const std::vector<HeaderField>& fields, bool ends, GrpcAnswer* answer) {
  const std::optional<PlainInfer> infer = ReadPlainInfer(fields, loop_->compresses());
  if (infer) return MakeGrpcInferStream(shared_, answer, *infer);
  const Result<GrpcUpstream*> upstream = upstreams_.Taking();
  if (upstream.ok()) return MakeGrpcPassedStream(upstream.value(), answer, fields, ends);
  RefuseCall(fields, upstream.status(), answer);
  return nullptr;
}

// UNAVAILABLE: it may be made again.
void GrpcConnection::RefuseCall(const std::vector<HeaderField>& fields, const Status& why, GrpcAnswer* answer) {
  constexpr int kUnavailable = 14;
  answer->SendHead({{":status", "200"},
                    {"grpc-status", std::to_string(kUnavailable)},
                    {"grpc-message", GrpcMessage("no front end takes this call now")},
                    {"content-type", "application/grpc+proto"}},
                   true);
  const HeaderField* const path = FindField(fields, ":path");
  const RequestEvents::Name name{"GRPC", path == nullptr ? std::string_view() : path->value, ""};
  loop_->request_events().Failed(name, why, ReplyFor(why).is_our_fault);
  loop_->request_events().Ended(name, {GrpcStatusName(kUnavailable), MonotonicNs(), 0, 0});
}

void GrpcConnection::OnTurnEnd() {
  if (channel_->is_open() && reads() && channel_->has_buffered()) Receive();
  if (!channel_->is_open() || is_lingering_ || !SendAll()) return;
  EndIfOver();
  if (!channel_->is_open()) return;
  WatchProgress();
  WatchChannel();
}

bool GrpcConnection::SendAll() {
  for (int round = 0; round < kMostRounds; ++round) {
    const GrpcSession::Sent taken = session_->Send(&output_, kMostUnsentBytes);
    const transport::SocketOutput::Sent sent = channel_->Flush(&output_);
    if (taken == GrpcSession::Sent::kFailed || sent == transport::SocketOutput::Sent::kBroken) {
      Close();
      return false;
    }
    if (taken == GrpcSession::Sent::kAll || sent == transport::SocketOutput::Sent::kSome) return true;
  }
  OnUnsent();
  return true;
}

void GrpcConnection::EndIfOver() {
  if (!output_.empty()) return;
  const bool has_drained = refuses_new_ && session_->streams() == 0;
  if (has_drained || session_->is_over()) Linger();
}

bool GrpcConnection::reads() const { return is_lingering_ || output_.bytes() < kMostUnsentBytes; }

void GrpcConnection::WatchChannel() {
  if (reads() && channel_->has_buffered()) OnUnsent();
  const uint32_t wanted = (reads() ? EPOLLIN : 0u) | (output_.empty() ? 0u : EPOLLOUT);
  if (wanted == watched_) return;
  watched_ = wanted;
  loop_->events_loop().Rewatch(channel_->fd(), watched_, this);
}

// A client that is owed something and takes nothing, be it by its window or by its socket, holds memory.
void GrpcConnection::WatchProgress() {
  const int64_t limit_ns = loop_->options().request_timeout_ns;
  if (limit_ns == 0 || is_lingering_) return;
  const bool has_answers = session_->waiting_bytes() > 0;
  if (!has_answers && output_.empty()) return stalled_.Cancel();
  const uint64_t progress = has_answers ? session_->taken_bytes() : output_.sent_bytes();
  if (stalled_.is_set() && progress == progress_) return;
  progress_ = progress;
  stalled_.SetAt(now_ns() + limit_ns);
}

void GrpcConnection::OnSilence() {
  // Whoever has not taken what we have sent may not be read, nor have seen a ping behind it: WatchProgress is who looks at that.
  if (!is_lingering_ && !output_.empty()) received_ns_ = now_ns();
  if (is_lingering_ || !has_preface() || (pinged_ns_ > 0 && received_ns_ <= pinged_ns_)) return Close();
  const int64_t ping_after_ns = loop_->options().ping_after_ns;
  if (now_ns() - received_ns_ < ping_after_ns) return silence_.SetAt(received_ns_ + ping_after_ns);
  pinged_ns_ = now_ns();
  silence_.SetAt(pinged_ns_ + loop_->options().ping_timeout_ns);
  session_->Ping();
  OnUnsent();
}

void GrpcConnection::GoAway() {
  is_going_ = true;
  GoOn();
}

void GrpcConnection::Drain() {
  if (!has_preface()) return Close();
  is_going_ = is_draining_ = true;
  GoOn();
}

void GrpcConnection::GoOn() {
  if (!channel_->is_open() || is_lingering_ || refuses_new_) return;
  if (told_ns_ == 0) {
    if (!has_preface()) return;  // with its first bytes
    if (!is_draining_ && now_ns() < opened_ns_ + kMinAgeNs) return going_.SetAt(opened_ns_ + kMinAgeNs);
    told_ns_ = now_ns();
    session_->TellToGo();
    OnUnsent();
  }
  if (!is_draining_) return;
  if (now_ns() < told_ns_ + kNoticeNs) return going_.SetAt(told_ns_ + kNoticeNs);
  refuses_new_ = true;
  session_->RefuseNew();
  OnUnsent();
}

// All is said: the client reads it before it hears that the connection has ended.
void GrpcConnection::Linger() {
  is_lingering_ = true;
  session_->CloseStreams(transport::kHttp2Cancel);
  channel_->EndSending();
  going_.Cancel();
  stalled_.Cancel();
  silence_.SetAt(now_ns() + kLingerNs);
  WatchChannel();
}

void GrpcConnection::Close() {
  if (!channel_->is_open()) return;
  loop_->events_loop().Forget(channel_->fd());
  channel_->Close();
  session_->CloseStreams(transport::kHttp2Cancel);
  upstreams_.Close();
  silence_.Cancel();
  stalled_.Cancel();
  going_.Cancel();
  loop_->Remove(this);
}

std::unique_ptr<Connection> MakeGrpcConnection(Loop* loop, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff> hand_off) {
  auto connection = std::make_unique<GrpcConnection>(loop, std::move(channel), std::move(hand_off));
  return connection->Start() ? std::move(connection) : nullptr;
}

}  // namespace penstock::frontend
