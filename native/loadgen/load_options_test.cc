#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "loadgen/load_options.h"

namespace penstock::loadgen {
namespace {

std::string FileOf(const std::string& name, const std::string& bytes) {
  const std::string path = ::testing::TempDir() + "penstock_loadgen_" + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::string FaultOf(std::vector<std::string> args) {
  args.insert(args.begin(), {"--port", "80"});
  return ParseOptions(args).status().message();
}

TEST(LoadOptions, MakeTheRequestAsItGoesOverTheWire) {
  const std::string body = FileOf("body", std::string("a\0b", 3));
  const Result<LoadOptions> options = ParseOptions({"--host", "::1", "--port", "8000", "--path", "/v2", "--header", "A: b",
                                                    "--header", "C: d", "--body", body, "--rate", "2.5", "--duration", "3",
                                                    "--warm-up", "0.5", "--seed", "9"});
  ASSERT_TRUE(options.ok()) << options.status().message();
  EXPECT_EQ(options.value().request,
            "POST /v2 HTTP/1.1\r\nHost: [::1]:8000\r\nA: b\r\nC: d\r\nContent-Length: 3\r\n\r\n" + std::string("a\0b", 3));
  EXPECT_EQ(options.value().host, "::1");
  EXPECT_EQ(options.value().sender.schedule.rate, 2.5);
  EXPECT_EQ(options.value().sender.schedule.length_ns, 3'500'000'000);
  EXPECT_EQ(options.value().sender.warm_up_ns, 500'000'000);
  EXPECT_EQ(options.value().sender.schedule.seed, 9u);
  std::remove(body.c_str());
}

TEST(LoadOptions, MakeACallOfGrpc) {
  const std::string body = FileOf("message", std::string(258, 'x'));
  const Result<LoadOptions> options = ParseOptions({"--protocol", "grpc", "--host", "::1", "--port", "8001", "--header", "X-Who: Me",
                                                    "--body", body, "--closed-loop", "4", "--duration", "1"});
  ASSERT_TRUE(options.ok()) << options.status().message();
  const GrpcRequest& request = options.value().grpc_request;
  EXPECT_EQ(request.body, std::string("\0\0\0\1\2", 5) + std::string(258, 'x'));
  const std::pair<std::string, std::string> authority(":authority", "[::1]:8001");
  EXPECT_EQ(request.fields[3], authority);
  const std::pair<std::string, std::string> own("x-who", "Me");
  EXPECT_EQ(request.fields.back(), own);
  EXPECT_EQ(options.value().in_flight, 4u);
  EXPECT_EQ(options.value().streams, kDefaultStreams);
  std::remove(body.c_str());
}

TEST(LoadOptions, TakeATraceForAsLongAsItIs) {
  const std::string trace = FileOf("trace", "0\n1.5\n");
  const Result<LoadOptions> options = ParseOptions({"--port", "80", "--arrivals", "trace:" + trace});
  ASSERT_TRUE(options.ok()) << options.status().message();
  EXPECT_EQ(options.value().sender.schedule.length_ns, 1'500'000'001);
  EXPECT_EQ(FaultOf({"--arrivals", "trace:" + trace, "--rate", "1"}), "--rate: a trace has its own");
  std::remove(trace.c_str());
}

TEST(LoadOptions, SayWhatIsWrong) {
  EXPECT_EQ(ParseOptions({}).status().message(), "--port is missing");
  EXPECT_EQ(FaultOf({}), "--rate is missing");
  EXPECT_EQ(FaultOf({"--rate", "1"}), "--duration is missing");
  EXPECT_EQ(FaultOf({"--rate"}), "--rate needs a value");
  EXPECT_EQ(FaultOf({"--speed", "1"}), "\"--speed\" is not a flag");
  EXPECT_EQ(FaultOf({"--rate", "0"}), "--rate: \"0\" is not a number from 0.001 to 10000000");
  EXPECT_EQ(FaultOf({"--rate", "nan"}), "--rate: \"nan\" is not a number from 0.001 to 10000000");
  EXPECT_EQ(FaultOf({"--threads", "1.5"}), "--threads: \"1.5\" is not a whole number");
  EXPECT_EQ(FaultOf({"--header", "A: b\r\nC: d"}), "--header: \"A: b\r\nC: d\" is not NAME: VALUE");
  EXPECT_EQ(FaultOf({"--rate", "1", "--duration", "1", "--protocol", "h2"}), "--protocol: \"h2\" is not http or grpc");
  EXPECT_EQ(FaultOf({"--rate", "1", "--duration", "1", "--streams", "2"}),
            "--streams: a connection of HTTP/1.1 carries one request at a time");
  EXPECT_EQ(FaultOf({"--rate", "1", "--duration", "1", "--protocol", "grpc", "--method", "GET"}), "--method: gRPC has one");
  EXPECT_EQ(FaultOf({"--body", "/nope"}), "--body: cannot read /nope");
  EXPECT_EQ(FaultOf({"--rate", "1", "--duration", "1", "--closed-loop", "1"}), "--rate and --closed-loop exclude each other");
  EXPECT_EQ(FaultOf({"--rate", "1", "--duration", "1", "--arrivals", "gamma"}),
            "--arrivals gamma:SHAPE: \"\" is not a number from 0.01 to 1000");
}

}  // namespace
}  // namespace penstock::loadgen
