#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "loadgen/load_run.h"
#include "loadgen/report.h"
#include "loadgen/test_server.h"

namespace penstock::loadgen {
namespace {

LoadOptions Options(uint16_t port, double rate, double seconds) {
  LoadOptions options;
  options.port = port;
  options.request = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
  options.grace_ns = kNsPerSecond / 2;
  options.sender.schedule.arrivals = Arrivals::kConstant;
  options.sender.schedule.rate = rate;
  options.sender.schedule.length_ns = static_cast<int64_t>(seconds * 1e9);
  return options;
}

LoadResult Measure(const LoadOptions& options) {
  const std::atomic<bool> stop{false};
  Result<LoadResult> result = RunLoad(options, stop, [](const ProgressCounts&) {});
  EXPECT_TRUE(result.ok()) << result.status().message();
  return result.ok() ? std::move(result).value() : LoadResult();
}

uint64_t Count(const LoadResult& result, Outcome outcome) { return result.totals.outcomes[static_cast<size_t>(outcome)]; }

TEST(LoadRun, SendsEveryRequestOnceFromSeveralThreads) {
  std::atomic<uint64_t> taken{0};
  TestServer server([&](int64_t) {
    ++taken;
    return TestServer::Answer{0, TestServer::Ok("yes")};
  });
  LoadOptions options = Options(server.port(), 2000, 0.25);
  options.host = "localhost";  // which may be ::1 first, where nobody listens
  options.threads = 3;
  const LoadResult result = Measure(options);
  EXPECT_EQ(result.totals.answered(), 500u);
  EXPECT_EQ(taken.load(), 500u);
  EXPECT_TRUE(result.is_complete);
}

TEST(LoadRun, TellsTheKindsOfMissesApart) {
  int number = 0;
  TestServer server([&](int64_t) -> TestServer::Answer {
    switch (number++ % 7) {
      case 0:
        return {0, "HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n"};
      case 1:
        return {0, "HTTP/1.1 429 Full\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"};
      case 2:
        return {0, "HTTP/1.1 500 Fault\r\nContent-Length: 0\r\n\r\n"};
      case 3:
        return {0, TestServer::Ok("no")};
      case 4:
        return {0, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nye", true};
      case 5:
        return {};
      default:
        return {0, TestServer::Ok("yes")};
    }
  });
  LoadOptions options = Options(server.port(), 560, 0.25);
  options.expected = {"yes", true};
  const LoadResult result = Measure(options);
  EXPECT_EQ(result.totals.requests(), 140u);
  EXPECT_EQ(Count(result, Outcome::kShed), 40u);
  EXPECT_EQ(Count(result, Outcome::kFailed), 20u);
  EXPECT_EQ(Count(result, Outcome::kWrong), 20u);
  EXPECT_EQ(Count(result, Outcome::kBroken), 20u);
  EXPECT_EQ(Count(result, Outcome::kUnanswered), 20u);
  EXPECT_EQ(result.totals.answered(), 20u);
}

TEST(LoadRun, OpensMoreConnectionsUpToTheBoundAndSaysWhenThatIsTooLow) {
  TestServer server([](int64_t now_ns) { return TestServer::Answer{now_ns + 200'000'000, TestServer::Ok("")}; });
  LoadOptions options = Options(server.port(), 400, 0.25);
  options.grace_ns = kNsPerSecond;
  const LoadResult enough = Measure(options);
  EXPECT_EQ(enough.totals.answered(), 100u);
  EXPECT_GE(enough.connections, 50u);
  EXPECT_EQ(enough.totals.starved, 0u);
  options.max_connections = 10;
  options.grace_ns = kNsPerSecond / 4;
  const LoadResult few = Measure(options);
  EXPECT_EQ(few.connections, 10u);
  EXPECT_GT(few.totals.starved, 50u);
  EXPECT_NE(Refusal(few.totals).find("all connections were taken"), std::string::npos) << Refusal(few.totals);
}

TEST(LoadRun, OpensAgainWhatTheServerCloses) {
  TestServer server([](int64_t) {
    return TestServer::Answer{0, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", true};
  });
  const LoadResult result = Measure(Options(server.port(), 800, 0.25));
  EXPECT_EQ(result.totals.answered(), 200u);
}

TEST(LoadRun, KeepsAsManyInFlightAsAClosedLoopHas) {
  constexpr double kSeconds = 0.3;
  TestServer server([](int64_t now_ns) { return TestServer::Answer{now_ns + 10'000'000, TestServer::Ok("")}; });
  LoadOptions options = Options(server.port(), 1, kSeconds);
  options.sender.closed = true;
  options.in_flight = 5;
  options.threads = 2;
  const LoadResult result = Measure(options);
  EXPECT_EQ(result.connections, 5u);
  EXPECT_EQ(result.totals.misses(), 0u);
  EXPECT_LE(result.totals.answered(), 5u * 31);  // ten milliseconds each, at least
  EXPECT_GE(result.totals.answered(), 5u * 10);
  EXPECT_NE(ReportJson(options, result).find("\"schedule_delay_ms\": null"), std::string::npos);
}

TEST(LoadRun, EndsEarlyWhenItIsStopped) {
  TestServer server([](int64_t) { return TestServer::Answer{0, TestServer::Ok("")}; });
  std::atomic<bool> stop{false};
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    stop.store(true);
  });
  const LoadOptions options = Options(server.port(), 100, 600);
  const Result<LoadResult> result = RunLoad(options, stop, [](const ProgressCounts&) {});
  stopper.join();
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result.value().is_complete);
  EXPECT_GT(result.value().totals.answered(), 10u);
  EXPECT_LT(result.value().measured_ns, 20 * kNsPerSecond);
  EXPECT_NE(ReportJson(options, result.value()).find("\"complete\": false"), std::string::npos);
}

TEST(LoadRun, SaysWhenNobodyListens) {
  uint16_t port = 0;
  {
    TestServer server([](int64_t) { return TestServer::Answer{}; });
    port = server.port();
  }
  const std::atomic<bool> stop{false};
  const Result<LoadResult> result = RunLoad(Options(port, 1, 1), stop, [](const ProgressCounts&) {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kClosed);
  EXPECT_NE(result.status().message().find("Connection refused"), std::string::npos) << result.status().message();
}

}  // namespace
}  // namespace penstock::loadgen
