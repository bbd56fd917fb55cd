// What a run is to do, from the command line of penstock-loadgen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "loadgen/reply_reader.h"
#include "loadgen/sender.h"

namespace penstock::loadgen {

struct LoadOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  std::string request;           // head and body, as they go over the wire
  ExpectedBody expected;
  SenderOptions sender;
  size_t closed_connections = 0; // of a closed loop; 0 = open
  size_t max_connections = 1024; // of an open one, over all threads
  size_t threads = 1;
  int64_t grace_ns = 0;          // from the end of the schedule: what has no answer then has none
  bool ends_with_parent = false; // when the process that started this one is gone, the run ends as by SIGINT
};

// `args` without the name of the program. kConfigOption names what is wrong. Reads the files that are named.
Result<LoadOptions> ParseOptions(const std::vector<std::string>& args);

const char* UsageText();

}  // namespace penstock::loadgen
