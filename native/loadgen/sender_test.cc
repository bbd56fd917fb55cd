#include <gtest/gtest.h>

#include "loadgen/load_run.h"
#include "loadgen/report.h"
#include "loadgen/sender.h"

namespace penstock::loadgen {
namespace {

constexpr int64_t kGoalNs = 20'000'000;

SenderOptions EachSecond(int64_t goal_ns) {
  SenderOptions options;
  options.schedule.arrivals = Arrivals::kTrace;
  options.schedule.trace_ns = {0, kNsPerSecond, 2 * kNsPerSecond, 3 * kNsPerSecond, 4 * kNsPerSecond};
  options.schedule.length_ns = 5 * kNsPerSecond;
  options.warm_up_ns = kNsPerSecond;
  options.goal_ns = goal_ns;
  return options;
}

// The first during the warm-up and late, one in time to the nanosecond, one late by one, one that left late and so was answered late, and
// one that failed late.
Totals SendFive(const SenderOptions& options) {
  Sender sender(options, 0, 0, 1);
  const auto send = [&](int64_t delay_ns) { return sender.Begin(sender.next_due_ns() + delay_ns, false); };
  sender.End(send(0), Outcome::kAnswered, kNsPerSecond / 2);
  sender.End(send(0), Outcome::kAnswered, kNsPerSecond + kGoalNs);
  sender.End(send(0), Outcome::kAnswered, 2 * kNsPerSecond + kGoalNs + 1);
  sender.End(send(kGoalNs), Outcome::kAnswered, 3 * kNsPerSecond + kGoalNs + 1000);
  sender.End(send(0), Outcome::kFailed, 4 * kNsPerSecond + 2 * kGoalNs);
  return sender.totals();
}

TEST(Sender, CountsAnswersThatTakeLongerThanTheGoalExactly) {
  const SenderOptions options = EachSecond(kGoalNs);
  const Totals totals = SendFive(options);
  EXPECT_EQ(totals.answered(), 3u);
  EXPECT_EQ(totals.late_answers, 2u);
  EXPECT_EQ(totals.misses(), 1u);
  Totals both = totals;
  both.Merge(totals);
  EXPECT_EQ(both.late_answers, 4u);
}

// 2.4 s, of which the first is no warm-up: parts of 100 ms.
TEST(Sender, CountsWhatMissedTheGoalInThePartOfTheTimeInWhichItWasMeantToLeave) {
  SenderOptions options;
  options.schedule.arrivals = Arrivals::kTrace;
  options.schedule.trace_ns = {50'000'000, 1'000'000'000, 1'099'999'999, 1'100'000'000, 1'150'000'000, 3'399'999'999};
  options.schedule.length_ns = 3'400'000'000;
  options.warm_up_ns = kNsPerSecond;
  options.goal_ns = kGoalNs;
  Sender sender(options, 7, 0, 1);
  const auto next = [&] { return sender.Begin(sender.next_due_ns(), false); };
  const Sender::Ticket warm_up = next();
  sender.End(warm_up, Outcome::kAnswered, warm_up.intended_ns + 2 * kGoalNs);
  for (const int64_t latency_ns : {kGoalNs, kGoalNs + 1}) {
    const Sender::Ticket ticket = next();
    sender.End(ticket, Outcome::kAnswered, ticket.intended_ns + latency_ns);
  }
  const Sender::Ticket shed = next();
  sender.End(shed, Outcome::kShed, shed.intended_ns);
  const Sender::Ticket unanswered = next();
  sender.End(unanswered, Outcome::kUnanswered, 9 * kNsPerSecond);
  sender.Abandon(9 * kNsPerSecond);  // the last one was never sent
  Totals totals = sender.totals();
  totals.Merge(sender.totals());
  uint64_t requests = 0;
  for (const GoalBlock& block : totals.goal_blocks) requests += block.requests;
  EXPECT_EQ(requests, totals.requests());
  EXPECT_EQ(totals.goal_blocks[0].requests, 4u);
  EXPECT_EQ(totals.goal_blocks[0].over, 2u);
  EXPECT_EQ(totals.goal_blocks[1].requests, 4u);
  EXPECT_EQ(totals.goal_blocks[1].over, 4u);
  EXPECT_EQ(totals.goal_blocks[23].requests, 2u);
  EXPECT_EQ(totals.goal_blocks[23].over, 2u);
}

TEST(Sender, HasNoLateAnswersWithoutAGoal) {
  const SenderOptions options = EachSecond(0);
  EXPECT_EQ(SendFive(options).late_answers, 0u);
}

TEST(Report, StatesTheGoalAndWhatWasInTime) {
  LoadOptions options;
  options.sender = EachSecond(kGoalNs);
  LoadResult result;
  result.totals = SendFive(options.sender);
  result.measured_ns = 4 * kNsPerSecond;
  const std::string json = ReportJson(options, result);
  EXPECT_NE(json.find("\"goal_ms\": 20.000000,\n"), std::string::npos) << json;
  EXPECT_NE(json.find("\"goodput\": 0.25,\n"), std::string::npos) << json;
  EXPECT_NE(json.find("\"answered\": 3, \"late_answers\": 2, \"misses\": 1"), std::string::npos) << json;
  EXPECT_NE(json.find("\"goal_blocks\": [[1, 0], [0, 0], "), std::string::npos) << json;
  options.sender.goal_ns = 0;
  const std::string without = ReportJson(options, result);
  EXPECT_NE(without.find("\"goal_ms\": null,\n  \"goodput\": null,\n  \"goal_blocks\": null,\n"), std::string::npos) << without;
}

}  // namespace
}  // namespace penstock::loadgen
