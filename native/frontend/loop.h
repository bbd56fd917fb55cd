// One loop of the front end with all that its connections share. Everything here belongs to its thread unless it says otherwise.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/random.h"
#include "codec/limits.h"
#include "frontend/hand_off.h"
#include "frontend/infer_calls.h"
#include "frontend/request_events.h"
#include "serving/engine.h"
#include "transport/connection_source.h"
#include "transport/event_loop.h"
#include "transport/nghttp2_api.h"
#include "transport/receive_buffer.h"

namespace penstock::frontend {

enum class Protocol : uint8_t { kHttp, kGrpc };

// Nanoseconds; 0 = no limit, for times and sizes alike.
struct FrontEndOptions {
  size_t loops = 1;
  uint64_t max_request_bytes = 0;          // of a body or message
  uint64_t max_receiving_bytes = 0;        // of bodies that a loop takes in at one time
  uint32_t max_concurrent_streams = 100;   // of an HTTP/2 connection; also how many calls of one the engine works on, cancelled ones included
  int64_t headers_timeout_ns = 0;          // for a head, and for the first bytes of HTTP/2
  int64_t request_timeout_ns = 0;          // for a whole request; and how long a client may take nothing of its answer
  int64_t keep_alive_timeout_ns = 0;       // HTTP/1.1: between two requests
  bool serves_grpc = false;
};

class Loop;

// One client. Made by Loop, which owns it and destroys it after `Loop::Remove`.
class Connection : public transport::EventHandler {
 public:
  // Clients are told to go with the next answer (HTTP) or now (gRPC).
  virtual void GoAway() = 0;
  // The same, and it ends when it is idle: at once, or after its last answer.
  virtual void Drain() = 0;
  // Ends now: cancels its calls, closes its socket, calls Loop::Remove.
  virtual void Destroy() = 0;
};

// Bytes of bodies that a loop is taking in (src/frontend/http/byte-budget.ts). A body counts as it arrives.
class ByteBudget {
 public:
  explicit ByteBudget(uint64_t limit) : limit_(limit) {}
  // False, and nothing taken, when it would pass the limit.
  bool Take(uint64_t bytes) {
    if (limit_ > 0 && bytes > limit_ - held_) return false;
    held_ += bytes;
    return true;
  }
  void GiveBack(uint64_t bytes) { held_ -= bytes; }
  uint64_t limit() const { return limit_; }

 private:
  const uint64_t limit_;
  uint64_t held_ = 0;  // <= limit_, if there is one
};

class Loop : public std::enable_shared_from_this<Loop> {
 public:
  // [any thread] kInternal when the system has no thread left. `http2` may be null where no gRPC is served.
  static Result<std::shared_ptr<Loop>> Start(const FrontEndOptions& options, serving::Engine* engine, const codec::CodecLimits& limits,
                                             std::shared_ptr<RequestEvents> events, const transport::Nghttp2* http2, size_t number);

  // [any thread] What a port hands connections to. `ended` tells the port that one of them has ended.
  std::shared_ptr<transport::ConnectionTaker> TakerFor(Protocol protocol, std::shared_ptr<HandOff> hand_off, std::function<void()> ended);

  // [any thread but its own]
  void GoAway();
  void Drain(std::function<void()> on_drained);
  // Destroys every connection, joins the thread.
  void Destroy();

  // All of the following: [loop thread].

  // By a connection that has closed its socket; it is destroyed at the end of the turn.
  void Remove(Connection* connection);

  transport::EventLoop& events_loop() { return *events_loop_; }
  transport::ReceiveBuffer& receive_buffer() { return receive_buffer_; }
  InferCalls& calls() { return *calls_; }
  ByteBudget& budget() { return budget_; }
  Random& random() { return random_; }
  RequestEvents& request_events() { return *request_events_; }
  serving::Engine& engine() { return *engine_; }
  const FrontEndOptions& options() const { return options_; }
  const codec::CodecLimits& limits() const { return limits_; }
  const transport::Nghttp2* http2() const { return http2_; }
  bool is_going() const { return is_going_; }        // GoAway
  bool is_draining() const { return is_draining_; }  // Drain
  // "Date: ...\r\n" as node:http writes it; made once a second.
  const std::string& date_line();

 private:
  struct Held {
    std::unique_ptr<Connection> connection;
    std::function<void()> ended;
  };
  Loop(const FrontEndOptions& options, serving::Engine* engine, const codec::CodecLimits& limits, std::shared_ptr<RequestEvents> events,
       const transport::Nghttp2* http2);
  void Add(Protocol protocol, transport::FileDescriptor socket, std::shared_ptr<HandOff> hand_off, std::function<void()> ended);

  const FrontEndOptions options_;
  serving::Engine* const engine_;
  const codec::CodecLimits limits_;
  const std::shared_ptr<RequestEvents> request_events_;
  const transport::Nghttp2* const http2_;
  transport::ReceiveBuffer receive_buffer_;
  ByteBudget budget_;
  Random random_;
  bool is_going_ = false;
  bool is_draining_ = false;
  std::function<void()> on_drained_;
  std::string date_line_;
  int64_t date_second_ = 0;
  std::unordered_map<Connection*, Held> connections_;
  std::shared_ptr<InferCalls> calls_;
  std::unique_ptr<transport::EventLoop> events_loop_;  // destroyed first: joins the thread
};

// frontend/http_connection.cc and frontend/grpc_connection.cc. Both watch their socket from the start; they never call Loop::Remove from
// inside.
std::unique_ptr<Connection> MakeHttpConnection(Loop* loop, transport::FileDescriptor socket, std::shared_ptr<HandOff> hand_off);
std::unique_ptr<Connection> MakeGrpcConnection(Loop* loop, transport::FileDescriptor socket, std::shared_ptr<HandOff> hand_off);

}  // namespace penstock::frontend
