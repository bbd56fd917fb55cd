#include "frontend/grpc_session.h"

#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "memory/block.h"

namespace penstock::frontend {
namespace {

using transport::Http2Frame;
using transport::Http2Setting;

// What a client may send of a message before it hears from us: enough to keep 1 Gbit/s busy over 8 ms. The windows are given back as bytes
// are taken in, and bodies are bounded elsewhere, so that these bound only what waits for JavaScript: that of the connection is four times
// that of a stream, and a call that waits there does not hold up the others.
constexpr int32_t kStreamWindowBytes = 1024 * 1024;
constexpr int32_t kConnectionWindowBytes = 4 * kStreamWindowBytes;

// Names and values of a head, and 32 bytes for each field, as SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113, 6.5.2).
constexpr size_t kMostHeadBytes = 16 * 1024;
constexpr size_t kFieldBytes = 32;
// A head that goes on in spite of its reset costs time for as long as it lasts: the connection ends. Releases of nghttp2 before 1.61 do not
// count CONTINUATION frames (CVE-2024-28182).
constexpr size_t kEndlessHeadBytes = 16 * kMostHeadBytes;

constexpr size_t kFrameHeadBytes = 9;

std::string_view Text(const uint8_t* bytes, size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

// nghttp2 must not be left by an exception.
template <typename Do>
int Guarded(const Do& action) {
  try {
    action();
    return 0;
  } catch (const std::bad_alloc&) {
    return transport::kHttp2CallbackFailure;
  }
}

}  // namespace

std::unique_ptr<GrpcSession> GrpcSession::Make(const transport::Nghttp2* http2, uint32_t most_streams, Owner* owner) {
  std::unique_ptr<GrpcSession> session(new GrpcSession(http2, owner));
  return session->Start(most_streams) ? std::move(session) : nullptr;
}

GrpcSession::~GrpcSession() {
  if (session_ != nullptr) http2_.session_del(session_);
}

bool GrpcSession::Start(uint32_t most_streams) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  if (http2_.session_callbacks_new(&callbacks) != 0) return false;
  if (http2_.option_new(&option) != 0) {
    http2_.session_callbacks_del(callbacks);
    return false;
  }
  http2_.session_callbacks_set_on_begin_headers_callback(callbacks, OnBeginHeaders);
  http2_.session_callbacks_set_on_header_callback(callbacks, OnField);
  http2_.session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnChunk);
  http2_.session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
  http2_.session_callbacks_set_on_stream_close_callback(callbacks, OnStreamClose);
  http2_.session_callbacks_set_send_data_callback(callbacks, SendBody);
  http2_.option_set_no_auto_window_update(option, 1);
  const int error = http2_.session_server_new2(&session_, callbacks, this, option);
  http2_.option_del(option);
  http2_.session_callbacks_del(callbacks);
  const Http2Setting settings[] = {{transport::kHttp2MaxConcurrentStreams, most_streams > 0 ? most_streams : UINT32_MAX},
                                   {transport::kHttp2InitialWindowSize, kStreamWindowBytes},
                                   {transport::kHttp2MaxHeaderListSize, kMostHeadBytes}};
  return error == 0 && http2_.submit_settings(session_, 0, settings, 3) == 0 &&
         http2_.session_set_local_window_size(session_, 0, 0, kConnectionWindowBytes) == 0;
}

bool GrpcSession::Receive(const memory::Slice& bytes) {
  receiving_ = &bytes;
  const ssize_t taken = http2_.session_mem_recv(session_, bytes.data, bytes.size);
  receiving_ = nullptr;
  return taken >= 0;
}

GrpcSession::Sent GrpcSession::Send(transport::SocketOutput* output, size_t most_bytes) {
  sending_ = output;
  most_sending_bytes_ = most_bytes;
  Sent sent = Sent::kSome;
  while (sent == Sent::kSome && output->bytes() < most_bytes) {
    const uint8_t* bytes = nullptr;
    const ssize_t size = http2_.session_mem_send(session_, &bytes);
    if (size < 0) sent = Sent::kFailed;
    if (size > 0) output->Append(std::string(Text(bytes, static_cast<size_t>(size))));
    // Nothing, or nothing more for now: see SendBody.
    if (size == 0 && output->bytes() < most_bytes && !EndAnswered()) sent = Sent::kAll;
  }
  sending_ = nullptr;
  if (sent != Sent::kFailed) TellTaken();
  return sent;
}

// A client that has its answer and has not ended its own side would keep the stream: RFC 9113, 8.1. False when there is none.
bool GrpcSession::EndAnswered() {
  bool has_ended = false;
  for (const int32_t id : std::exchange(answered_, {})) {
    const GrpcSessionStream* stream = StreamOf(id);
    if (stream == nullptr || stream->client_has_ended || stream->is_reset()) continue;
    has_ended = http2_.submit_rst_stream(session_, 0, id, transport::kHttp2NoError) == 0 || has_ended;
  }
  return has_ended;
}

void GrpcSession::TellTaken() {
  for (const int32_t id : std::exchange(taken_from_, {})) {
    GrpcSessionStream* stream = StreamOf(id);
    if (stream == nullptr || stream->handler == nullptr) continue;
    const size_t bytes = stream->TakeSentBytes();
    if (bytes > 0) stream->handler->OnTaken(bytes);
  }
}

bool GrpcSession::is_over() const { return http2_.session_want_read(session_) == 0 && http2_.session_want_write(session_) == 0; }

void GrpcSession::Ping() { http2_.submit_ping(session_, 0, nullptr); }

void GrpcSession::TellToGo() { http2_.submit_shutdown_notice(session_); }

