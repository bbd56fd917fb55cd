#include "frontend/grpc_upstream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "memory/block.h"

namespace penstock::frontend {

using transport::Http2Field;
using transport::Http2Setting;
using transport::SocketOutput;

namespace {

// Of one answer, that JavaScript may send before the client has taken any of it. Without a limit of all answers together, so that a client
// which does not take one of them still gets the others: there are at most as many as it may have calls.
constexpr uint32_t kWindowBytes = 256 * 1024;
// Of frames made before the socket takes them. Bodies may be beyond it, but never beyond JavaScript's own window.
constexpr size_t kMostUnsentBytes = 64 * 1024;
// Less than this is copied, because it would hold all of the block that it was received into, as long as whom it is for does not take it. A
// window full of small messages would hold thousands of blocks.
constexpr size_t kLeastUncopiedBytes = 4096;

uint8_t* Bytes(const std::string& text) { return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data())); }

// The same bytes apart from what they were received with. Stays what it is when there is no memory.
memory::Slice Copied(memory::Slice bytes) {
  Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(bytes.size);
  if (!block.ok()) return bytes;
  std::memcpy(block.value()->data(), bytes.data, bytes.size);
  return memory::WholeSlice(std::move(block).value());
}

bool IsInterim(const std::vector<HeaderField>& fields) {
  return !fields.empty() && fields[0].name == ":status" && !fields[0].value.empty() && fields[0].value[0] == '1';
}

}  // namespace

struct GrpcUpstream::Call {
  UpstreamCall* client = nullptr;
  std::deque<memory::Slice> body;   // the client's that has not left
  size_t body_bytes = 0;            // of it
  std::shared_ptr<memory::Block> gathered;  // what the last small pieces were copied into; null when all of them have left
  size_t gathered_bytes = 0;
  bool has_ended = false;           // the client's side, behind `body`
  bool is_asleep = false;           // nghttp2 waits until there is more of the body
  std::vector<HeaderField> fields;  // of the head or trailers that are coming
  bool has_head = false;
  bool is_answered = false;         // wholly
  size_t held_bytes = 0;            // of the answer, that the client has not taken: JavaScript's window is smaller by as many
};

Result<std::unique_ptr<GrpcUpstream>> GrpcUpstream::Open(const transport::Nghttp2* http2, transport::EventLoop* loop,
                                                         transport::ReceiveBuffer* buffer, HandOff* hand_off,
                                                         std::function<void()> on_end) {
  Result<transport::FileDescriptor> socket = hand_off->Connect();
  if (!socket.ok()) return socket.status();
  std::unique_ptr<GrpcUpstream> upstream(new GrpcUpstream(http2, loop, buffer, std::move(socket).value(), std::move(on_end)));
  PENSTOCK_RETURN_IF_ERROR(upstream->Start());
  return upstream;
}

GrpcUpstream::GrpcUpstream(const transport::Nghttp2* http2, transport::EventLoop* loop, transport::ReceiveBuffer* buffer,
                           transport::FileDescriptor socket, std::function<void()> on_end)
    : http2_(*http2), loop_(loop), buffer_(buffer), socket_(std::move(socket)), on_end_(std::move(on_end)) {}

GrpcUpstream::~GrpcUpstream() { Close(); }

Status GrpcUpstream::Start() {
  const Status no_memory(StatusCode::kMemory, "no memory for a connection to JavaScript");
  nghttp2_session_callbacks* callbacks = nullptr;
  if (http2_.session_callbacks_new(&callbacks) != 0) return no_memory;
  http2_.session_callbacks_set_send_data_callback(callbacks, SendBody);
  http2_.session_callbacks_set_on_header_callback(callbacks, OnField);
  http2_.session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnChunk);
  http2_.session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
  http2_.session_callbacks_set_on_stream_close_callback(callbacks, OnStreamClose);
  nghttp2_option* options = nullptr;
  int failed = http2_.option_new(&options);
  if (failed == 0) {
    http2_.option_set_no_auto_window_update(options, 1);
    failed = http2_.session_client_new2(&session_, callbacks, this, options);
    http2_.option_del(options);
  }
  http2_.session_callbacks_del(callbacks);
  const Http2Setting window{transport::kHttp2InitialWindowSize, kWindowBytes};
  if (failed != 0 || http2_.submit_settings(session_, 0, &window, 1) != 0 ||
      http2_.session_set_local_window_size(session_, 0, 0, transport::kHttp2MaxWindow) != 0) {
    return no_memory;
  }
  PENSTOCK_RETURN_IF_ERROR(loop_->Watch(socket_.get(), EPOLLIN, this));
  watched_ = EPOLLIN;
  loop_->AtTurnEnd(this);
  return Status::Ok();
}

