#include "loadgen/sender.h"

#include <algorithm>

namespace penstock::loadgen {

Sender::Sender(const SenderOptions& options, int64_t start_ns, uint64_t share, uint64_t shares)
    : options_(options), start_ns_(start_ns), schedule_(options.schedule, share, shares), next_due_ns_(start_ns) {
  if (!options_.closed) Advance();
}

bool Sender::IsDue(int64_t now_ns) const {
  if (!options_.closed) return next_due_ns_ <= now_ns;
  return now_ns >= start_ns_ && !IsOver(now_ns);
}

bool Sender::IsOver(int64_t now_ns) const {
  if (!options_.closed) return next_due_ns_ == kNever;
  return stopped_ || now_ns - start_ns_ >= options_.schedule.length_ns;
}

Sender::Ticket Sender::Begin(int64_t now_ns, bool starved) {
  const Ticket ticket{options_.closed ? now_ns : next_due_ns_, now_ns};
  if (options_.closed) {
    next_due_ns_ = kNever;
  } else {
    Advance();
  }
  if (ticket.intended_ns - start_ns_ < options_.warm_up_ns) {
    ++totals_.warm_up;
    return ticket;
  }
  if (options_.closed) return ticket;
  const int64_t delay_ns = now_ns - ticket.intended_ns;
  totals_.schedule_delay.Record(delay_ns);
  if (delay_ns > kLateNs) ++totals_.late;
  if (starved) ++totals_.starved;
  return ticket;
}

void Sender::End(const Ticket& ticket, Outcome outcome, int64_t now_ns) {
  if (ticket.intended_ns - start_ns_ < options_.warm_up_ns) return;
  ++totals_.outcomes[static_cast<size_t>(outcome)];
  totals_.last_end_ns = std::max(totals_.last_end_ns, now_ns);
  const int64_t latency_ns = now_ns - ticket.intended_ns;
  const bool is_answered = outcome == Outcome::kAnswered;
  const bool is_late = is_answered && options_.goal_ns > 0 && latency_ns > options_.goal_ns;
  if (options_.goal_ns > 0) CountInBlock(ticket.intended_ns, is_late || !is_answered);
  if (!is_answered) return;
  totals_.latency.Record(latency_ns);
  if (is_late) ++totals_.late_answers;
  totals_.from_send.Record(now_ns - ticket.sent_ns);
}

void Sender::Stop() {
  stopped_ = true;
  next_due_ns_ = kNever;
}

void Sender::Abandon(int64_t now_ns) {
  while (!options_.closed && IsDue(now_ns)) End(Begin(now_ns, true), Outcome::kUnanswered, now_ns);
}

void Sender::CountInBlock(int64_t intended_ns, bool is_over) {
  const int64_t since_ns = intended_ns - start_ns_ - options_.warm_up_ns;
  constexpr auto kBlocks = static_cast<int64_t>(kGoalBlocks);
  const int64_t block_ns = std::max<int64_t>(1, (options_.schedule.length_ns - options_.warm_up_ns + kBlocks - 1) / kBlocks);
  // A closed loop may begin its last request just after the end.
  GoalBlock& block = totals_.goal_blocks[static_cast<size_t>(std::min(since_ns / block_ns, kBlocks - 1))];
  ++block.requests;
  if (is_over) ++block.over;
}

void Sender::Advance() {
  const int64_t next_ns = stopped_ ? kNever : schedule_.Next();
  next_due_ns_ = next_ns == kNever ? kNever : start_ns_ + next_ns;
}

}  // namespace penstock::loadgen
