// What happened to requests, for the log: gathered here by every loop, written by JavaScript, which has the log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
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

// Thread-safe. Bounded, by number and by the bytes of each: what does not fit, or finds no memory, is counted and lost, as a log must not be
// what a server dies of.
class RequestEvents {
 public:
  static constexpr size_t kMostWaiting = 10'000;
  // Of each text; what is longer is cut, and ends in "...". A client may send a path of 16 KiB.
  static constexpr size_t kMostTextBytes = 1024;

  // `wants_ended`: an access line for each request. `wants_refused`: failures that are the client's, too. `wake` is called when events wait
  // and none did before; it must not block.
  RequestEvents(bool wants_ended, bool wants_refused, std::function<void()> wake)
      : wants_ended(wants_ended), wants_refused(wants_refused), wake_(std::move(wake)) {}

  const bool wants_ended;
  const bool wants_refused;

  // Which request a line is about.
  struct Name {
    std::string_view method;
    std::string_view path;
    std::string_view request_id;  // empty = none
  };
  struct End {
    std::string_view status;
    int64_t started_ns;  // monotonic
    uint64_t bytes_in;
    uint64_t bytes_out;
  };
  // Nothing where the log does not want it.
  void Ended(const Name& name, const End& end);
  void Failed(const Name& name, const Status& status, bool is_our_fault);

  // The oldest, `most` of them at most. `lost`: since the last call.
  std::vector<RequestEvent> Take(uint64_t* lost, size_t most = kMostWaiting);
  bool HasWaiting() const;

 private:
  template <typename Make>
  void AddOrLose(const Make& make);
  void Add(RequestEvent event);

  const std::function<void()> wake_;
  mutable std::mutex mutex_;  // guards all below
  std::deque<RequestEvent> waiting_;
  uint64_t lost_ = 0;
};

}  // namespace penstock::frontend