void GrpcSession::RefuseNew() { http2_.submit_goaway(session_, 0, last_stream_, transport::kHttp2NoError, nullptr, 0); }

void GrpcSession::CloseStreams(uint32_t error) {
  for (auto& [id, stream] : std::exchange(streams_, {})) {
    if (stream->handler != nullptr) stream->handler->OnClosed(error);
  }
}

GrpcSessionStream* GrpcSession::StreamOf(int32_t id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

void GrpcSession::Close(int32_t id, uint32_t error) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const std::unique_ptr<GrpcSessionStream> stream = std::move(found->second);
  streams_.erase(found);
  stream->DropBody();
  // What nobody will take any more still counts in the window of the connection.
  http2_.session_consume(session_, id, stream->unconsumed_bytes);
  if (stream->handler != nullptr) stream->handler->OnClosed(error);
}

void GrpcSession::TakeField(GrpcSessionStream* stream, std::string_view name, std::string_view value) {
  field_bytes_ += name.size() + value.size() + kFieldBytes;
  if (stream == nullptr || stream->has_request_head || stream->is_reset()) return;  // a trailer: gRPC has none of clients
  if (field_bytes_ > kMostHeadBytes) return stream->Reset(transport::kHttp2EnhanceYourCalm);
  fields_.push_back({std::string(name), std::string(value)});
}

void GrpcSession::TakeChunk(int32_t id, const uint8_t* bytes, size_t size) {
  GrpcSessionStream* stream = StreamOf(id);
  if (stream == nullptr) {
    http2_.session_consume(session_, id, size);
    return;
  }
  stream->unconsumed_bytes += size;
  if (stream->handler == nullptr || stream->is_reset()) return stream->Consumed(size);
  // nghttp2 gives bodies as they lie in what it reads.
  const bool lies_inside = bytes >= receiving_->data && bytes + size <= receiving_->data + receiving_->size;
  if (lies_inside) return stream->handler->OnData(receiving_->Sub(static_cast<size_t>(bytes - receiving_->data), size));
  auto block = memory::BlockPool::Process().Allocate(size);
  if (!block.ok()) return stream->Reset(transport::kHttp2InternalError);
  std::memcpy(block.value()->data(), bytes, size);
  stream->handler->OnData(memory::WholeSlice(std::move(block).value()));
}

void GrpcSession::TakeFrame(const Http2Frame& frame) {
  const bool is_head = frame.head.type == transport::kHttp2Headers;
  if (!is_head && frame.head.type != transport::kHttp2Data) return;
  GrpcSessionStream* stream = StreamOf(frame.head.stream_id);
  if (stream == nullptr) return;
  const bool ends = (frame.head.flags & transport::kHttp2EndStream) != 0;
  stream->client_has_ended = stream->client_has_ended || ends;
  if (is_head && !std::exchange(stream->has_request_head, true) && !stream->is_reset()) {
    stream->handler = owner_->OnCall(fields_, ends, stream);
  }
  if (ends && stream->handler != nullptr && !stream->is_reset()) stream->handler->OnEnd();
}

int GrpcSession::OnBeginHeaders(nghttp2_session*, const Http2Frame* frame, void* user_data) {
  auto* session = static_cast<GrpcSession*>(user_data);
  const int32_t id = frame->head.stream_id;
  session->fields_.clear();
  session->field_bytes_ = 0;
  if (session->StreamOf(id) != nullptr) return 0;  // trailers
  return Guarded([&] {
    session->last_stream_ = id;
    session->streams_.emplace(id, std::make_unique<GrpcSessionStream>(session, id));
  });
}

int GrpcSession::OnField(nghttp2_session*, const Http2Frame* frame, const uint8_t* name, size_t name_bytes, const uint8_t* value,
                         size_t value_bytes, uint8_t, void* user_data) {
  auto* session = static_cast<GrpcSession*>(user_data);
  GrpcSessionStream* stream = session->StreamOf(frame->head.stream_id);
  const int failed = Guarded([&] { session->TakeField(stream, Text(name, name_bytes), Text(value, value_bytes)); });
  return session->field_bytes_ > kEndlessHeadBytes ? transport::kHttp2CallbackFailure : failed;
}

int GrpcSession::OnChunk(nghttp2_session*, uint8_t, int32_t id, const uint8_t* bytes, size_t size, void* user_data) {
  return Guarded([&] { static_cast<GrpcSession*>(user_data)->TakeChunk(id, bytes, size); });
}

int GrpcSession::OnFrame(nghttp2_session*, const Http2Frame* frame, void* user_data) {
  return Guarded([&] { static_cast<GrpcSession*>(user_data)->TakeFrame(*frame); });
}

int GrpcSession::OnStreamClose(nghttp2_session*, int32_t id, uint32_t error, void* user_data) {
  return Guarded([&] { static_cast<GrpcSession*>(user_data)->Close(id, error); });
}

int GrpcSession::SendBody(nghttp2_session*, Http2Frame* frame, const uint8_t* head, size_t size, transport::Http2BodySource* source,
                          void* user_data) {
  auto* session = static_cast<GrpcSession*>(user_data);
  auto* stream = static_cast<GrpcSessionStream*>(source->pointer);
  const int failed = Guarded([&] {
    session->sending_->Append(std::string(Text(head, kFrameHeadBytes)));
    stream->SendBody(size, session->sending_);
    session->taken_bytes_ += size;
    session->taken_from_.push_back(frame->head.stream_id);
  });
  // nghttp2 would go on with the next frame of a body itself, for as long as the client's windows allow.
  if (failed == 0 && session->sending_->bytes() >= session->most_sending_bytes_) return transport::kHttp2Pause;
  return failed;
}

}  // namespace penstock::frontend
