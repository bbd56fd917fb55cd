// What happened to requests, for the log: gathered here by every loop, written by JavaScript, which has the log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace penstock::frontend {

struct RequestEvent {
  enum class Kind : uint8_t { kEnded, kFailed };
  Kind kind = Kind::kEnded;
  std::string method;      // of HTTP; "GRPC"
  std::string path;
  std::string request_id;  // that the client gave; empty = none
  // kEnded
  std::string status;      // HTTP status, name of the gRPC status, or "aborted"
  double duration_ms = 0;
  uint64_t bytes_in = 0;   // of bodies
  uint64_t bytes_out = 0;
  // kFailed
  StatusCode code = StatusCode::kOk;
  std::string message;     // the whole truth
};

// Thread-safe. Bounded: what does not fit is counted and lost, as a log must not be what a server dies of.
class RequestEvents {
 public:
  static constexpr size_t kMostWaiting = 10'000;

  // `wants_ended`: an access line for each request. `wants_refused`: failures that are the client's, too. `wake` is called when events wait
  // and none did before; it must not block.
  RequestEvents(bool wants_ended, bool wants_refused, std::function<void()> wake)
      : wants_ended(wants_ended), wants_refused(wants_refused), wake_(std::move(wake)) {}

  // Whether it is worth to make one: read these first.
  const bool wants_ended;
  const bool wants_refused;

  void Add(RequestEvent event);
  // All that wait. `lost`: since the last call.
  std::vector<RequestEvent> Take(uint64_t* lost);

 private:
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::vector<RequestEvent> waiting_;
  uint64_t lost_ = 0;
};

}  // namespace penstock::frontend
