#include "loadgen/worker.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/clock.h"

namespace penstock::loadgen {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;
constexpr int kSendsPerTurn = 16;
constexpr size_t kMostBytesTogether = 4096;  // of a call: those of a turn are then taken by the socket at once
// Falling asleep and waking up takes about as long: a request that is due earlier is waited for awake.
constexpr int64_t kAwakeNs = 50'000;
constexpr int kStopCheckMs = 50;  // how soon a worker that has nothing to do notices that it is to stop

}  // namespace

Worker::Worker(const LoadOptions& options, ConnectionFactory make_connection, const ServerAddress& address, size_t share,
               const std::atomic<bool>& stop)
    : options_(options),
      make_connection_(std::move(make_connection)),
      address_(address),
      share_(share),
      stop_(stop),
      leave_together_(options.sender.closed && options.grpc_request.body.size() <= kMostBytesTogether),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      buffer_(kBufferBytes) {
  epoll_event event{};
  event.events = EPOLLIN;  // data.ptr stays null: no connection
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &event);
}

Status Worker::Connect(size_t connections) {
  for (size_t i = 0; i < connections; ++i) {
    if (!AddLine()->Open(address_)) return {StatusCode::kClosed, std::strerror(errno)};
  }
  for (const auto& line : lines_) {
    const int error = line->AwaitConnected();
    if (error != 0) return {StatusCode::kClosed, std::strerror(error)};
    Flush(line.get());
  }
  return Status::Ok();
}

void Worker::Run(int64_t start_ns, const WorkerLimits& limits) {
  limits_ = limits;
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
  sender_->Abandon(MonotonicNs());
  for (const auto& line : lines_) Close(line.get(), Outcome::kUnanswered);
}

Line* Worker::AddLine() {
  lines_.push_back(std::make_unique<Line>(make_connection_(), &epoll_));
  return lines_.back().get();
}

void Worker::SendDue() {
  for (int turn = 0; turn < kSendsPerTurn && in_flight_ < limits_.in_flight && sender_->IsDue(MonotonicNs()); ++turn) {
    Line* line = FreeLine();
    if (line == nullptr) break;
    Send(line);
  }
  for (Line* line : unflushed_) {
    line->is_unflushed = false;
    Flush(line);
  }
  unflushed_.clear();
}

// Unless what is listed turns out to have no room any more.
bool Worker::CanSend() const {
  return in_flight_ < limits_.in_flight && (!free_.empty() || lines_.size() < limits_.connections);
}

Line* Worker::FreeLine() {
  while (!free_.empty()) {
    Line* line = free_.front();
    free_.pop_front();
    line->is_listed = false;
    if (line->connection().room() > 0) return line;
  }
  if (lines_.size() < limits_.connections) return AddLine();
  starved_ = !options_.sender.closed;
  return nullptr;
}

void Worker::List(Line* line) {
  if (line->is_listed || line->connection().room() == 0) return;
  line->is_listed = true;
  free_.push_back(line);
}

void Worker::Send(Line* line) {
  const Sender::Ticket ticket = sender_->Begin(MonotonicNs(), starved_);
  starved_ = false;
  ++in_flight_;
  progress_.sent.fetch_add(1, std::memory_order_relaxed);
  const bool is_open = line->is_open() || line->Open(address_);
  if (!is_open || !line->connection().Send(ticket)) {
    End(ticket, Outcome::kBroken);
    return Settle(line);
  }
  if (!leave_together_ || line->connection().room() == 0) return Flush(line);
  List(line);
  if (!line->is_unflushed) unflushed_.push_back(line);
  line->is_unflushed = true;
}

void Worker::Flush(Line* line) {
  if (!line->Flush()) return Close(line, Outcome::kBroken);
  Settle(line);
}

void Worker::Receive(Line* line) {
  if (!line->Receive(&buffer_)) return Close(line, Outcome::kBroken);
  CountEnded(line);  // before anything else takes time that is not the server's
  Flush(line);
}

void Worker::Settle(Line* line) {
  if (line->connection().is_over()) return Close(line, Outcome::kBroken);
  CountEnded(line);
  List(line);
}

void Worker::Close(Line* line, Outcome outcome) {
  line->Close(outcome);
  CountEnded(line);
  List(line);
}

void Worker::CountEnded(Line* line) {
  for (const Connection::Ended& ended : line->connection().ended()) End(ended.ticket, ended.outcome);
  line->connection().ended().clear();
}

void Worker::End(const Sender::Ticket& ticket, Outcome outcome) {
  sender_->End(ticket, outcome, MonotonicNs());
  (outcome == Outcome::kAnswered ? progress_.answered : progress_.misses).fetch_add(1, std::memory_order_relaxed);
  --in_flight_;
}

void Worker::Poll() {
  const int64_t now_ns = MonotonicNs();
  const int64_t due_ns = sender_->next_due_ns();
  const bool sends = sender_->IsDue(now_ns) && CanSend();
  int timeout_ms = sends || (due_ns > now_ns && due_ns - now_ns < kAwakeNs) ? 0 : kStopCheckMs;
  if (timeout_ms != 0 && due_ns > now_ns && due_ns != kNever && armed_ns_ != due_ns) {
    const itimerspec wake = {{0, 0}, {due_ns / kNsPerSecond, due_ns % kNsPerSecond}};
    timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &wake, nullptr);  // which ends the event of an earlier time, too
    armed_ns_ = due_ns;
  }
  epoll_event events[64];
  const int count = epoll_wait(epoll_.get(), events, 64, timeout_ms);
  for (int i = 0; i < count; ++i) {
    auto* line = static_cast<Line*>(events[i].data.ptr);
    if (line == nullptr) {
      uint64_t expirations = 0;
      [[maybe_unused]] const ssize_t size = read(timer_.get(), &expirations, sizeof expirations);
      continue;
    }
    const uint32_t what = events[i].events;
    if ((what & EPOLLOUT) != 0) Flush(line);
    if ((what & ~static_cast<uint32_t>(EPOLLOUT)) != 0 && line->is_open()) Receive(line);
  }
}

}  // namespace penstock::loadgen
