#include "transport/socket_channel.h"

#include <sys/socket.h>

namespace penstock::transport {

ReceiveBuffer::Got SocketChannel::Receive(ReceiveBuffer* buffer, size_t wanted, memory::Slice* slice) {
  return buffer->Receive(fd(), wanted, slice);
}

bool SocketChannel::HasUnread() const { return WaitingBytes(fd()) > 0; }

SocketOutput::Sent SocketChannel::Flush(SocketOutput* output) { return output->Flush(fd()); }

void SocketChannel::EndSending() { shutdown(fd(), SHUT_WR); }

}  // namespace penstock::transport
