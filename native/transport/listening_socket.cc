#include "transport/listening_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace penstock::transport {
namespace {

// Connections that the kernel keeps until they are accepted; the system's own bound (net.core.somaxconn) may be lower.
constexpr int kBacklog = 4096;

bool SetOption(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof(value)) == 0; }

// A socket that listens on `address`, or none with the reason in errno. Linux hands the options on to what is accepted.
FileDescriptor ListenOn(const addrinfo& address) {
  FileDescriptor fd(socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd.ok()) return fd;
  // A restart must not wait for the last connections of its predecessor to be forgotten.
  const bool listens = SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1) && SetOption(fd.get(), SOL_SOCKET, SO_KEEPALIVE, 1) &&
                       SetOption(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1) &&
                       (address.ai_family != AF_INET6 || SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
                       bind(fd.get(), address.ai_addr, address.ai_addrlen) == 0 && listen(fd.get(), kBacklog) == 0;
  if (listens) return fd;
  const int reason = errno;
  fd.Reset();
  errno = reason;
  return fd;
}

uint16_t PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  const bool v6 = address.ss_family == AF_INET6;
  return ntohs(v6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

Status NoSuchHost(const std::string& host) {
  return Status(StatusCode::kConfigOption, "cannot listen on " + host + " (--host): it is not an address of this machine");
}

Status CannotListen(const std::string& host, uint16_t port, const std::string& flag, const char* reason) {
  return Status(StatusCode::kConfigOption,
                "cannot listen on port " + std::to_string(port) + " of " + host + " (--host, " + flag + "): " + reason);
}

Status ListenError(int error, const std::string& host, uint16_t port, const std::string& flag) {
  const std::string named = "port " + std::to_string(port);
  switch (error) {
    case EADDRINUSE:
      return Status(StatusCode::kPortBusy, named + " is already in use; choose another with " + flag);
    case EACCES:
      return Status(StatusCode::kConfigOption, named + " needs privileges this process lacks; choose another with " + flag);
    case EADDRNOTAVAIL:
      return NoSuchHost(host);
    default:
      return CannotListen(host, port, flag, std::strerror(error));
  }
}

}  // namespace

Result<ListeningSocket> Listen(const std::string& host, uint16_t port, const std::string& flag) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failure = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failure == EAI_NONAME || failure == EAI_NODATA) return NoSuchHost(host);
  if (failure != 0) return CannotListen(host, port, flag, gai_strerror(failure));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
  int reason = EADDRNOTAVAIL;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    ListeningSocket listening;
    listening.socket = ListenOn(*address);
    if (listening.socket.ok()) {
      listening.port = PortOf(listening.socket.get());
      return listening;
    }
    reason = errno;
    // A name may have an IPv6 address where IPv6 is off. A port that is taken is taken, whatever the next address says.
    if (reason != EADDRNOTAVAIL && reason != EAFNOSUPPORT) break;
  }
  return ListenError(reason, host, port, flag);
}

}  // namespace penstock::transport
