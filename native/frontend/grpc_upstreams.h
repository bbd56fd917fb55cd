// The connections to JavaScript of one gRPC client.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "base/status.h"
#include "frontend/grpc_upstream.h"
#include "frontend/hand_off.h"
#include "frontend/loop.h"

namespace penstock::frontend {

// [loop thread]
class GrpcUpstreams {
 public:
  GrpcUpstreams(Loop* loop, std::shared_ptr<HandOff> hand_off) : loop_(loop), hand_off_(std::move(hand_off)) {}

  // The one that takes calls, opened if there is none. Errors: those of GrpcUpstream::Open.
  Result<GrpcUpstream*> Taking();
  // As GrpcUpstream::Close, for all of them.
  void Close();

 private:
  Loop* const loop_;
  const std::shared_ptr<HandOff> hand_off_;
  std::map<uint64_t, std::unique_ptr<GrpcUpstream>> upstreams_;  // all but the last were told to go, and finish their calls
  uint64_t next_name_ = 1;
};

}  // namespace penstock::frontend
