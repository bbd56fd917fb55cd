// What one thread sends and when, and what came of it: the part of the generator that knows neither sockets nor clocks. Whoever drives it,
// a thread or a test in virtual time, tells it the time, which never goes back. Not thread-safe.
#pragma once

#include <cstdint>

#include "base/schedule.h"
#include "loadgen/totals.h"

namespace penstock::loadgen {

struct SenderOptions {
  ScheduleOptions schedule;   // its length includes the warm-up
  bool closed = false;        // requests are due whenever there is somebody to send them, until the end of the schedule
  int64_t goal_ns = 0;        // an answer that takes longer, from its intended moment, is late; 0 = there is no goal
  int64_t warm_up_ns = 0;     // requests meant to leave earlier, counted from the start, are sent but not counted
};

class Sender {
 public:
  struct Ticket {
    int64_t intended_ns = 0;
    int64_t sent_ns = 0;
  };

  // `options` outlives it.
  Sender(const SenderOptions& options, int64_t start_ns, uint64_t share, uint64_t shares);

  // When the next request is to leave; kNever when none is left, and of a closed loop once it has begun.
  int64_t next_due_ns() const { return next_due_ns_; }
  bool IsDue(int64_t now_ns) const;
  // No request is left.
  bool IsOver(int64_t now_ns) const;

  // The request that is due leaves now. `starved`: it waited for a connection.
  Ticket Begin(int64_t now_ns, bool starved);
  void End(const Ticket& ticket, Outcome outcome, int64_t now_ns);

  // Nothing is due any more. What has begun may still end.
  void Stop();
  // Requests that are due and were never sent are misses.
  void Abandon(int64_t now_ns);

  const Totals& totals() const { return totals_; }

 private:
  void Advance();
  void CountInBlock(int64_t intended_ns, bool is_over);

  const SenderOptions& options_;
  const int64_t start_ns_;
  Schedule schedule_;
  int64_t next_due_ns_;
  bool stopped_ = false;
  Totals totals_;
};

}  // namespace penstock::loadgen
