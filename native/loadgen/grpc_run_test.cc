#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>
#include <utility>

#include "loadgen/grpc_test_server.h"
#include "loadgen/load_run.h"
#include "loadgen/report.h"
#include "loadgen/test_server.h"
#include "transport/nghttp2_library.h"

namespace penstock::loadgen {
namespace {

using Answer = GrpcTestServer::Answer;
using Call = GrpcTestServer::Call;

// Skips, with the reason, where there is no nghttp2.
class GrpcRun : public ::testing::Test {
 protected:
  void SetUp() override {
    const Result<const transport::Nghttp2*> found = transport::FindNghttp2();
    if (!found.ok()) GTEST_SKIP() << found.status().message();
    http2_ = found.value();
  }

  static LoadOptions Options(uint16_t port, double rate, double seconds) {
    Result<LoadOptions> options = ParseOptions({"--protocol", "grpc", "--port", std::to_string(port), "--rate", std::to_string(rate),
                                                "--duration", std::to_string(seconds), "--arrivals", "constant", "--grace", "5"});
    EXPECT_TRUE(options.ok()) << options.status().message();
    return std::move(options).value();
  }

  static LoadOptions Closed(uint16_t port, size_t in_flight, double seconds) {
    LoadOptions options = Options(port, 1, seconds);
    options.sender.closed = true;
    options.in_flight = in_flight;
    return options;
  }

  static LoadResult Measure(const LoadOptions& options) {
    const std::atomic<bool> stop{false};
    Result<LoadResult> result = RunLoad(options, stop, [](const ProgressCounts&) {});
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? std::move(result).value() : LoadResult();
  }

  static uint64_t Count(const LoadResult& result, Outcome outcome) { return result.totals.outcomes[static_cast<size_t>(outcome)]; }
  static std::string Message(const std::string& bytes) { return GrpcTestServer::Message(bytes); }

