// One loop of the front end with all that its connections share. Everything here belongs to its thread unless it says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"
#include "codec/limits.h"
#include "frontend/hand_off.h"
#include "frontend/infer_calls.h"
#include "frontend/request_events.h"
#include "frontend/tls_contexts.h"
#include "frontend/zlib_streams.h"
#include "serving/engine.h"
#include "transport/channel.h"
#include "transport/connection_source.h"
#include "transport/event_loop.h"
#include "transport/file_descriptor.h"
#include "transport/nghttp2_api.h"
#include "transport/receive_buffer.h"

namespace penstock::frontend {

enum class Protocol : uint8_t { kHttp, kGrpc };

// Nanoseconds; 0 = no limit, for times and sizes alike.
struct FrontEndOptions {
  size_t loops = 1;                        // at least one
  uint64_t max_request_bytes = 0;          // of a body or message
  uint64_t max_receiving_bytes = 0;        // of bodies that a loop takes in at one time
  uint32_t max_concurrent_streams = 0;     // of an HTTP/2 connection; also how many calls of one are in the engine, cancelled ones included
  int64_t headers_timeout_ns = 0;          // for a head, and for the first bytes of HTTP/2
  int64_t request_timeout_ns = 0;          // for a whole request; and how long a client may take nothing of its answer
  int64_t keep_alive_timeout_ns = 0;       // HTTP/1.1: between two requests
  // gRPC, as src/frontend/grpc/listener.ts has them: a client that has said nothing for so long is asked, and has so long to answer.
  int64_t ping_after_ns = 60 * kNsPerSecond;
  int64_t ping_timeout_ns = 20 * kNsPerSecond;
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

// Who makes connections. [loop thread] They watch their channel from the start and never call Loop::Remove from inside; null when the system
// refuses to have it watched.
struct ConnectionFactories {
  using Make =
      std::function<std::unique_ptr<Connection>(Loop* loop, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff> hand_off)>;
  Make http;
  Make grpc;  // may be empty where no gRPC is served
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
  // What is said to a body that Take had no room for.
  Status Full() const {
    return Status(StatusCode::kInFlightFull, "this front-end thread is taking in its part of --max-receiving-bytes already, " +
                                                 std::to_string(limit_) + " bytes; try again later");
  }

 private:
  const uint64_t limit_;
  uint64_t held_ = 0;  // <= limit_, if there is one
};

// Destroy comes before the last reference goes, or with it.
class Loop : public std::enable_shared_from_this<Loop> {
 public:
  // [any thread] kInternal when the system has no thread left. `http2` may be null where no gRPC is served. The engine is used until
  // Destroy returns.
  static Result<std::shared_ptr<Loop>> Start(const FrontEndOptions& options, serving::Engine* engine, const codec::CodecLimits& limits,
                                             const ConnectionFactories& factories, std::shared_ptr<RequestEvents> events,
                                             const transport::Nghttp2* http2, size_t number);
  ~Loop();

  // [any thread] What a port hands connections to. `ended` is called once for each of them, by the loop's thread, when it has ended or
  // could not be made; those that come after Destroy are closed and nobody is told.
  std::shared_ptr<transport::ConnectionTaker> TakerFor(Protocol protocol, std::shared_ptr<HandOff> hand_off, std::function<void()> ended);

  // [any thread] For the connections that come from now on; those that are there stay as they are.
  void SetTls(TlsContexts contexts);

  // All of the following: [any thread but its own]. May be repeated.

  // Later connections are told at once, too.
  void GoAway();
  // `on_drained` is called once, by the loop's thread, when there is no connection; by this one when the loop is destroyed. Later
  // connections are told to drain at once.
  void Drain(std::function<void()> on_drained);
  // Destroys every connection, joins the thread.
  void Destroy();

  // All of the following: [loop thread].

  // By a connection that has closed its socket; it is destroyed at the end of the turn.
  void Remove(Connection* connection);
  // By a connection that has forgotten its socket: what is made of `channel` takes its place, and gets what has been received already.
  void Replace(Connection* connection, Protocol protocol, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff> hand_off);