bool GrpcUpstream::takes_calls() const {
  return session_ != nullptr && !cannot_send_ && http2_.session_check_request_allowed(session_) != 0;
}

Result<int32_t> GrpcUpstream::Begin(const std::vector<HeaderField>& fields, bool ends, UpstreamCall* call) {
  if (!takes_calls()) return Status(StatusCode::kServerExiting, "the connection to JavaScript takes no calls");
  std::vector<Http2Field> copied;  // by nghttp2
  copied.reserve(fields.size());
  for (const HeaderField& field : fields) {
    copied.push_back({Bytes(field.name), Bytes(field.value), field.name.size(), field.value.size(), 0});
  }
  transport::Http2Body body;
  body.read = ReadBody;
  const int32_t name = http2_.submit_request(session_, nullptr, copied.data(), copied.size(), ends ? nullptr : &body, nullptr);
  if (name < 0) return Status(StatusCode::kMemory, "no memory for a call to JavaScript");
  auto added = std::make_unique<Call>();
  added->client = call;
  added->has_ended = ends;
  calls_.emplace(name, std::move(added));
  loop_->AtTurnEnd(this);
  return name;
}

GrpcUpstream::Call* GrpcUpstream::CallOf(int32_t name) const {
  const auto found = calls_.find(name);
  return found == calls_.end() ? nullptr : found->second.get();
}

void GrpcUpstream::SendData(int32_t name, memory::Slice bytes) {
  Call* call = CallOf(name);
  if (call == nullptr || bytes.size == 0) return;
  call->body_bytes += bytes.size;
  Keep(call, std::move(bytes));
  Wake(name, call);
}

// Small pieces are copied behind each other: JavaScript may not take them for as long as the client likes.
void GrpcUpstream::Keep(Call* call, memory::Slice bytes) {
  if (bytes.size >= kLeastUncopiedBytes) return call->body.push_back(std::move(bytes));
  if (call->gathered == nullptr || call->gathered->size() - call->gathered_bytes < bytes.size) {
    Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(kLeastUncopiedBytes);
    if (!block.ok()) return call->body.push_back(std::move(bytes));
    call->gathered = std::move(block).value();
    call->gathered_bytes = 0;
  }
  std::memcpy(call->gathered->data() + call->gathered_bytes, bytes.data, bytes.size);
  const memory::Slice copied = memory::WholeSlice(call->gathered).Sub(call->gathered_bytes, bytes.size);
  call->gathered_bytes += bytes.size;
  if (!call->body.empty() && call->body.back().data + call->body.back().size == copied.data && call->body.back().owner == copied.owner) {
    call->body.back().size += copied.size;
  } else {
    call->body.push_back(copied);
  }
}

void GrpcUpstream::EndData(int32_t name) {
  Call* call = CallOf(name);
  if (call == nullptr) return;
  call->has_ended = true;
  Wake(name, call);
}

// Its body has more to give.
void GrpcUpstream::Wake(int32_t name, Call* call) {
  if (call->is_asleep) http2_.session_resume_data(session_, name);
  call->is_asleep = false;
  loop_->AtTurnEnd(this);
}

void GrpcUpstream::Consumed(int32_t name, size_t bytes) {
  Call* call = CallOf(name);
  if (call == nullptr) return;
  call->held_bytes -= bytes;
  http2_.session_consume(session_, name, bytes);
  loop_->AtTurnEnd(this);
}

void GrpcUpstream::Cancel(int32_t name, uint32_t error) {
  if (CallOf(name) == nullptr) return;
  http2_.submit_rst_stream(session_, 0, name, error);
  Forget(name);
  loop_->AtTurnEnd(this);
}

void GrpcUpstream::Forget(int32_t name) {
  const auto found = calls_.find(name);
  // Nobody gives them back any more, but the window of all answers is also smaller by as many.
  if (found->second->held_bytes > 0) http2_.session_consume(session_, name, found->second->held_bytes);
  calls_.erase(found);
}

