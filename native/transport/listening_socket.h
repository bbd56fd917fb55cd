// Opening a TCP port.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "transport/file_descriptor.h"

namespace penstock::transport {

struct ListeningSocket {
  FileDescriptor socket;  // non-blocking
  uint16_t port = 0;
};

// Listens on the first address of `host` (a name or an IPv4 or IPv6 address) that this machine has; "::" takes IPv4 as well. Port 0 picks a
// free one. What it accepts sends small writes at once (TCP_NODELAY) and finds peers that vanished without a word (SO_KEEPALIVE).
// [blocks while a name is looked up] `flag`: the option that names the port, for complaints. kPortBusy; kConfigOption when the port needs
// privileges or the host is no address of this machine. The words are those of src/listen.ts.
Result<ListeningSocket> Listen(const std::string& host, uint16_t port, const std::string& flag);

}  // namespace penstock::transport
