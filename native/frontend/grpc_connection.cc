#include "frontend/grpc_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "frontend/grpc_infer_stream.h"
#include "frontend/grpc_text.h"

namespace penstock::frontend {
namespace {

// As src/frontend/grpc/listener.ts has them.
constexpr size_t kPrefaceBytes = 24;
constexpr int64_t kKeepAliveTimeNs = 60 * kNsPerSecond;
constexpr int64_t kKeepAliveTimeoutNs = 20 * kNsPerSecond;

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

const HeaderField* Find(const std::vector<HeaderField>& fields, std::string_view name) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const HeaderField& field) { return field.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

bool IsOnce(const std::vector<HeaderField>& fields, std::string_view name) {
  return std::count_if(fields.begin(), fields.end(), [&](const HeaderField& field) { return field.name == name; }) == 1;
}

// A ModelInfer that is answered here: nothing about its head is unusual. `timeout_ns`: 0 = none.
bool IsPlainInfer(const std::vector<HeaderField>& fields, int64_t* timeout_ns) {
  const HeaderField* path = Find(fields, ":path");
  const HeaderField* method = Find(fields, ":method");
  if (path == nullptr || path->value != kModelInferPath || method == nullptr || method->value != "POST") return false;
  const HeaderField* type = Find(fields, "content-type");
  if (type == nullptr || !IsOnce(fields, "content-type")) return false;
  if (type->value != "application/grpc" && type->value != "application/grpc+proto") return false;
  const HeaderField* encoding = Find(fields, "grpc-encoding");
  if (encoding != nullptr && (encoding->value != "identity" || !IsOnce(fields, "grpc-encoding"))) return false;
  const HeaderField* timeout = Find(fields, "grpc-timeout");
  *timeout_ns = 0;
  if (timeout == nullptr) return true;
  if (!IsOnce(fields, "grpc-timeout") || !ParseGrpcTimeout(timeout->value, timeout_ns)) return false;
  *timeout_ns = std::max<int64_t>(*timeout_ns, 1);
  return true;
}

}  // namespace

GrpcConnection::GrpcConnection(Loop* loop, transport::FileDescriptor socket, std::shared_ptr<HandOff> hand_off)
    : loop_(loop),
      socket_(std::move(socket)),
      hand_off_(std::move(hand_off)),
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
  if (!loop_->events_loop().Watch(socket_.get(), watched_, this).ok()) return false;
  const int64_t headers_timeout_ns = loop_->options().headers_timeout_ns;
  silence_.SetAt(opened_ns_ + (headers_timeout_ns > 0 ? headers_timeout_ns : kKeepAliveTimeNs));
  OnUnsent();  // our settings
  return true;
}

bool GrpcConnection::has_preface() const { return received_bytes_ >= kPrefaceBytes; }

void GrpcConnection::OnReady(uint32_t events) {
  if (!socket_.ok()) return;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) Receive();
  if (socket_.ok()) OnUnsent();
}

void GrpcConnection::Receive() {
  const uint64_t wanted = std::min(shared_->awaited_bytes + shared_->awaited_bytes / 1024, kMostWantedBytes);
  memory::Slice bytes;
  switch (loop_->receive_buffer().Receive(socket_.get(), static_cast<size_t>(wanted), &bytes)) {
    case transport::ReceiveBuffer::Got::kNothing:
      return;
    case transport::ReceiveBuffer::Got::kBytes:
      break;
    default:
      return Close();
  }
  if (is_lingering_) return;
  received_bytes_ += bytes.size;
  received_ns_ = now_ns();
  pinged_ns_ = 0;
  if (!session_->Receive(bytes)) return Close();
  if (is_going_ && told_ns_ == 0) GoOn();
}

