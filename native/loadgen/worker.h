// One thread of the generator: its share of the requests, over connections of its own, one request in flight on each.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "loadgen/load_options.h"
#include "loadgen/sender.h"
#include "loadgen/totals.h"
#include "transport/file_descriptor.h"

namespace penstock::loadgen {

struct ServerAddress {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

// Since the start, warm-up included. Read by another thread while the run goes on.
struct Progress {
  std::atomic<uint64_t> sent{0};
  std::atomic<uint64_t> answered{0};
  std::atomic<uint64_t> misses{0};
};

class Worker {
 public:
  // All outlive it. `stop`: set by any thread, once; nothing is sent from then on.
  Worker(const LoadOptions& options, const ServerAddress& address, size_t share, const std::atomic<bool>& stop);

  // Opens `connections` and waits for them. kClosed with the system's reason when one fails.
  Status Connect(size_t connections);
  // From start_ns (monotonic) until every request has ended, or the grace after the last. `max_connections` may be open at a time.
  void Run(int64_t start_ns, size_t max_connections);

  const Progress& progress() const { return progress_; }
  // After Run.
  const Totals& totals() const { return sender_->totals(); }
  size_t connections() const { return connections_.size(); }
  bool was_stopped() const { return was_stopped_; }

 private:
  struct Connection {
    explicit Connection(const ExpectedBody* expected) : reply(expected) {}
    transport::FileDescriptor socket;
    bool is_busy = false;       // a request is in flight
    bool awaits_room = false;   // epoll tells when the socket takes more, or has been connected
    size_t unsent_from = 0;     // of the request's bytes
    Sender::Ticket ticket;
    ReplyReader reply;
  };

  Connection* AddConnection();
  bool Open(Connection* connection);
  // As many of those that are due as fit into a turn, so that answers do not wait for long.
  void SendDue();
  Connection* FreeConnection();
  void Send(Connection* connection);
  void Flush(Connection* connection);
  void Receive(Connection* connection);
  void Finish(Connection* connection, Outcome outcome);
  void Await(Connection* connection, bool room);
  void Poll();
  void GiveUp();

  const LoadOptions& options_;
  const ServerAddress& address_;
  const size_t share_;
  const std::atomic<bool>& stop_;
  transport::FileDescriptor epoll_;
  transport::FileDescriptor timer_;
  std::unique_ptr<Sender> sender_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::deque<Connection*> idle_;  // the longest idle one is used first, so that all of them are
  std::vector<char> buffer_;
  size_t max_connections_ = 0;
  size_t in_flight_ = 0;
  int64_t armed_ns_ = 0;          // when the timer ends a wait; 0 = it does not
  bool starved_ = false;          // the next request is due, and no connection is free
  bool was_stopped_ = false;
  Progress progress_;
};

}  // namespace penstock::loadgen
