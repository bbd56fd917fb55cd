#include "loadgen/grpc_connection.h"

#include <algorithm>
#include <cstring>

namespace penstock::loadgen {
namespace {

using transport::Http2Setting;

constexpr size_t kMostUnsentBytes = 64 * 1024;  // but for the last frame

uint8_t* Bytes(const std::string& text) { return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data())); }

std::string_view Text(const uint8_t* bytes, size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

}  // namespace

GrpcConnection::GrpcConnection(const transport::Nghttp2* http2, const GrpcRequest* request, const ExpectedBody* expected,
                               GrpcServer* server, size_t streams)
    : http2_(*http2), server_(*server), body_(request->body) {
  for (const auto& [name, value] : request->fields) fields_.push_back({Bytes(name), Bytes(value), name.size(), value.size(), 0});
  calls_.reserve(streams);
  for (size_t i = 0; i < streams; ++i) free_.push_back(&calls_.emplace_back(expected));
}

bool GrpcConnection::Start() {
  has_settings_ = is_refused_ = false;
  has_failed_ = !MakeSession();
  // Answers are compared and forgotten as they come, so the server never has to wait until some of one has been read.
  const Http2Setting window{transport::kHttp2InitialWindowSize, transport::kHttp2MaxWindow};
  has_failed_ = has_failed_ || http2_.submit_settings(session_, 0, &window, 1) != 0 ||
                http2_.session_set_local_window_size(session_, 0, 0, transport::kHttp2MaxWindow) != 0;
  return !has_failed_;
}

bool GrpcConnection::MakeSession() {
  nghttp2_session_callbacks* callbacks = nullptr;
  if (http2_.session_callbacks_new(&callbacks) != 0) return false;
  http2_.session_callbacks_set_on_header_callback(callbacks, OnField);
  http2_.session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
  http2_.session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
  http2_.session_callbacks_set_on_stream_close_callback(callbacks, OnStreamClose);
  const int error = http2_.session_client_new(&session_, callbacks, this);
  http2_.session_callbacks_del(callbacks);
  return error == 0;
}

void GrpcConnection::CloseSession() {
  if (session_ != nullptr) http2_.session_del(session_);
  session_ = nullptr;
}

size_t GrpcConnection::room() const {
  const size_t told_others = server_.max_streams.load(std::memory_order_relaxed);
  if (session_ == nullptr) return std::min(told_others, calls_.size());
  if (has_failed_ || http2_.session_check_request_allowed(session_) == 0) return 0;
  // Until the server's come nghttp2 keeps to a bound of its own: beyond it calls would wait there, and nobody would count that they do.
  const size_t allowed = http2_.session_get_remote_settings(session_, transport::kHttp2MaxConcurrentStreams);
  const size_t most = std::min(has_settings_ ? allowed : std::min(allowed, told_others), calls_.size());
  return most > in_flight() ? most - in_flight() : 0;
}

bool GrpcConnection::Send(const Sender::Ticket& ticket) {
  Call* call = free_.back();
  call->ticket = ticket;
  call->sent = 0;
  call->reply.Reset();
  transport::Http2Body body;
  body.source.pointer = call;
  body.read = ReadBody;
  if (http2_.submit_request(session_, nullptr, fields_.data(), fields_.size(), &body, call) < 0) {
    has_failed_ = true;
    return false;
  }
  call->is_busy = true;
  free_.pop_back();
  return true;
}

std::string_view GrpcConnection::Unsent() {
  if (unsent_from_ == unsent_.size()) {
    unsent_.clear();
    unsent_from_ = 0;
    ssize_t size = session_ == nullptr || has_failed_ ? 0 : 1;
    while (size > 0 && unsent_.size() < kMostUnsentBytes) {
      const uint8_t* bytes = nullptr;
      size = http2_.session_mem_send(session_, &bytes);
      if (size > 0) unsent_.append(Text(bytes, static_cast<size_t>(size)));
    }
    if (size < 0) has_failed_ = true;
  }
  return std::string_view(unsent_).substr(unsent_from_);
}

void GrpcConnection::Receive(std::string_view bytes) {
  if (bytes.empty() || has_failed_) {
    has_failed_ = true;
    return;
  }
  const ssize_t taken = http2_.session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) has_failed_ = true;
}

