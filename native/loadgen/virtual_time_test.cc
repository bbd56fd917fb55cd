// The generator without sockets and clocks, in front of our own batcher in virtual time: it must measure what theory says.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/test_queues.h"
#include "batching/batcher.h"
#include "loadgen/sender.h"
#include "simulation/simulator.h"

namespace penstock::loadgen {
namespace {

constexpr int64_t kServiceNs = 5'000'000;
constexpr double kService = 0.005;
constexpr int64_t kStartNs = 7 * kNsPerSecond;

// Sends every request at its moment to a server whose runs, of up to `most` requests, take kServiceNs.
Totals Serve(const SenderOptions& options, int most) {
  Sender sender(options, kStartNs, 0, 1);
  std::vector<Sender::Ticket> tickets;
  std::vector<simulation::Request> requests;
  while (sender.next_due_ns() != kNever) {
    tickets.push_back(sender.Begin(sender.next_due_ns(), false));
    simulation::Request request;
    request.at_ns = tickets.back().sent_ns;
    requests.push_back(request);
  }
  batching::BatchingOptions batching;
  batching.merge = most > 1;
  batching.max_batch_rows = most;
  batching::Batcher batcher(batching);
  simulation::Simulator::World world;
  world.run_ns = [](const simulation::RunStart&) { return kServiceNs; };
  world.learn = false;
  const std::vector<simulation::Outcome> outcomes = simulation::Simulate(&batcher, requests, world);
  for (size_t i = 0; i < outcomes.size(); ++i) sender.End(tickets[i], Outcome::kAnswered, outcomes[i].ended_ns);
  return sender.totals();
}

SenderOptions Poisson(double load, int most, double seconds) {
  SenderOptions options;
  options.schedule.rate = load * most / kService;
  options.schedule.length_ns = static_cast<int64_t>(seconds * 1e9);
  options.schedule.seed = 3;
  options.warm_up_ns = kNsPerSecond;
  return options;
}

template <typename Queue>
void ExpectQuantiles(const Totals& totals, const Queue& queue) {
  for (const double share : {0.5, 0.9, 0.95, 0.99}) {
    const double expected = QuantileOf(queue, share, 30 * kService);
    const double measured = static_cast<double>(totals.latency.Quantile(share, totals.requests())) / 1e9;
    EXPECT_NEAR(measured / expected, 1, 0.02) << "quantile " << share << " of " << totals.requests();
  }
}

TEST(TestQueues, AgreeWithEachOtherAndWithTheMeanByPollaczekAndKhinchine) {
  const DeterministicQueue one{0.6 / kService, kService};
  const BulkQueue bulk_of_one(one.rate, kService, 1);
  double mean = 0;
  constexpr double kStep = kService / 1000;
  for (double at = kStep / 2; at < 20 * kService; at += kStep) mean += kStep * (1 - one.Below(at));
  EXPECT_NEAR(mean, kService * (1 + 0.6 / (2 * (1 - 0.6))), 1e-3 * kService);
  for (const double at : {1.2, 1.9, 3.3, 6.0}) EXPECT_NEAR(one.Below(at * kService), bulk_of_one.Below(at * kService), 2e-3) << at;
}

TEST(VirtualTime, RecoversThePercentilesOfADeterministicServer) {
  const Totals totals = Serve(Poisson(0.6, 1, 1500), 1);
  ExpectQuantiles(totals, DeterministicQueue{0.6 / kService, kService});
  EXPECT_EQ(totals.schedule_delay.max_ns(), 0);
}

TEST(VirtualTime, RecoversThePercentilesOfAServerThatTakesEightAtOnce) {
  ExpectQuantiles(Serve(Poisson(0.8, 8, 150), 8), BulkQueue(0.8 * 8 / kService, kService, 8));
}

TEST(VirtualTime, CountsTheWaitOfRequestsThatAStalledGeneratorSendsLate) {
  SenderOptions options;
  options.schedule.arrivals = Arrivals::kConstant;
  options.schedule.rate = 1000;
  options.schedule.length_ns = 10 * kNsPerSecond;
  Sender sender(options, kStartNs, 0, 1);
  // It sleeps from 4 s to 5 s; each answer takes 0.2 ms.
  while (sender.next_due_ns() != kNever) {
    const int64_t due_ns = sender.next_due_ns();
    const bool sleeps = due_ns - kStartNs >= 4 * kNsPerSecond && due_ns - kStartNs < 5 * kNsPerSecond;
    const Sender::Ticket ticket = sender.Begin(sleeps ? kStartNs + 5 * kNsPerSecond : due_ns, false);
    sender.End(ticket, Outcome::kAnswered, ticket.sent_ns + 200'000);
  }
  const Totals& totals = sender.totals();
  EXPECT_EQ(totals.requests(), 10'000u);
  EXPECT_NEAR(static_cast<double>(totals.late), 999, 1);
  EXPECT_NEAR(static_cast<double>(totals.latency.Quantile(0.95, totals.requests())) / 1e9, 0.5, 0.01);  // half of those that slept
  EXPECT_NEAR(static_cast<double>(totals.from_send.Quantile(0.99, totals.requests())), 200'000, 2'000);
  EXPECT_NE(Refusal(totals).find("the generator was late itself"), std::string::npos);
}

TEST(VirtualTime, LeavesTheWarmUpOut) {
  SenderOptions options;
  options.schedule.arrivals = Arrivals::kConstant;
  options.schedule.rate = 100;
  options.schedule.length_ns = 3 * kNsPerSecond;
  options.warm_up_ns = kNsPerSecond;
  Sender sender(options, kStartNs, 0, 1);
  while (sender.next_due_ns() != kNever) {
    const Sender::Ticket ticket = sender.Begin(sender.next_due_ns(), false);
    const bool warms_up = ticket.intended_ns < kStartNs + kNsPerSecond;
    sender.End(ticket, warms_up ? Outcome::kFailed : Outcome::kAnswered, ticket.sent_ns + 1000);
  }
  EXPECT_EQ(sender.totals().warm_up, 100u);
  EXPECT_EQ(sender.totals().requests(), 200u);
  EXPECT_EQ(sender.totals().misses(), 0u);
}

TEST(VirtualTime, CountsWhatWasNeverSentAsUnanswered) {
  SenderOptions options;
  options.schedule.arrivals = Arrivals::kConstant;
  options.schedule.rate = 100;
  options.schedule.length_ns = kNsPerSecond;
  Sender sender(options, kStartNs, 0, 1);
  sender.End(sender.Begin(sender.next_due_ns(), false), Outcome::kAnswered, kStartNs + 1000);
  sender.Abandon(kStartNs + 2 * kNsPerSecond);
  EXPECT_EQ(sender.totals().misses(), 99u);
  EXPECT_EQ(sender.totals().starved, 99u);
  EXPECT_EQ(sender.totals().latency.Quantile(0.5, sender.totals().requests()), kNever);  // most have no answer
}

TEST(VirtualTime, SendsInAClosedLoopUntilTheTimeIsUp) {
  SenderOptions options;
  options.closed = true;
  options.schedule.length_ns = kNsPerSecond;
  Sender sender(options, kStartNs, 0, 1);
  EXPECT_FALSE(sender.IsDue(kStartNs - 1));
  int64_t now_ns = kStartNs;
  while (sender.IsDue(now_ns)) {
    const Sender::Ticket ticket = sender.Begin(now_ns, false);
    sender.End(ticket, Outcome::kAnswered, now_ns += 10'000'000);
  }
  EXPECT_TRUE(sender.IsOver(now_ns));
  EXPECT_EQ(sender.totals().answered(), 100u);
  EXPECT_EQ(Refusal(sender.totals()), "");
}

}  // namespace
}  // namespace penstock::loadgen