std::unique_ptr<GrpcStream> GrpcConnection::OnCall(const std::vector<HeaderField>& fields, bool ends, GrpcAnswer* answer) {
  int64_t timeout_ns = 0;
  if (IsPlainInfer(fields, &timeout_ns)) return MakeGrpcInferStream(shared_, answer, timeout_ns);
  GrpcUpstream* upstream = Upstream();
  if (upstream != nullptr) return MakeGrpcPassedStream(upstream, answer, fields, ends);
  RefuseCall(answer);
  return nullptr;
}

// Null when JavaScript takes no connection.
GrpcUpstream* GrpcConnection::Upstream() {
  if (!upstreams_.empty() && upstreams_.rbegin()->second->takes_calls()) return upstreams_.rbegin()->second.get();
  const uint64_t name = next_upstream_++;
  Result<std::unique_ptr<GrpcUpstream>> opened =
      GrpcUpstream::Open(loop_->http2(), &loop_->events_loop(), &loop_->receive_buffer(), hand_off_.get(), [this, name] {
        const auto ended = upstreams_.find(name);
        if (ended == upstreams_.end()) return;
        loop_->events_loop().Retire(std::move(ended->second));
        upstreams_.erase(ended);
      });
  if (!opened.ok()) return nullptr;
  return (upstreams_[name] = std::move(opened).value()).get();
}

// UNAVAILABLE: it may be made again.
void GrpcConnection::RefuseCall(GrpcAnswer* answer) {
  answer->SendHead({{":status", "200"},
                    {"grpc-status", "14"},
                    {"grpc-message", GrpcMessage("no front end takes this call now")},
                    {"content-type", "application/grpc+proto"}},
                   true);
}

void GrpcConnection::OnTurnEnd() {
  if (!socket_.ok() || is_lingering_ || !SendAll()) return;
  EndIfOver();
  if (!socket_.ok()) return;
  WatchProgress();
  WatchSocket();
}

bool GrpcConnection::SendAll() {
  for (int round = 0; round < kMostRounds; ++round) {
    const GrpcSession::Sent taken = session_->Send(&output_, kMostUnsentBytes);
    const transport::SocketOutput::Sent sent = output_.Flush(socket_.get());
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

void GrpcConnection::WatchSocket() {
  const bool reads = is_lingering_ || output_.bytes() < kMostUnsentBytes;
  const uint32_t wanted = (reads ? EPOLLIN : 0u) | (output_.empty() ? 0u : EPOLLOUT);
  if (wanted == watched_) return;
  watched_ = wanted;
  loop_->events_loop().Rewatch(socket_.get(), watched_, this);
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
  if (is_lingering_ || !has_preface() || (pinged_ns_ > 0 && received_ns_ <= pinged_ns_)) return Close();
  if (now_ns() - received_ns_ < kKeepAliveTimeNs) return silence_.SetAt(received_ns_ + kKeepAliveTimeNs);
  pinged_ns_ = now_ns();
  silence_.SetAt(pinged_ns_ + kKeepAliveTimeoutNs);
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
  if (!socket_.ok() || is_lingering_ || refuses_new_) return;
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
  shutdown(socket_.get(), SHUT_WR);
  going_.Cancel();
  stalled_.Cancel();
  silence_.SetAt(now_ns() + kLingerNs);
  WatchSocket();
}

void GrpcConnection::Close() {
  if (!socket_.ok()) return;
  loop_->events_loop().Forget(socket_.get());
  socket_.Reset();
  session_->CloseStreams(transport::kHttp2Cancel);
  for (auto& [name, upstream] : std::exchange(upstreams_, {})) {
    upstream->Close();
    loop_->events_loop().Retire(std::move(upstream));
  }
  silence_.Cancel();
  stalled_.Cancel();
  going_.Cancel();
  loop_->Remove(this);
}

std::unique_ptr<Connection> MakeGrpcConnection(Loop* loop, transport::FileDescriptor socket, std::shared_ptr<HandOff> hand_off) {
  auto connection = std::make_unique<GrpcConnection>(loop, std::move(socket), std::move(hand_off));
  return connection->Start() ? std::move(connection) : nullptr;
}

}  // namespace penstock::frontend
