#include "frontend/grpc_upstreams.h"

#include <utility>

namespace penstock::frontend {

Result<GrpcUpstream*> GrpcUpstreams::Taking() {
  if (!upstreams_.empty() && upstreams_.rbegin()->second->takes_calls()) return upstreams_.rbegin()->second.get();
  const uint64_t name = next_name_++;
  Result<std::unique_ptr<GrpcUpstream>> opened =
      GrpcUpstream::Open(loop_->http2(), &loop_->events_loop(), &loop_->receive_buffer(), hand_off_.get(), [this, name] {
        const auto ended = upstreams_.find(name);
        if (ended == upstreams_.end()) return;
        loop_->events_loop().Retire(std::move(ended->second));
        upstreams_.erase(ended);
      });
  if (!opened.ok()) return opened.status();
  return (upstreams_[name] = std::move(opened).value()).get();
}

void GrpcUpstreams::Close() {
  for (auto& [name, upstream] : std::exchange(upstreams_, {})) {
    upstream->Close();
    loop_->events_loop().Retire(std::move(upstream));
  }
}

}  // namespace penstock::frontend
