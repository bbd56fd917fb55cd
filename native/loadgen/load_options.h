// What a run is to do, from the command line of penstock-loadgen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "loadgen/expected_body.h"
#include "loadgen/grpc_connection.h"
#include "loadgen/sender.h"

namespace penstock::loadgen {

enum class Protocol : uint8_t { kHttp, kGrpc };

// Calls that share a connection of gRPC, as those of clients do. Enough of them that a high rate does not need a thousand connections, few
// enough that a server which spreads its work by connection gets some.
inline constexpr size_t kDefaultStreams = 16;

struct LoadOptions {
  Protocol protocol = Protocol::kHttp;
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  std::string request;           // of HTTP: head and body, as they go over the wire
  GrpcRequest grpc_request;
  ExpectedBody expected;
  SenderOptions sender;
  size_t in_flight = 0;          // of a closed loop, requests at a time; 0 = open
  size_t streams = 1;            // requests at a time on a connection
  size_t max_connections = 1024; // of an open one, over all threads
  size_t threads = 1;
  int64_t grace_ns = 0;          // from the end of the schedule: what has no answer then has none
  bool ends_with_parent = false; // when the process that started this one is gone, the run ends as by SIGINT
};

// `args` without the name of the program. kConfigOption names what is wrong. Reads the files that are named.
Result<LoadOptions> ParseOptions(const std::vector<std::string>& args);

const char* UsageText();

}  // namespace penstock::loadgen
