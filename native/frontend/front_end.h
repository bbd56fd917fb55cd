// The native front end of the process: loops that take the connections of its ports and answer inference; everything else they pass on to
// JavaScript (hand_off.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/status.h"
#include "codec/limits.h"
#include "frontend/hand_off.h"
#include "frontend/loop.h"
#include "frontend/request_events.h"
#include "frontend/tls_contexts.h"
#include "serving/engine.h"
#include "transport/connection_source.h"

namespace penstock::frontend {

class FrontEnd {
 public:
  // The engine lives as long as the process. kNotSupported where gRPC is wanted and there is no nghttp2; kInternal when the system has no
  // thread left.
  static Result<std::unique_ptr<FrontEnd>> Start(const FrontEndOptions& options, serving::Engine* engine, const codec::CodecLimits& limits,
                                                 const ConnectionFactories& factories, std::shared_ptr<RequestEvents> events);
  // Destroys.
  ~FrontEnd();

  // [any thread] For the connections that come from now on, those of Serve included when it comes before; may be called again.
  void SetTls(const TlsContexts& contexts);

  // [one thread] Takes the connections of a port from now on; its counts name each loop by its number.
  void Serve(Protocol protocol, std::shared_ptr<transport::ConnectionSource> port, std::shared_ptr<HandOff> hand_off);

  // All of the following: [any thread but a loop's]. May be repeated.

  // Every answer from now on tells its client to go, and clients of gRPC get a notice; everything is still served.
  void GoAway();
  // Ends idle connections, and the others with their last answer. `on_drained` is called by a loop's thread when no connection is left
  // (Destroy leaves none), by this one when all is destroyed; the ports are closed before.
  void Drain(std::function<void()> on_drained);
  // Closes every connection now, cancels what runs for them and joins the threads.
  void Destroy();

 private:
  struct Attached {
    std::shared_ptr<transport::ConnectionSource> port;
    uint64_t name;
  };
  FrontEnd() = default;

  std::vector<std::shared_ptr<Loop>> loops_;  // all there from the start

  std::mutex mutex_;  // guards all below; who destroys holds it to the end
  std::vector<Attached> attached_;
  bool is_destroyed_ = false;
};

}  // namespace penstock::frontend