void GrpcUpstream::Close() {
  on_end_ = nullptr;
  calls_.clear();
  events_.clear();
  if (socket_.ok()) loop_->Forget(socket_.get());
  socket_.Reset();
  if (session_ != nullptr) http2_.session_del(session_);
  session_ = nullptr;
}

void GrpcUpstream::OnReady(uint32_t events) {
  if (session_ == nullptr) return;
  if ((events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) Receive();
  if (session_ != nullptr) loop_->AtTurnEnd(this);
}

void GrpcUpstream::Receive() {
  memory::Slice bytes;
  const transport::ReceiveBuffer::Got got = buffer_->Receive(socket_.get(), 0, &bytes);
  if (got == transport::ReceiveBuffer::Got::kNothing) return;
  if (got != transport::ReceiveBuffer::Got::kBytes) return End();
  receiving_ = &bytes;
  const ssize_t taken = http2_.session_mem_recv(session_, bytes.data, bytes.size);
  receiving_ = nullptr;
  Tell();
  if (taken < 0) End();
}

void GrpcUpstream::OnTurnEnd() {
  if (session_ == nullptr) return;
  is_sending_ = true;
  const bool is_alive = Send();
  is_sending_ = false;
  Tell();
  if (session_ == nullptr) return;
  // It wants neither after a GOAWAY, whosever it was, when its calls are over.
  const bool wants_more = http2_.session_want_read(session_) != 0 || http2_.session_want_write(session_) != 0 || !output_.empty();
  if (!is_alive || !wants_more) End();
}

// False when the session has failed.
bool GrpcUpstream::Send() {
  SocketOutput::Sent sent = SocketOutput::Sent::kAll;
  ssize_t size = 1;
  while (size > 0 && sent == SocketOutput::Sent::kAll && !cannot_send_) {
    while (size > 0 && output_.bytes() < kMostUnsentBytes) {
      const uint8_t* bytes = nullptr;
      size = http2_.session_mem_send(session_, &bytes);
      if (size > 0) output_.Append(std::string(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size)));
    }
    if (size < 0) return false;
    sent = output_.Flush(socket_.get());
    cannot_send_ = sent == SocketOutput::Sent::kBroken;
  }
  const uint32_t watched = sent == SocketOutput::Sent::kSome ? EPOLLIN | EPOLLOUT : EPOLLIN;
  if (watched != watched_) loop_->Rewatch(socket_.get(), watched, this);
  watched_ = watched;
  return true;
}

void GrpcUpstream::Tell() {
  while (!events_.empty()) {
    Event event = std::move(events_.front());
    events_.pop_front();
    const Call* call = CallOf(event.call);
    if (call == nullptr) continue;  // cancelled meanwhile
    UpstreamCall* client = call->client;
    switch (event.kind) {
      case Event::Kind::kHead:
        client->OnAnswerHead(std::move(event.fields), event.ends);
        break;
      case Event::Kind::kData:
        client->OnAnswerData(std::move(event.bytes));
        break;
      case Event::Kind::kTrailers:
        client->OnAnswerTrailers(std::move(event.fields));
        break;
      case Event::Kind::kSent:
        client->OnSent(event.sent);
        break;
      case Event::Kind::kClosed: {
        const bool is_answered = call->is_answered;
        Forget(event.call);
        client->OnOver(is_answered ? UpstreamCall::Ending::kAnswered : UpstreamCall::Ending::kReset, event.error);
        break;
      }
    }
  }
}

void GrpcUpstream::End() {
  if (session_ == nullptr) return;
  cannot_send_ = true;  // so that nobody who is told makes new calls
  while (!calls_.empty()) {
    const auto first = calls_.begin();
    UpstreamCall* client = first->second->client;
    const bool is_answered = first->second->is_answered;
    calls_.erase(first);
    client->OnOver(is_answered ? UpstreamCall::Ending::kAnswered : UpstreamCall::Ending::kLost, transport::kHttp2NoError);
  }
  const std::function<void()> on_end = std::move(on_end_);
  Close();
  if (on_end) on_end();
}

ssize_t GrpcUpstream::ReadBody(nghttp2_session*, int32_t name, uint8_t*, size_t bytes, uint32_t* flags, transport::Http2BodySource*,
                               void* user_data) {
  Call* call = static_cast<GrpcUpstream*>(user_data)->CallOf(name);
  if (call == nullptr) return transport::kHttp2Deferred;  // cancelled: its reset is on its way
  call->is_asleep = call->body_bytes == 0 && !call->has_ended;
  if (call->is_asleep) return transport::kHttp2Deferred;
  const size_t size = std::min(bytes, call->body_bytes);
  *flags |= transport::kHttp2NoCopy;
  if (call->has_ended && size == call->body_bytes) *flags |= transport::kHttp2BodyEnd;
  return static_cast<ssize_t>(size);
}

