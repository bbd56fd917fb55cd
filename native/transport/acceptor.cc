#include "transport/acceptor.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace penstock::transport {
namespace {

// How long the thread leaves the backlog alone when the system has no descriptor or no memory for a connection.
constexpr int kBackOffMs = 50;
// At the end no more than the backlog can hold: who connects all the time must not keep the port open.
constexpr int kLastAccepts = 4096;

// Connections that were gone before they were accepted; accept(2) names the errors of the network that it passes on.
bool IsGone(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<std::shared_ptr<Acceptor>> Acceptor::Open(const ListenOptions& options) {
  Result<ListeningSocket> listening = Listen(options.host, options.port, options.flag);
  if (!listening.ok()) return listening.status();
  FileDescriptor wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.ok()) return Status(StatusCode::kInternal, std::string("no event descriptor for an accept thread: ") + std::strerror(errno));
  std::shared_ptr<Acceptor> acceptor(new Acceptor(std::move(listening).value(), std::move(wake), options.max_connections));
  try {
    acceptor->thread_ = std::thread([raw = acceptor.get()] { raw->Run(); });
  } catch (const std::system_error& error) {
    return Status(StatusCode::kInternal, std::string("no accept thread: ") + error.what());
  }
  return acceptor;
}

Acceptor::Acceptor(ListeningSocket listening, FileDescriptor wake, size_t max_connections)
    : port_(listening.port), max_connections_(max_connections), listener_(std::move(listening.socket)), wake_(std::move(wake)) {}

uint64_t Acceptor::Attach(std::shared_ptr<ConnectionTaker> taker, uint32_t thread) {
  std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t name = takers_.Add(std::move(taker), thread);
  Wake();
  return name;
}

void Acceptor::Detach(uint64_t name) {
  std::shared_ptr<ConnectionTaker> left;  // goes after the lock
  std::lock_guard<std::mutex> lock(mutex_);
  left = takers_.Remove(name);
}

void Acceptor::Ended(uint64_t name) {
  std::lock_guard<std::mutex> lock(mutex_);
  takers_.Ended(name);
}

void Acceptor::Close() {
  std::lock_guard<std::mutex> join_lock(join_mutex_);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
    Wake();
  }
  if (thread_.joinable()) thread_.join();
  std::lock_guard<std::mutex> lock(mutex_);
  wake_.Reset();
}

bool Acceptor::closed() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return closing_;
}

std::vector<ConnectionTakers::Count> Acceptor::Counts() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return takers_.Counts();
}

void Acceptor::Run() {
  pthread_setname_np(pthread_self(), "penstock-accept");
  bool backs_off = false;
  for (;;) {
    bool accepts = false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (closing_) break;
      accepts = !takers_.empty() && !backs_off;
    }
    // A negative descriptor is left out: not even an error of the listener may wake a thread that cannot do anything about it.
    pollfd waits[] = {{wake_.get(), POLLIN, 0}, {accepts ? listener_.get() : -1, POLLIN, 0}};
    poll(waits, 2, backs_off ? kBackOffMs : -1);
    if (waits[0].revents != 0) {
      eventfd_t wakes = 0;
      eventfd_read(wake_.get(), &wakes);
    }
    // Only when the pause is over: takers that come meanwhile find no more descriptors than there were.
    if (backs_off) backs_off = waits[0].revents != 0;
    if (waits[1].revents != 0) backs_off = AcceptOne() == Next::kBackOff;
  }
  int last = 0;
  while (last < kLastAccepts && AcceptOne() == Next::kMore) ++last;
  listener_.Reset();
}

Acceptor::Next Acceptor::AcceptOne() {
  // Held all the while (accept does not block), so that whoever is there to take it still is when it has come.
  std::lock_guard<std::mutex> lock(mutex_);
  if (takers_.empty()) return Next::kNone;
  FileDescriptor connection(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (connection.ok()) {
    if (takers_.connections() < max_connections_) takers_.HandOut(std::move(connection));
    return Next::kMore;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK) return Next::kNone;
  if (IsGone(errno)) return Next::kMore;
  shortage_ = errno;
  return Next::kBackOff;
}

void Acceptor::Wake() {
  if (wake_.ok()) eventfd_write(wake_.get(), 1);
}

}  // namespace penstock::transport
