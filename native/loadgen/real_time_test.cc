// The generator as it is, over sockets, in front of a server of known service time: it must measure what theory says.
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/test_queues.h"
#include "loadgen/load_run.h"
#include "loadgen/test_server.h"

namespace penstock::loadgen {
namespace {

constexpr int64_t kServiceNs = 20'000'000;
constexpr double kService = 0.020;
constexpr double kLoad = 0.4;
// A Poisson stream whose requests go to one of many desks at random is one Poisson stream for each of them. So many single servers
// beside each other give enough samples for a p99 in a few seconds.
constexpr int kDesks = 96;
constexpr double kShares[] = {0.5, 0.9, 0.99};
constexpr int kAttempts = 25;

class Desks {
 public:
  int64_t DoneNs(int64_t now_ns) {
    int64_t& free_ns = free_ns_[static_cast<size_t>(random_.Between(0, kDesks - 1))];
    return free_ns = std::max(now_ns, free_ns) + kServiceNs;
  }

 private:
  Random random_{5};
  std::vector<int64_t> free_ns_ = std::vector<int64_t>(kDesks);
};

LoadOptions Options(uint16_t port) {
  LoadOptions options;
  options.port = port;
  options.request = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
  options.expected = {"yes", true};
  options.grace_ns = kNsPerSecond;
  options.sender.schedule.rate = kLoad * kDesks / kService;
  options.sender.schedule.length_ns = 5 * kNsPerSecond / 4;
  options.sender.schedule.seed = 542;
  options.sender.warm_up_ns = kNsPerSecond / 4;
  return options;
}

// Where it is allowed, nothing else on the machine keeps the threads of this test, which need a small part of a core, from running.
class BeforeOthers {
 public:
  BeforeOthers() { Set(SCHED_FIFO); }
  ~BeforeOthers() { Set(SCHED_OTHER); }

 private:
  static void Set(int policy) {
    sched_param priority{};
    priority.sched_priority = sched_get_priority_min(policy);
    [[maybe_unused]] const int refused = sched_setscheduler(0, policy, &priority);
  }
};

// The latencies of this very schedule without any delay.
Totals Undisturbed(const SenderOptions& options) {
  Sender sender(options, kNsPerSecond, 0, 1);
  Desks desks;
  while (sender.next_due_ns() != kNever) {
    const Sender::Ticket ticket = sender.Begin(sender.next_due_ns(), false);
    sender.End(ticket, Outcome::kAnswered, desks.DoneNs(ticket.sent_ns));
  }
  return sender.totals();
}

std::vector<double> Deviations(const Totals& totals) {
  const DeterministicQueue theory{kLoad / kService, kService};
  std::vector<double> deviations;
  for (const double share : kShares) {
    const double measured = static_cast<double>(totals.latency.Quantile(share, totals.requests())) / 1e9;
    deviations.push_back(measured / QuantileOf(theory, share, 30 * kService) - 1);
  }
  return deviations;
}

TEST(RealTime, RecoversThePercentilesOfDeterministicServers) {
  // The seed gives a typical stretch of the process, so that what deviates is not chance.
  for (const double deviation : Deviations(Undisturbed(Options(0).sender))) ASSERT_NEAR(deviation, 0, 0.01);

  const BeforeOthers before_others;
  for (int attempt = 1; attempt <= kAttempts; ++attempt) {
    Desks desks;
    TestServer server([&](int64_t now_ns) { return TestServer::Answer{desks.DoneNs(now_ns), TestServer::Ok("yes")}; });
    const LoadOptions options = Options(server.port());
    const std::atomic<bool> stop{false};
    const Result<LoadResult> result = RunLoad(options, stop, [](const ProgressCounts&) {});
    ASSERT_TRUE(result.ok()) << result.status().message();
    server.Stop();
    const Totals& totals = result.value().totals;
    // On a machine with other work neither may have had a core when it needed one: then this is no measurement of the generator.
    const std::string refusal = Refusal(totals);
    const int64_t server_ns = server.delay().Quantile(0.99, server.delay().count());
    const std::vector<double> deviations = Deviations(totals);
    std::printf("attempt %d: p50 %+.2f %%, p90 %+.2f %%, p99 %+.2f %%; the server is late by %.3f ms at p99; %s\n", attempt,
                deviations[0] * 100, deviations[1] * 100, deviations[2] * 100, static_cast<double>(server_ns) / 1e6,
                refusal.empty() ? "on time" : refusal.c_str());
    if (!refusal.empty() || server_ns > kMostDelayP99Ns) continue;
    EXPECT_EQ(totals.misses(), 0u);
    for (const double deviation : deviations) EXPECT_NEAR(deviation, 0, 0.05);
    return;
  }
  GTEST_SKIP() << "this machine is too busy to measure on: in none of " << kAttempts << " runs were generator and server on time";
}

}  // namespace
}  // namespace penstock::loadgen
