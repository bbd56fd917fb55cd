// Where connections come from: a port that clients connect to, or a native front end that passes on what it does not answer itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "transport/file_descriptor.h"

namespace penstock::transport {

class ConnectionTaker {
 public:
  virtual ~ConnectionTaker() = default;
  // [any thread, under the source's lock: must not block and must not call the source] A connected, non-blocking socket.
  virtual void Take(FileDescriptor connection) = 0;
};

// All of it: [any thread].
class ConnectionSource {
 public:
  virtual ~ConnectionSource() = default;
  // The name of a new taker. `thread` is what it is called in counts.
  virtual uint64_t Attach(std::shared_ptr<ConnectionTaker> taker, uint32_t thread) = 0;
  // When it returns, Take is not running and is never called again. The taker's connections do not count any more. Unknown names are ignored.
  virtual void Detach(uint64_t name) = 0;
  // One of the connections handed to the taker has ended. Unknown names are ignored.
  virtual void Ended(uint64_t name) = 0;
};

}  // namespace penstock::transport
