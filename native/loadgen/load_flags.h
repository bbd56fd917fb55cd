// The flags of penstock-loadgen that have a value.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>

#include "base/status.h"
#include "loadgen/load_options.h"
#include "loadgen/request_bytes.h"

namespace penstock::loadgen {

// What means something only together with other flags.
struct Given {
  std::string protocol = "http";
  RequestParts request;
  std::string arrivals = "poisson";
  double duration_s = 0;  // 0: not given
  double warm_up_s = 0;
  double grace_s = 10;
  size_t streams = 0;      // 0: not given
  bool has_rate = false;
};

// Takes the value of a flag. kConfigOption names what is wrong with it.
using TakeFlag = std::function<Status(const std::string& flag, const std::string& value)>;

// By name. Both outlive it.
std::map<std::string, TakeFlag> LoadFlags(LoadOptions* options, Given* given);

}  // namespace penstock::loadgen
