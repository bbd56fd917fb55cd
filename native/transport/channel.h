// What a client's connection receives from and sends to: its socket as it is, or TLS over it.
#pragma once

#include <cstddef>
#include <utility>

#include "memory/slice.h"
#include "transport/file_descriptor.h"
#include "transport/receive_buffer.h"
#include "transport/socket_output.h"

namespace penstock::transport {

// Owns its socket, which is non-blocking. Not thread-safe.
class Channel {
 public:
  explicit Channel(FileDescriptor socket) : socket_(std::move(socket)) {}
  virtual ~Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  int fd() const { return socket_.get(); }  // to be watched; -1 once closed
  bool is_open() const { return socket_.ok(); }
  // Only TLS says it to the client, and only where all has left that it was given.
  virtual void Close() { socket_.Reset(); }

  // As ReceiveBuffer::Receive.
  virtual ReceiveBuffer::Got Receive(ReceiveBuffer* buffer, size_t wanted, memory::Slice* slice) = 0;
  // Receive has something at once that no event will tell of: it has left the kernel already.
  virtual bool has_buffered() const = 0;
  // Bytes of the client have come and have not been received.
  virtual bool HasUnread() const = 0;

  // As SocketOutput::Flush. What is dropped from `output` is with the kernel: an empty one has left.
  virtual SocketOutput::Sent Flush(SocketOutput* output) = 0;
  // Nothing is sent any more, which the client is told; it may still send.
  virtual void EndSending() = 0;
  // What was sent is cut short: the client is not told that it ends, which TLS would have it take for the whole.
  virtual void SayNoEnd() {}

 private:
  FileDescriptor socket_;
};

}  // namespace penstock::transport
