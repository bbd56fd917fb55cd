// The way up to JavaScript: connections within the process, whose other ends come to a front-end thread as if clients had connected.
//
// What the native front end does not answer itself it writes there, as it came: the JavaScript front ends stay the only place that knows
// all other routes and calls, and back-pressure is that of a socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "base/status.h"
#include "transport/connection_source.h"
#include "transport/connection_takers.h"
#include "transport/file_descriptor.h"

namespace penstock::frontend {

// Of one port. Thread-safe.
class HandOff : public transport::ConnectionSource {
 public:
  // `max_connections`: as many as the port may have clients, each of which needs one at a time. It holds for JavaScript's ends: a client
  // that has left has made room at its port, but here only when JavaScript has noticed.
  explicit HandOff(size_t max_connections) : max_connections_(max_connections) {}

  // One end of a new connection, non-blocking; the other one goes to the taker that has fewest. kServerExiting when nobody takes,
  // kInFlightFull beyond the limit. kInternal when the system has no descriptor left, which is said once a second: kInFlightFull in between.
  Result<transport::FileDescriptor> Connect();

  uint64_t Attach(std::shared_ptr<transport::ConnectionTaker> taker, uint32_t thread) override;
  void Detach(uint64_t name) override;
  void Ended(uint64_t name) override;

 private:
  Status Failed(int error);  // [under mutex_]

  const size_t max_connections_;
  std::mutex mutex_;  // guards all below
  transport::ConnectionTakers takers_;
  int64_t told_ns_ = 0;  // when kInternal was given last; 0 = never
};

}  // namespace penstock::frontend
