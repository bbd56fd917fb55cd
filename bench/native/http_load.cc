// Sends prepared HTTP/1.1 requests over keep-alive connections, one in flight on each, and checks every answer. One thread.
//
// Usage: http_load PORT CONNECTIONS REQUESTS RECORDS closed SECONDS
//        http_load PORT CONNECTIONS REQUESTS RECORDS open SCHEDULE GRACE_SECONDS
//
// closed: each connection sends its next request when it has its answer. open: request i is meant to leave at SCHEDULE[i] seconds from the
// start whatever has become of those before it; a connection is opened when none is free, CONNECTIONS at most, and what has no answer
// GRACE_SECONDS after the last of the schedule is given up.
// REQUESTS are sent in turn; RECORDS gets one record a request: load_files.h.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "load_files.h"

namespace {

using namespace penstock::load;  // NOLINT: a program of one page

constexpr int kNoRequest = -1;
constexpr int64_t kNsPerSecond = 1'000'000'000;

[[noreturn]] void FailBySystem(const char* what) { Fail(std::string(what) + ": " + std::strerror(errno)); }

struct Connection {
  int fd = -1;
  int request = kNoRequest;  // index of the record in flight
  size_t unsent_from = 0;    // of the request's bytes; its size when all have been taken by the socket
  bool awaits_room = false;  // epoll tells when the socket takes more
  std::string reply;
};

double Seconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }

// Bytes of the body, from the head of an answer.
size_t ContentLength(std::string_view head) {
  static constexpr std::string_view kName = "\r\ncontent-length:";
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; };
  const auto found = std::search(head.begin(), head.end(), kName.begin(), kName.end(), same);
  if (found == head.end()) Fail("an answer has no Content-Length");
  return std::strtoull(&*found + kName.size(), nullptr, 10);
}

