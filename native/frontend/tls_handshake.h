// A client while it agrees with us on TLS; then another connection has its channel and its place in the loop.
#pragma once

#include <cstdint>
#include <memory>

#include "frontend/hand_off.h"
#include "frontend/loop.h"
#include "transport/event_loop.h"
#include "transport/tls_channel.h"

namespace penstock::frontend {

// [loop thread] Has as long as a head may take. A client that does not speak TLS, or fails, just loses its connection: it has asked for
// nothing yet.
class TlsHandshake : public Connection {
 public:
  TlsHandshake(Loop* loop, Protocol protocol, std::unique_ptr<transport::TlsChannel> channel, std::shared_ptr<HandOff> hand_off);
  // Once, before anything else. False when the system refuses it.
  bool Begin();

  void GoAway() override {}  // the loop tells the one that follows
  void Drain() override { Close(); }
  void Destroy() override { Close(); }

  void OnReady(uint32_t events) override;

 private:
  void Watch(uint32_t events);
  void Close();

  Loop* const loop_;
  const Protocol protocol_;
  std::unique_ptr<transport::TlsChannel> channel_;  // null once another has it, or it is closed
  const std::shared_ptr<HandOff> hand_off_;
  transport::Timer timer_;
  uint32_t watched_ = 0;
};

}  // namespace penstock::frontend
