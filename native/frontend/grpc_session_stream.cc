#include "frontend/grpc_session_stream.h"

#include <algorithm>
#include <string>
#include <utility>

#include "frontend/grpc_session.h"

namespace penstock::frontend {
namespace {

uint8_t* Bytes(const std::string& text) { return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data())); }

std::vector<transport::Http2Field> Fields(const std::vector<HeaderField>& fields) {
  std::vector<transport::Http2Field> copied;
  copied.reserve(fields.size());
  for (const HeaderField& field : fields) {
    copied.push_back({Bytes(field.name), Bytes(field.value), field.name.size(), field.value.size(), 0});
  }
  return copied;
}

}  // namespace

void GrpcSessionStream::SendHead(const std::vector<HeaderField>& fields, bool ends) {
  if (has_head_ || is_reset_) return;
  has_head_ = true;
  const std::vector<transport::Http2Field> copied = Fields(fields);
  transport::Http2Body body;
  body.source.pointer = this;
  body.read = ReadBody;
  if (session_->http2_.submit_response(session_->session_, id_, copied.data(), copied.size(), ends ? nullptr : &body) != 0) {
    return Reset(transport::kHttp2InternalError);
  }
  if (ends) session_->Answered(this);
  is_answered_ = ends;
  session_->owner_->OnUnsent();
}

void GrpcSessionStream::SendData(memory::Slice bytes) {
  if (!has_head_ || has_trailers_ || is_answered_ || is_reset_ || bytes.size == 0) return;
  waiting_bytes_ += bytes.size;
  session_->waiting_bytes_ += bytes.size;
  body_.push_back(std::move(bytes));
  Wake();
}

void GrpcSessionStream::SendTrailers(const std::vector<HeaderField>& fields) {
  if (!has_head_ || has_trailers_ || is_answered_ || is_reset_) return;
  has_trailers_ = true;
  trailers_ = fields;
  Wake();
}

void GrpcSessionStream::Reset(uint32_t error) {
  if (is_reset_) return;
  is_reset_ = true;
  DropBody();
  session_->http2_.submit_rst_stream(session_->session_, 0, id_, error);
  session_->owner_->OnUnsent();
}

void GrpcSessionStream::Consumed(size_t bytes) {
  const size_t counted = std::min(bytes, unconsumed_bytes);
  unconsumed_bytes -= counted;
  session_->http2_.session_consume(session_->session_, id_, counted);
  session_->owner_->OnUnsent();
}

size_t GrpcSessionStream::TakeSentBytes() { return std::exchange(sent_bytes_, 0); }

void GrpcSessionStream::Wake() {
  if (std::exchange(is_asleep_, false)) session_->http2_.session_resume_data(session_->session_, id_);
  session_->owner_->OnUnsent();
}

void GrpcSessionStream::DropBody() {
  session_->waiting_bytes_ -= std::exchange(waiting_bytes_, 0);
  body_.clear();
  first_sent_ = 0;
}

ssize_t GrpcSessionStream::ReadBody(nghttp2_session*, int32_t id, uint8_t*, size_t bytes, uint32_t* flags,
                                    transport::Http2BodySource* source, void*) {
  auto* stream = static_cast<GrpcSessionStream*>(source->pointer);
  const size_t size = std::min(bytes, stream->waiting_bytes_);
  if (size > 0) *flags |= transport::kHttp2NoCopy;
  if (stream->has_trailers_ && size == stream->waiting_bytes_) {
    *flags |= transport::kHttp2BodyEnd;
    if (!stream->trailers_.empty()) {
      *flags |= transport::kHttp2NoEndStream;
      const std::vector<transport::Http2Field> fields = Fields(stream->trailers_);
      const GrpcSession& session = *stream->session_;
      if (session.http2_.submit_trailer(session.session_, id, fields.data(), fields.size()) != 0) return transport::kHttp2StreamFailure;
    }
    stream->is_answered_ = true;
    stream->session_->Answered(stream);
  } else if (size == 0) {
    stream->is_asleep_ = true;
    return transport::kHttp2Deferred;
  }
  return static_cast<ssize_t>(size);
}

void GrpcSessionStream::SendBody(size_t bytes, transport::SocketOutput* output) {
  waiting_bytes_ -= bytes;
  session_->waiting_bytes_ -= bytes;
  sent_bytes_ += bytes;
  auto first = body_.begin();
  while (bytes > 0) {
    const size_t part = std::min(bytes, first->size - first_sent_);
    output->Append(first->Sub(first_sent_, part));
    first_sent_ += part;
    bytes -= part;
    if (first_sent_ < first->size) continue;
    ++first;
    first_sent_ = 0;
  }
  body_.erase(body_.begin(), first);
}

}  // namespace penstock::frontend
