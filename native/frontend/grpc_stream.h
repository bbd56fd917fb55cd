// One call of a gRPC client between its connection, which has the HTTP/2 session, and whoever answers it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "frontend/answer_encoding.h"
#include "frontend/grpc_upstream.h"
#include "frontend/loop.h"
#include "memory/slice.h"

namespace penstock::frontend {

// The connection's side, one for each stream. [loop thread] None of it calls the stream from inside.
class GrpcAnswer {
 public:
  virtual ~GrpcAnswer() = default;
  // The fields of the answer's head, ":status" first. `ends`: nothing follows.
  virtual void SendHead(const std::vector<HeaderField>& fields, bool ends) = 0;
  // Uncopied; sent as the client's window allows.
  virtual void SendData(memory::Slice bytes) = 0;
  // After the data; ends the stream.
  virtual void SendTrailers(const std::vector<HeaderField>& fields) = 0;
  virtual void Reset(uint32_t error) = 0;
  // Bytes of OnData that need no memory any more: the client may send as many again.
  virtual void Consumed(size_t bytes) = 0;
};

// Whoever answers it. Owned by the connection, destroyed after OnClosed.
class GrpcStream {
 public:
  virtual ~GrpcStream() = default;
  // Bytes of the client's body.
  virtual void OnData(memory::Slice bytes) = 0;
  // The client has ended its side.
  virtual void OnEnd() = 0;
  // `bytes` of SendData are on their way: whoever has more may send it.
  virtual void OnTaken(size_t bytes) = 0;
  // The stream is over: answered, reset, or its connection is gone. The answer must not be used any more.
  virtual void OnClosed(uint32_t error) = 0;
};

// What the calls of one connection share.
struct GrpcShared {
  Loop* loop = nullptr;
  size_t in_engine = 0;        // calls that the engine works on, those of streams that are gone included
  uint64_t awaited_bytes = 0;  // of messages that have begun to come, what is still to come
  std::vector<HeaderField> answer_head;  // of every message that is answered with one; the date comes last, and changes once a second
};

// What the head of a plain ModelInfer says.
struct PlainInfer {
  int64_t timeout_ns = 0;                               // since now; 0 = none
  AnswerEncoding encoding = AnswerEncoding::kIdentity;  // of messages that are marked as compressed
};

// frontend/grpc_infer_stream.cc: a plain ModelInfer. `shared` outlives every call of the engine.
std::unique_ptr<GrpcStream> MakeGrpcInferStream(std::shared_ptr<GrpcShared> shared, GrpcAnswer* answer, const PlainInfer& infer);

// frontend/grpc_passed_stream.cc: any other call. `fields` as the client sent them, pseudo fields first. `ends`: it has no body.
std::unique_ptr<GrpcStream> MakeGrpcPassedStream(GrpcUpstream* upstream, GrpcAnswer* answer,
                                                 const std::vector<HeaderField>& fields, bool ends);

}  // namespace penstock::frontend