class Generator {
 public:
  Generator(uint16_t port, size_t max_connections, std::vector<Request> requests)
      : port_(port), max_connections_(max_connections), requests_(std::move(requests)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) FailBySystem("epoll_create1");
  }

  const std::vector<Record>& records() const { return records_; }

  void RunClosed(double seconds) {
    const int64_t end_ns = penstock::MonotonicNs() + static_cast<int64_t>(seconds * 1e9);
    closed_ = true;
    while (connections_.size() < max_connections_) SendNow(Open());
    while (penstock::MonotonicNs() < end_ns) Poll(100);
  }

  void RunOpen(const std::vector<double>& schedule, double grace_seconds) {
    const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;  // data.ptr stays null: no connection
    if (timer < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, timer, &event) != 0) FailBySystem("timerfd");
    records_.reserve(schedule.size());
    const int64_t start_ns = penstock::MonotonicNs() + kNsPerSecond / 20;
    const auto due_ns = [&](size_t i) { return start_ns + static_cast<int64_t>(schedule[i] * 1e9); };
    size_t next = 0;
    const int64_t end_ns = due_ns(schedule.size() - 1) + static_cast<int64_t>(grace_seconds * 1e9);
    for (int64_t now = penstock::MonotonicNs(); now < end_ns && (next < schedule.size() || unanswered_ > 0);
         now = penstock::MonotonicNs()) {
      for (; next < schedule.size() && due_ns(next) <= now; ++next) {
        records_.push_back({Seconds(due_ns(next)), 0, 0, 0});
        ++unanswered_;
        waiting_.push_back(static_cast<int>(next));
      }
      SendWaiting();
      const int64_t wake_ns = next < schedule.size() ? due_ns(next) : end_ns;
      const itimerspec wake = {{0, 0}, {wake_ns / kNsPerSecond, wake_ns % kNsPerSecond}};
      timerfd_settime(timer, TFD_TIMER_ABSTIME, &wake, nullptr);
      Poll(-1);
    }
  }

 private:
  const Request& RequestOf(int record) const { return requests_[static_cast<size_t>(record) % requests_.size()]; }

  Connection* Open() {
    connections_.push_back(std::make_unique<Connection>());
    Connect(connections_.back().get());
    return connections_.back().get();
  }

  void Connect(Connection* connection) {
    connection->awaits_room = false;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = connection;
    if (connection->fd < 0 || connect(connection->fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
      FailBySystem("connect");
    }
  }

  void SendWaiting() {
    while (!waiting_.empty()) {
      Connection* connection = nullptr;
      if (!idle_.empty()) {
        connection = idle_.front();
        idle_.pop_front();
      } else if (connections_.size() < max_connections_) {
        connection = Open();
      } else {
        return;
      }
      Send(connection, waiting_.front());
      waiting_.pop_front();
    }
  }

  void SendNow(Connection* connection) {
    const double now = Seconds(penstock::MonotonicNs());
    records_.push_back({now, 0, 0, 0});
    Send(connection, static_cast<int>(records_.size()) - 1);
  }

  void Send(Connection* connection, int record) {
    connection->request = record;
    connection->unsent_from = 0;
    connection->reply.clear();
    records_[static_cast<size_t>(record)].sent = Seconds(penstock::MonotonicNs());
    Flush(connection);
  }

  // Hands the socket what it takes; asks to be told when it takes more.
  void Flush(Connection* connection) {
    const std::string& bytes = RequestOf(connection->request).bytes;
    while (connection->unsent_from < bytes.size()) {
      const ssize_t taken = send(connection->fd, bytes.data() + connection->unsent_from, bytes.size() - connection->unsent_from,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
      if (taken < 0 && errno != EAGAIN) return;  // its end is about to be read, too
      if (taken < 0) break;
      connection->unsent_from += static_cast<size_t>(taken);
    }
    const bool has_rest = connection->unsent_from < bytes.size();
    if (has_rest == connection->awaits_room) return;
    connection->awaits_room = has_rest;
    epoll_event event{};
    event.events = has_rest ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.ptr = connection;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, connection->fd, &event);
  }

  void Poll(int timeout_ms) {
    epoll_event events[64];
    const int count = epoll_wait(epoll_, events, 64, timeout_ms);
    if (count < 0 && errno != EINTR) FailBySystem("epoll_wait");
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[i].data.ptr);
      if (connection == nullptr) continue;  // the timer: setting it again ends its event
      if ((events[i].events & EPOLLOUT) != 0 && connection->request != kNoRequest) Flush(connection);
      if ((events[i].events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) Receive(connection);
    }
  }

  void Receive(Connection* connection) {
    char buffer[64 * 1024];
    const ssize_t size = recv(connection->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return Reconnect(connection);
    if (connection->request == kNoRequest) Fail("an answer came that nobody had asked for");
    connection->reply.append(buffer, static_cast<size_t>(size));
    const std::string_view reply = connection->reply;
    const size_t head_end = reply.find("\r\n\r\n");
    if (head_end == std::string_view::npos) return;
    const size_t body = head_end + 4;
    const size_t end = body + ContentLength(reply.substr(0, head_end + 2));
    if (reply.size() < end) return;
    const int status = std::atoi(connection->reply.c_str() + sizeof "HTTP/1.1");
    const bool wrong = status == 200 && !Agrees(reply.substr(body, end - body), RequestOf(connection->request).expected);
    Finish(connection, wrong ? -1 : status);
  }

  // The server has closed a connection: a request on it has no answer.
  void Reconnect(Connection* connection) {
    close(connection->fd);
    Connect(connection);
    if (connection->request != kNoRequest) Finish(connection, 0);
  }

  void Finish(Connection* connection, int status) {
    Record& record = records_[static_cast<size_t>(connection->request)];
    record.answered = Seconds(penstock::MonotonicNs());
    record.status = status;
    connection->request = kNoRequest;
    if (closed_) return SendNow(connection);
    --unanswered_;
    idle_.push_back(connection);
    SendWaiting();
  }

  const uint16_t port_;
  const size_t max_connections_;
  const std::vector<Request> requests_;
  const int epoll_;
  bool closed_ = false;
  size_t unanswered_ = 0;
  std::vector<Record> records_;
  std::deque<int> waiting_;        // records whose time has come
  std::deque<Connection*> idle_;   // the longest idle one is used first, so that all of them are
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 5 ? argv[5] : "";
  if (!(mode == "closed" && argc == 7) && !(mode == "open" && argc == 8)) {
    std::fprintf(stderr, "usage: http_load PORT CONNECTIONS REQUESTS RECORDS closed SECONDS | open SCHEDULE GRACE_SECONDS\n");
    return 64;
  }
  Generator generator(static_cast<uint16_t>(std::atoi(argv[1])), std::strtoull(argv[2], nullptr, 10), ReadRequests(argv[3]));
  if (mode == "closed") {
    generator.RunClosed(std::atof(argv[6]));
  } else {
    const std::vector<double> schedule = ReadSchedule(argv[6]);
    if (schedule.empty()) Fail("the schedule is empty");
    generator.RunOpen(schedule, std::atof(argv[7]));
  }
  WriteRecords(argv[4], generator.records());
  return 0;
}