bool GrpcConnection::is_over() const {
  if (has_failed_) return true;
  if (session_ == nullptr) return false;
  // After a breach of the protocol nghttp2 wants nothing but to say so. After a GOAWAY what is in flight may still be answered.
  if (http2_.session_want_read(session_) == 0 && http2_.session_want_write(session_) == 0) return true;
  return http2_.session_check_request_allowed(session_) == 0 && in_flight() == 0;
}

void GrpcConnection::EndAll(Outcome outcome) {
  for (Call& call : calls_) {
    // What the server has refused and the socket did not take any more: nghttp2 never got to give it up itself.
    const bool never_left = is_refused_ && call.sent == 0 && outcome == Outcome::kBroken;
    if (call.is_busy) End(&call, never_left ? Outcome::kShed : outcome);
  }
  CloseSession();
  has_failed_ = false;
  unsent_.clear();
  unsent_from_ = 0;
}

// Those of the server, or that it has ours.
void GrpcConnection::TakeSettings() {
  has_settings_ = true;
  server_.max_streams.store(http2_.session_get_remote_settings(session_, transport::kHttp2MaxConcurrentStreams), std::memory_order_relaxed);
}

GrpcConnection::Call* GrpcConnection::CallOf(int32_t stream_id) const {
  return static_cast<Call*>(http2_.session_get_stream_user_data(session_, stream_id));
}

void GrpcConnection::End(Call* call, Outcome outcome) {
  call->is_busy = false;
  free_.push_back(call);
  ended_.push_back({call->ticket, outcome});
}

ssize_t GrpcConnection::ReadBody(nghttp2_session*, int32_t, uint8_t* buffer, size_t bytes, uint32_t* flags,
                                 transport::Http2BodySource* source, void* user_data) {
  const std::string& body = static_cast<GrpcConnection*>(user_data)->body_;
  auto* call = static_cast<Call*>(source->pointer);
  const size_t size = std::min(bytes, body.size() - call->sent);
  std::memcpy(buffer, body.data() + call->sent, size);
  call->sent += size;
  if (call->sent == body.size()) *flags |= transport::kHttp2BodyEnd;
  return static_cast<ssize_t>(size);
}

int GrpcConnection::OnField(nghttp2_session*, const transport::Http2Frame* frame, const uint8_t* name, size_t name_bytes,
                            const uint8_t* value, size_t value_bytes, uint8_t, void* user_data) {
  Call* call = static_cast<GrpcConnection*>(user_data)->CallOf(frame->head.stream_id);
  if (call != nullptr) call->reply.TakeField(Text(name, name_bytes), Text(value, value_bytes));
  return 0;
}

int GrpcConnection::OnData(nghttp2_session*, uint8_t, int32_t stream_id, const uint8_t* bytes, size_t size, void* user_data) {
  Call* call = static_cast<GrpcConnection*>(user_data)->CallOf(stream_id);
  if (call != nullptr) call->reply.TakeBody(Text(bytes, size));
  return 0;
}

int GrpcConnection::OnFrame(nghttp2_session*, const transport::Http2Frame* frame, void* user_data) {
  auto* connection = static_cast<GrpcConnection*>(user_data);
  const uint8_t type = frame->head.type;
  if (type == transport::kHttp2Settings) connection->TakeSettings();
  if (type == transport::kHttp2GoAway) connection->is_refused_ = true;
  const bool can_end = type == transport::kHttp2Headers || type == transport::kHttp2Data;
  if (!can_end || (frame->head.flags & transport::kHttp2EndStream) == 0) return 0;
  Call* call = connection->CallOf(frame->head.stream_id);
  if (call == nullptr) return 0;
  call->reply.End();
  if (call->sent == connection->body_.size()) return 0;
  // The server has answered without waiting for all of the request, so it does not want the rest.
  return connection->http2_.submit_rst_stream(connection->session_, 0, frame->head.stream_id, transport::kHttp2Cancel);
}

int GrpcConnection::OnStreamClose(nghttp2_session*, int32_t stream_id, uint32_t error, void* user_data) {
  auto* connection = static_cast<GrpcConnection*>(user_data);
  Call* call = connection->CallOf(stream_id);
  if (call == nullptr) return 0;
  // After a GOAWAY nghttp2 gives up what it has not sent yet, with an error of its own: to the caller the server has refused it.
  const bool never_left = call->sent == 0 && connection->http2_.session_check_request_allowed(connection->session_) == 0;
  connection->End(call, call->reply.outcome(never_left ? transport::kHttp2RefusedStream : error));
  return 0;
}

}  // namespace penstock::loadgen