  const transport::Nghttp2* http2_ = nullptr;
};

TEST_F(GrpcRun, SendsEveryCallOnceFromSeveralThreadsAsClientsOfGrpcDo) {
  std::atomic<uint64_t> taken{0};
  Call last;
  LoadResult result;
  {
    GrpcTestServer server(http2_, {}, [&](const Call& call) {
      ++taken;
      last = call;
      Answer answer;
      answer.body = Message("yes");
      return answer;
    });
    LoadOptions options = Options(server.port(), 2000, 0.25);
    options.threads = 3;
    options.expected = {"ye", false};
    options.grpc_request.body = Message("request");
    result = Measure(options);
  }
  EXPECT_EQ(result.totals.answered(), 500u);
  EXPECT_EQ(taken.load(), 500u);
  EXPECT_EQ(last.body, Message("request"));
  EXPECT_EQ(last.fields[":method"], "POST");
  EXPECT_EQ(last.fields[":path"], "/inference.GRPCInferenceService/ModelInfer");
  EXPECT_EQ(last.fields["te"], "trailers");
  EXPECT_EQ(last.fields["content-type"], "application/grpc");
}

TEST_F(GrpcRun, TellsTheKindsOfMissesApart) {
  int number = 0;
  GrpcTestServer server(http2_, {}, [&](const Call&) {
    Answer answer;
    switch (number++ % 10) {
      case 0:
        answer.grpc_status = "14";
        break;
      case 1:
        answer.grpc_status = "8";
        break;
      case 2:
        answer.reset = transport::kHttp2RefusedStream;
        break;
      case 3:
        answer.grpc_status = "5";
        break;
      case 4:
        answer.reset = transport::kHttp2Cancel;
        break;
      case 5:
        answer.http_status = "404";  // without a status of gRPC
        answer.grpc_status = "";
        break;
      case 6:
        answer.body = Message("no");
        break;
      case 7:
        answer.body = Message("yes") + Message("yes");
        break;
      case 8:
        answer.body = Message("yes").replace(0, 1, "\1");  // says that it is compressed
        break;
      default:
        answer.body = Message("yes");
    }
    return answer;
  });
  LoadOptions options = Options(server.port(), 800, 0.25);
  options.expected = {"yes", false};
  const LoadResult result = Measure(options);
  EXPECT_EQ(result.totals.requests(), 200u);
  EXPECT_EQ(Count(result, Outcome::kShed), 60u);
  EXPECT_EQ(Count(result, Outcome::kFailed), 60u);
  EXPECT_EQ(Count(result, Outcome::kWrong), 60u);
  EXPECT_EQ(Count(result, Outcome::kBroken), 0u);
  EXPECT_EQ(result.totals.answered(), 20u);
}

TEST_F(GrpcRun, KeepsAsManyInFlightAsAClosedLoopHasOnFewConnections) {
  GrpcTestServer server(http2_, {}, [](const Call&) {
    Answer answer;
    answer.body = Message("");
    answer.after_ns = 10'000'000;
    return answer;
  });
  LoadOptions options = Closed(server.port(), 10, 0.3);
  options.streams = 4;
  const LoadResult result = Measure(options);
  EXPECT_EQ(result.connections, 3u);
  EXPECT_EQ(server.most_at_once(), 4u);
  EXPECT_EQ(result.totals.misses(), 0u);
  EXPECT_LE(result.totals.answered(), 10u * 31);  // ten milliseconds each, at least
  EXPECT_GE(result.totals.answered(), 10u * 3);
}

TEST_F(GrpcRun, OpensMoreConnectionsWhereTheServerAllowsFewCallsOnEach) {
  GrpcTestServer::Settings settings;
  settings.max_streams = 2;
  GrpcTestServer server(http2_, settings, [](const Call&) {
    Answer answer;
    answer.body = Message("");
    answer.after_ns = 5'000'000;
    return answer;
  });
  LoadOptions options = Closed(server.port(), 8, 0.6);
  options.sender.warm_up_ns = 3 * kNsPerSecond / 10;  // in which the server says so
  const LoadResult result = Measure(options);
  EXPECT_EQ(result.totals.misses(), 0u);
  EXPECT_GT(result.totals.answered(), 8u);
  EXPECT_GE(server.connections(), 4u);
  EXPECT_LE(server.most_at_once(), 2u);
}

TEST_F(GrpcRun, GoesOnOverANewConnectionWhenTheServerGoesAway) {
  int number = 0;
  GrpcTestServer server(http2_, {}, [&](const Call&) {
    Answer answer;
    answer.body = Message("");
    answer.goes_away = ++number % 50 == 0;
    return answer;
  });
  const LoadResult result = Measure(Closed(server.port(), 4, 0.3));
  EXPECT_GT(result.totals.answered(), 100u);
  EXPECT_GE(server.connections(), 3u);
  // What was under way to a server that has gone was refused, not lost.
  EXPECT_EQ(result.totals.misses(), Count(result, Outcome::kShed));
  EXPECT_LE(result.totals.misses(), 3u * server.connections());
}

TEST_F(GrpcRun, CountsWhatASocketThatIsClosedTakesWithItAsBroken) {
  int number = 0;
  GrpcTestServer server(http2_, {}, [&](const Call&) {
    Answer answer;
    answer.body = Message("");
    answer.closes = ++number % 20 == 0;
    return answer;
  });
  const LoadResult result = Measure(Options(server.port(), 400, 0.5));
  EXPECT_EQ(result.totals.requests(), 200u);
  EXPECT_GE(Count(result, Outcome::kBroken), 5u);
  EXPECT_EQ(result.totals.answered() + Count(result, Outcome::kBroken), 200u);
  EXPECT_GE(result.totals.answered(), 100u);
}

TEST_F(GrpcRun, TakesAnswersThatAreFarLargerThanTheWindowsOfHttp2) {
  const std::string large(64 * 1024 * 1024, 'x');
  GrpcTestServer server(http2_, {}, [&](const Call&) {
    Answer answer;
    answer.body = Message(large);
    return answer;
  });
  LoadOptions options = Closed(server.port(), 1, 0.05);
  options.grace_ns = 60 * kNsPerSecond;
  options.expected = {large, true};
  const LoadResult result = Measure(options);
  EXPECT_GE(result.totals.answered(), 1u);
  EXPECT_EQ(result.totals.misses(), 0u);
}

TEST_F(GrpcRun, SendsLargeRequestsAsTheServerMakesRoomForThem) {
  std::set<size_t> sizes;
  LoadResult result;
  {
    GrpcTestServer server(http2_, {}, [&](const Call& call) {
      sizes.insert(call.body.size());
      Answer answer;
      answer.body = Message("");
      return answer;
    });
    LoadOptions options = Closed(server.port(), 4, 0.1);
    options.grace_ns = 60 * kNsPerSecond;
    options.grpc_request.body = Message(std::string(4 * 1024 * 1024, 'x'));
    result = Measure(options);
  }
  EXPECT_GE(result.totals.answered(), 4u);
  EXPECT_EQ(result.totals.misses(), 0u);
  EXPECT_EQ(sizes, std::set<size_t>{4 * 1024 * 1024 + 5});
}

TEST_F(GrpcRun, StopsSendingWhatTheServerHasAnsweredAlready) {
  GrpcTestServer::Settings settings;
  settings.answers_early = true;
  GrpcTestServer server(http2_, settings, [](const Call&) {
    Answer answer;
    answer.grpc_status = "8";
    return answer;
  });
  LoadOptions options = Closed(server.port(), 4, 0.1);
  options.grpc_request.body = Message(std::string(4 * 1024 * 1024, 'x'));
  const LoadResult result = Measure(options);
  EXPECT_GE(Count(result, Outcome::kShed), 4u);
  EXPECT_EQ(Count(result, Outcome::kShed), result.totals.requests());
}

TEST_F(GrpcRun, CallsThatHaveNoAnswerInTheGraceAreUnanswered) {
  int number = 0;
  GrpcTestServer server(http2_, {}, [&](const Call&) {
    Answer answer;
    answer.body = Message("");
    answer.is_never = ++number % 2 == 0;
    return answer;
  });
  LoadOptions options = Options(server.port(), 200, 0.2);
  options.grace_ns = kNsPerSecond / 4;
  const LoadResult result = Measure(options);
  EXPECT_EQ(result.totals.answered(), 20u);
  EXPECT_EQ(Count(result, Outcome::kUnanswered), 20u);
}

TEST_F(GrpcRun, ServersThatSpeakSomethingElseBreakEveryCall) {
  TestServer server([](int64_t) { return TestServer::Answer{0, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", true}; });
  const LoadResult result = Measure(Options(server.port(), 100, 0.2));
  EXPECT_EQ(result.totals.requests(), 20u);
  EXPECT_EQ(Count(result, Outcome::kBroken), 20u);
}

TEST_F(GrpcRun, SaysWhatItSpoke) {
  GrpcTestServer server(http2_, {}, [](const Call&) {
    Answer answer;
    answer.body = Message("");
    return answer;
  });
  const LoadOptions options = Options(server.port(), 50, 0.1);
  const std::string json = ReportJson(options, Measure(options));
  EXPECT_NE(json.find("{\"protocol\": \"grpc\", \"streams\": 16, \"loop\": \"open\""), std::string::npos) << json;
}

}  // namespace
}  // namespace penstock::loadgen