  transport::EventLoop& events_loop() { return *events_loop_; }
  transport::ReceiveBuffer& receive_buffer() { return receive_buffer_; }
  InferCalls& calls() { return *calls_; }
  ByteBudget& budget() { return budget_; }
  // Whether there is a zlib; the streams are those of it.
  bool compresses() const { return deflate_streams_.zlib() != nullptr; }
  ZlibStreams& deflate_streams() { return deflate_streams_; }
  ZlibStreams& inflate_streams() { return inflate_streams_; }
  Random& random() { return random_; }
  RequestEvents& request_events() { return *request_events_; }
  serving::Engine& engine() { return *engine_; }
  const FrontEndOptions& options() const { return options_; }
  const codec::CodecLimits& limits() const { return limits_; }
  const transport::Nghttp2* http2() const { return http2_; }
  bool is_going() const { return is_going_; }  // GoAway
  // "Date: ...\r\n" as node:http writes it; made once a second.
  const std::string& date_line();

 private:
  class Taker;
  struct Held {
    std::unique_ptr<Connection> connection;
    std::function<void()> ended;
  };

  Loop(const FrontEndOptions& options, serving::Engine* engine, const codec::CodecLimits& limits, const ConnectionFactories& factories,
       std::shared_ptr<RequestEvents> events, const transport::Nghttp2* http2);
  // [any thread] False, and it never runs, when the loop is destroyed.
  bool Post(std::function<void()> task);
  void Add(Protocol protocol, transport::FileDescriptor socket, std::shared_ptr<HandOff> hand_off, std::function<void()> ended);
  // `make` gives a unique_ptr<Connection>. Null when it could not be made, which `ended` has been told.
  template <typename Maker>
  Connection* Hold(const Maker& make, const std::function<void()>& ended);
  // Null when the system refuses it; may throw std::bad_alloc.
  std::unique_ptr<Connection> MakeFirst(Protocol protocol, transport::FileDescriptor socket, std::shared_ptr<HandOff> hand_off);
  std::unique_ptr<Connection> Make(Protocol protocol, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff> hand_off);
  // Tells it what others have been told before.
  void Welcome(Connection* connection);
  void BeginDrain(std::function<void()> on_drained);
  void TellDrained();
  // Calls it for each, of which some remove themselves.
  void ForEach(void (Connection::*tell)());
  // The last thing that connections hear.
  void End();

  const FrontEndOptions options_;
  serving::Engine* const engine_;
  const codec::CodecLimits limits_;
  const ConnectionFactories factories_;
  const std::shared_ptr<RequestEvents> request_events_;
  const transport::Nghttp2* const http2_;

  // Loop thread only.
  transport::ReceiveBuffer receive_buffer_;
  ByteBudget budget_;
  ZlibStreams deflate_streams_;
  ZlibStreams inflate_streams_;
  Random random_;
  TlsContexts tls_;
  bool is_going_ = false;
  bool is_draining_ = false;
  std::vector<std::function<void()>> on_drained_;
  std::string date_line_;
  std::time_t date_second_ = -1;
  std::unordered_map<Connection*, Held> connections_;
  std::shared_ptr<InferCalls> calls_;

  std::mutex destroy_mutex_;  // who destroys; taken before mutex_
  std::mutex mutex_;          // guards the next, and events_loop_ against threads that post
  bool is_destroyed_ = false;
  std::unique_ptr<transport::EventLoop> events_loop_;  // null once destroyed
};

// "Date: Sat, 21 Nov 2026 22:00:00 GMT\r\n", of seconds since the epoch.
std::string DateLine(std::time_t seconds);

// frontend/http_connection.cc and frontend/grpc_connection.cc, as ConnectionFactories has them.
std::unique_ptr<Connection> MakeHttpConnection(Loop* loop, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff> hand_off);
std::unique_ptr<Connection> MakeGrpcConnection(Loop* loop, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff> hand_off);

}  // namespace penstock::frontend
