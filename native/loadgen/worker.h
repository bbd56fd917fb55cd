// One thread of the generator: its share of the requests, over connections of its own, whatever they speak.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/status.h"
#include "loadgen/connection.h"
#include "loadgen/line.h"
#include "loadgen/load_options.h"
#include "loadgen/sender.h"
#include "loadgen/totals.h"
#include "transport/file_descriptor.h"

namespace penstock::loadgen {

// Since the start, warm-up included. Read by another thread while the run goes on.
struct Progress {
  std::atomic<uint64_t> sent{0};
  std::atomic<uint64_t> answered{0};
  std::atomic<uint64_t> misses{0};
};

// Of one thread.
struct WorkerLimits {
  size_t connections = 0;  // open at a time
  size_t in_flight = 0;    // requests at a time
};

class Worker {
 public:
  // All outlive it, but for `make_connection`. `stop`: set by any thread, once; nothing is sent from then on.
  Worker(const LoadOptions& options, ConnectionFactory make_connection, const ServerAddress& address, size_t share,
         const std::atomic<bool>& stop);

  // Opens `connections` and waits for them. kClosed with the system's reason when one fails.
  Status Connect(size_t connections);
  // From start_ns (monotonic) until every request has ended, or the grace after the last.
  void Run(int64_t start_ns, const WorkerLimits& limits);

  const Progress& progress() const { return progress_; }
  // After Run.
  const Totals& totals() const { return sender_->totals(); }
  size_t connections() const { return lines_.size(); }
  bool was_stopped() const { return was_stopped_; }

 private:
  Line* AddLine();
  // As many of those that are due as fit into a turn, so that answers do not wait for long.
  void SendDue();
  bool CanSend() const;
  Line* FreeLine();
  void List(Line* line);
  void Send(Line* line);
  void Flush(Line* line);
  void Receive(Line* line);
  // Counts what has ended, and closes the socket where it is of no use any more.
  void Settle(Line* line);
  void Close(Line* line, Outcome outcome);
  void CountEnded(Line* line);
  void End(const Sender::Ticket& ticket, Outcome outcome);
  void Poll();

  const LoadOptions& options_;
  const ConnectionFactory make_connection_;
  const ServerAddress& address_;
  const size_t share_;
  const std::atomic<bool>& stop_;
  // Whether calls that a turn gives to one connection leave with one system call, as those of one client would. In an open loop each leaves
  // by itself before the next begins, so that what sending takes is part of the next one's delay. A closed loop has no moments to be late
  // for, small calls wait for no more than the few others of a turn, and that counts as latency: never in the server's favour.
  const bool leave_together_;
  transport::FileDescriptor epoll_;
  transport::FileDescriptor timer_;
  std::unique_ptr<Sender> sender_;
  std::vector<std::unique_ptr<Line>> lines_;
  std::deque<Line*> free_;        // that take a request, or did when they were listed; the one that waits longest is used first
  std::vector<Line*> unflushed_;  // that have taken requests in this turn, and have room for more
  std::vector<char> buffer_;
  WorkerLimits limits_;
  size_t in_flight_ = 0;
  int64_t armed_ns_ = 0;          // when the timer ends a wait; 0 = it does not
  bool starved_ = false;          // the next request is due, and no connection has room
  bool was_stopped_ = false;
  Progress progress_;
};

}  // namespace penstock::loadgen
