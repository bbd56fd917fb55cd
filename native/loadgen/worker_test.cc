#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "loadgen/http1_connection.h"
#include "loadgen/test_server.h"
#include "loadgen/worker.h"

namespace penstock::loadgen {
namespace {

constexpr size_t kRequests = 8;

// All are due at once.
LoadOptions Burst(size_t requests) {
  LoadOptions options;
  options.request = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
  options.grace_ns = kNsPerSecond / 2;
  options.sender.schedule.arrivals = Arrivals::kTrace;
  options.sender.schedule.trace_ns.assign(requests, 0);
  options.sender.schedule.length_ns = 1;
  return options;
}

// Over one connection.
Totals TotalsOf(const LoadOptions& options, uint16_t port, const ConnectionFactory& make_connection, size_t in_flight = SIZE_MAX,
                const std::atomic<bool>& stop = false) {
  ServerAddress address;
  auto* to = reinterpret_cast<sockaddr_in*>(&address.bytes);
  to->sin_family = AF_INET;
  to->sin_port = htons(port);
  to->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.size = sizeof *to;
  Worker worker(options, make_connection, address, 0, stop);
  const Status connected = worker.Connect(1);
  EXPECT_TRUE(connected.ok()) << connected.message();
  worker.Run(MonotonicNs(), {1, in_flight});
  return worker.totals();
}

// Says when it is asked for bytes while what it has received is still to be counted.
class Watched : public Http1Connection {
 public:
  Watched(const LoadOptions& options, std::atomic<int>* uncounted)
      : Http1Connection(&options.request, &options.expected), uncounted_(*uncounted) {}
  std::string_view Unsent() override {
    if (!ended_.empty()) ++uncounted_;
    return Http1Connection::Unsent();
  }

 private:
  std::atomic<int>& uncounted_;
};

TEST(Worker, CountsAnswersBeforeItSendsOn) {
  TestServer server([](int64_t) { return TestServer::Answer{0, TestServer::Ok("yes")}; });
  LoadOptions options = Burst(kRequests);
  options.grace_ns = 60 * kNsPerSecond;
  std::atomic<int> uncounted{0};
  const Totals totals = TotalsOf(options, server.port(), [&] { return std::make_unique<Watched>(options, &uncounted); });
  EXPECT_EQ(totals.answered(), kRequests);
  EXPECT_EQ(uncounted, 0);
}

// Takes any number of requests, and its `unsent` for sending them.
class Shared : public Connection {
 public:
  explicit Shared(std::function<std::string_view(Shared*)> unsent) : unsent_(std::move(unsent)) {}
  bool Start() override { return true; }
  size_t room() const override { return SIZE_MAX; }
  bool Send(const Sender::Ticket& ticket) override {
    calls_.push_back(ticket);
    return true;
  }
  std::string_view Unsent() override { return calls_.empty() ? std::string_view() : unsent_(this); }
  void TookUnsent(size_t) override {}
  void Receive(std::string_view) override {}
  bool is_over() const override { return false; }
  size_t calls() const { return calls_.size(); }
  void EndAll(Outcome outcome) override {
    for (const Sender::Ticket& ticket : calls_) ended_.push_back({ticket, outcome});
    calls_.clear();
  }

 private:
  const std::function<std::string_view(Shared*)> unsent_;
  std::vector<Sender::Ticket> calls_;
};

TEST(Worker, WhatTheSendingOfSomeCallsTakesDelaysTheOthersOnTheirConnection) {
  TestServer server([](int64_t) { return TestServer::Answer{}; });
  constexpr auto kEach = std::chrono::milliseconds(2);
  const auto slowly = [&](Shared* connection) {
    std::this_thread::sleep_for(kEach);
    connection->EndAll(Outcome::kAnswered);
    return std::string_view();
  };
  const Totals totals = TotalsOf(Burst(kRequests), server.port(), [&] { return std::make_unique<Shared>(slowly); });
  EXPECT_EQ(totals.answered(), kRequests);
  EXPECT_GE(totals.schedule_delay.max_ns(), (kRequests - 1) * std::chrono::nanoseconds(kEach).count());
}

// Calls that a connection has when it is first asked for bytes, of a closed loop.
size_t FirstCallsTogether(size_t body_bytes) {
  TestServer server([](int64_t) { return TestServer::Answer{}; });
  LoadOptions options = Burst(0);
  options.sender.closed = true;
  options.sender.schedule.length_ns = 600 * kNsPerSecond;
  options.grpc_request.body.resize(body_bytes);
  std::atomic<bool> stop{false};
  size_t together = 0;
  const auto ended_at_once = [&](Shared* connection) {
    if (together == 0) together = connection->calls();
    connection->EndAll(Outcome::kAnswered);
    stop = true;
    return std::string_view();
  };
  TotalsOf(options, server.port(), [&] { return std::make_unique<Shared>(ended_at_once); }, kRequests, stop);
  return together;
}

TEST(Worker, LetsOnlySmallCallsOfAClosedLoopLeaveTogether) {
  EXPECT_EQ(FirstCallsTogether(1000), kRequests);
  EXPECT_EQ(FirstCallsTogether(100'000), 1u);
}

TEST(Worker, WhatASocketWillNotTakeIsBrokenAtOnce) {
  TestServer server([](int64_t) { return TestServer::Answer{}; });
  // The system refuses to send from it with an error that ends no connection, as it does when it has no memory left.
  const size_t size = 4096;
  void* closed = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(closed, MAP_FAILED);
  const auto unreadable = [&](Shared*) { return std::string_view(static_cast<const char*>(closed), size); };
  const Totals totals = TotalsOf(Burst(kRequests), server.port(), [&] { return std::make_unique<Shared>(unreadable); });
  EXPECT_EQ(totals.outcomes[static_cast<size_t>(Outcome::kBroken)], kRequests);
  EXPECT_EQ(totals.requests(), kRequests);
  munmap(closed, size);
}

}  // namespace
}  // namespace penstock::loadgen
