#include "loadgen/worker.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/clock.h"

namespace penstock::loadgen {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;
constexpr int kSendsPerTurn = 16;
// Falling asleep and waking up takes about as long: a request that is due earlier is waited for awake.
constexpr int64_t kAwakeNs = 50'000;
constexpr int kConnectMs = 10'000;
constexpr int kStopCheckMs = 50;  // how soon a worker that has nothing to do notices that it is to stop

Outcome OutcomeOf(const ReplyReader& reply) {
  if (reply.status() == 200) return reply.body_is_expected() ? Outcome::kAnswered : Outcome::kWrong;
  return reply.status() == 503 || reply.status() == 429 ? Outcome::kShed : Outcome::kFailed;
}

}  // namespace

Worker::Worker(const LoadOptions& options, const ServerAddress& address, size_t share, const std::atomic<bool>& stop)
    : options_(options),
      address_(address),
      share_(share),
      stop_(stop),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      buffer_(kBufferBytes) {
  epoll_event event{};
  event.events = EPOLLIN;  // data.ptr stays null: no connection
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &event);
}

Status Worker::Connect(size_t connections) {
  for (size_t i = 0; i < connections; ++i) {
    if (!Open(AddConnection())) return {StatusCode::kClosed, std::strerror(errno)};
  }
  for (const auto& connection : connections_) {
    // Once it is writable it is connected, or has failed.
    pollfd waits{connection->socket.get(), POLLOUT, 0};
    int error = ETIMEDOUT;
    socklen_t size = sizeof error;
    if (poll(&waits, 1, kConnectMs) == 1) getsockopt(connection->socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return {StatusCode::kClosed, std::strerror(error)};
    Await(connection.get(), false);
  }
  return Status::Ok();
}

void Worker::Run(int64_t start_ns, size_t max_connections) {
  max_connections_ = max_connections;
  sender_ = std::make_unique<Sender>(options_.sender, start_ns, share_, options_.threads);
  int64_t end_ns = start_ns + options_.sender.schedule.length_ns + options_.grace_ns;
  for (int64_t now_ns = MonotonicNs(); now_ns < end_ns; now_ns = MonotonicNs()) {
    if (stop_.load(std::memory_order_relaxed) && !was_stopped_) {
      was_stopped_ = !sender_->IsOver(now_ns);
      sender_->Stop();
      end_ns = std::min(end_ns, now_ns + options_.grace_ns);
    }
    if (sender_->IsOver(now_ns) && in_flight_ == 0) return;
    SendDue();
    Poll();
  }
  GiveUp();
}

Worker::Connection* Worker::AddConnection() {
  connections_.push_back(std::make_unique<Connection>(&options_.expected));
  idle_.push_back(connections_.back().get());
  return connections_.back().get();
}

// False with errno when it fails at once.
bool Worker::Open(Connection* connection) {
  connection->socket.Reset(socket(address_.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int fd = connection->socket.get();
  if (fd < 0) return false;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address_.bytes), address_.size) != 0 && errno != EINPROGRESS) {
    const int error = errno;
    connection->socket.Reset();
    errno = error;
    return false;
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT;
  event.data.ptr = connection;
  connection->awaits_room = true;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Worker::SendDue() {
  for (int turn = 0; turn < kSendsPerTurn && sender_->IsDue(MonotonicNs()); ++turn) {
    Connection* connection = FreeConnection();
    if (connection == nullptr) return;
    Send(connection);
  }
}

Worker::Connection* Worker::FreeConnection() {
  if (idle_.empty() && connections_.size() < max_connections_) AddConnection();
  if (idle_.empty()) {
    starved_ = !options_.sender.closed;
    return nullptr;
  }
  Connection* connection = idle_.front();
  idle_.pop_front();
  return connection;
}

void Worker::Send(Connection* connection) {
  connection->is_busy = true;
  connection->unsent_from = 0;
  connection->reply.Reset();
  connection->ticket = sender_->Begin(MonotonicNs(), starved_);
  starved_ = false;
  ++in_flight_;
  progress_.sent.fetch_add(1, std::memory_order_relaxed);
  if (!connection->socket.ok() && !Open(connection)) return Finish(connection, Outcome::kBroken);
  Flush(connection);
}

// Hands the socket what it takes; asks to be told when it takes more. One that is not connected yet takes nothing.
void Worker::Flush(Connection* connection) {
  const std::string& bytes = options_.request;
  while (connection->unsent_from < bytes.size()) {
    const ssize_t taken = send(connection->socket.get(), bytes.data() + connection->unsent_from, bytes.size() - connection->unsent_from,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0 && errno == EINTR) continue;
    if (taken < 0 && errno != EAGAIN && errno != ENOTCONN) return;  // its end is about to be read, too
    if (taken < 0) break;
    connection->unsent_from += static_cast<size_t>(taken);
  }
  Await(connection, connection->unsent_from < bytes.size());
}

void Worker::Await(Connection* connection, bool room) {
  if (connection->awaits_room == room) return;
  connection->awaits_room = room;
  epoll_event event{};
  event.events = room ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = connection;
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection->socket.get(), &event);
}

void Worker::Receive(Connection* connection) {
  const ssize_t size = recv(connection->socket.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (!connection->is_busy) return connection->socket.Reset();  // the server has closed it, or says what nobody has asked
  ReplyReader::State state = ReplyReader::State::kBroken;
  if (size > 0) state = connection->reply.Read(std::string_view(buffer_.data(), static_cast<size_t>(size)));
  if (size == 0) state = connection->reply.End();
  if (state == ReplyReader::State::kMore) return;
  // An answer before all of the request has gone leaves a connection that means nothing any more.
  const bool is_whole = state == ReplyReader::State::kDone;
  if (!is_whole || !connection->reply.keeps_open() || connection->unsent_from < options_.request.size()) connection->socket.Reset();
  Finish(connection, is_whole ? OutcomeOf(connection->reply) : Outcome::kBroken);
}

void Worker::Finish(Connection* connection, Outcome outcome) {
  sender_->End(connection->ticket, outcome, MonotonicNs());
  (outcome == Outcome::kAnswered ? progress_.answered : progress_.misses).fetch_add(1, std::memory_order_relaxed);
  connection->is_busy = false;
  --in_flight_;
  idle_.push_back(connection);
}

void Worker::Poll() {
  const int64_t now_ns = MonotonicNs();
  const int64_t due_ns = sender_->next_due_ns();
  const bool sends = sender_->IsDue(now_ns) && (!idle_.empty() || connections_.size() < max_connections_);
  int timeout_ms = sends || (due_ns > now_ns && due_ns - now_ns < kAwakeNs) ? 0 : kStopCheckMs;
  if (timeout_ms != 0 && due_ns > now_ns && due_ns != kNever && armed_ns_ != due_ns) {
    const itimerspec wake = {{0, 0}, {due_ns / kNsPerSecond, due_ns % kNsPerSecond}};
    timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &wake, nullptr);  // which ends the event of an earlier time, too
    armed_ns_ = due_ns;
  }
  epoll_event events[64];
  const int count = epoll_wait(epoll_.get(), events, 64, timeout_ms);
  for (int i = 0; i < count; ++i) {
    auto* connection = static_cast<Connection*>(events[i].data.ptr);
    if (connection == nullptr) {
      uint64_t expirations = 0;
      [[maybe_unused]] const ssize_t size = read(timer_.get(), &expirations, sizeof expirations);
      continue;
    }
    const uint32_t what = events[i].events;
    if ((what & EPOLLOUT) != 0 && connection->is_busy) Flush(connection);
    if ((what & EPOLLOUT) != 0 && !connection->is_busy) Await(connection, false);
    if ((what & ~static_cast<uint32_t>(EPOLLOUT)) != 0 && connection->socket.ok()) Receive(connection);
  }
}

void Worker::GiveUp() {
  const int64_t now_ns = MonotonicNs();
  sender_->Abandon(now_ns);
  for (const auto& connection : connections_) {
    if (connection->is_busy) Finish(connection.get(), Outcome::kUnanswered);
  }
}

}  // namespace penstock::loadgen