int GrpcUpstream::SendBody(nghttp2_session*, transport::Http2Frame* frame, const uint8_t* head, size_t size, transport::Http2BodySource*,
                           void* user_data) {
  constexpr size_t kHeadBytes = 9;
  auto* upstream = static_cast<GrpcUpstream*>(user_data);
  Call* call = upstream->CallOf(frame->head.stream_id);
  if (call == nullptr) return transport::kHttp2CallbackFailure;  // cannot be: its body was read just now
  upstream->output_.Append(std::string(reinterpret_cast<const char*>(head), kHeadBytes));
  if (size > 0) upstream->events_.push_back({Event::Kind::kSent, frame->head.stream_id, {}, false, {}, size});
  call->body_bytes -= size;
  while (size > 0) {
    memory::Slice& first = call->body.front();
    const size_t part = std::min(size, first.size);
    upstream->output_.Append(first.Sub(0, part));
    size -= part;
    if (part == first.size) {
      call->body.pop_front();
    } else {
      first = first.Sub(part, first.size - part);
    }
  }
  if (call->body.empty()) call->gathered.reset();
  return 0;
}

int GrpcUpstream::OnField(nghttp2_session*, const transport::Http2Frame* frame, const uint8_t* name, size_t name_bytes,
                          const uint8_t* value, size_t value_bytes, uint8_t, void* user_data) {
  Call* call = static_cast<GrpcUpstream*>(user_data)->CallOf(frame->head.stream_id);
  if (call == nullptr) return 0;
  call->fields.push_back({std::string(reinterpret_cast<const char*>(name), name_bytes),
                          std::string(reinterpret_cast<const char*>(value), value_bytes)});
  return 0;
}

int GrpcUpstream::OnChunk(nghttp2_session* session, uint8_t, int32_t name, const uint8_t* bytes, size_t size, void* user_data) {
  auto* upstream = static_cast<GrpcUpstream*>(user_data);
  Call* call = upstream->CallOf(name);
  if (call == nullptr) return upstream->http2_.session_consume(session, name, size);
  call->held_bytes += size;
  memory::Slice chunk{bytes, size, upstream->receiving_->kind, upstream->receiving_->owner};
  if (size < kLeastUncopiedBytes) chunk = Copied(std::move(chunk));
  upstream->events_.push_back({Event::Kind::kData, name, {}, false, std::move(chunk)});
  return 0;
}

int GrpcUpstream::OnFrame(nghttp2_session*, const transport::Http2Frame* frame, void* user_data) {
  auto* upstream = static_cast<GrpcUpstream*>(user_data);
  const uint8_t type = frame->head.type;
  if (type != transport::kHttp2Headers && type != transport::kHttp2Data) return 0;
  Call* call = upstream->CallOf(frame->head.stream_id);
  if (call == nullptr) return 0;
  const bool ends = (frame->head.flags & transport::kHttp2EndStream) != 0;
  call->is_answered = ends;
  std::vector<HeaderField> fields = std::exchange(call->fields, {});
  if (type == transport::kHttp2Headers && !call->has_head) {
    if (IsInterim(fields)) return 0;
    call->has_head = true;
    upstream->events_.push_back({Event::Kind::kHead, frame->head.stream_id, std::move(fields), ends});
  } else if (ends) {
    upstream->events_.push_back({Event::Kind::kTrailers, frame->head.stream_id, std::move(fields)});
  }
  return 0;
}

int GrpcUpstream::OnStreamClose(nghttp2_session* session, int32_t name, uint32_t error, void* user_data) {
  auto* upstream = static_cast<GrpcUpstream*>(user_data);
  // What waits when a GOAWAY comes is given up by nghttp2 instead of sent: to the client JavaScript has refused it.
  const bool never_left =
      upstream->is_sending_ && error == transport::kHttp2InternalError && upstream->http2_.session_check_request_allowed(session) == 0;
  upstream->events_.push_back({Event::Kind::kClosed, name, {}, false, {}, 0, never_left ? transport::kHttp2RefusedStream : error});
  return 0;
}

}  // namespace penstock::frontend
