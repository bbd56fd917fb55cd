// A client's connection without TLS.
#pragma once

#include "transport/channel.h"

namespace penstock::transport {

class SocketChannel : public Channel {
 public:
  using Channel::Channel;
  ReceiveBuffer::Got Receive(ReceiveBuffer* buffer, size_t wanted, memory::Slice* slice) override;
  bool has_buffered() const override { return false; }
  bool HasUnread() const override;
  SocketOutput::Sent Flush(SocketOutput* output) override;
  void EndSending() override;
};

}  // namespace penstock::transport
