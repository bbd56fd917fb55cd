// A whole run: resolves the server, opens connections, runs the threads, and puts together what they measured.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/status.h"
#include "loadgen/load_options.h"
#include "loadgen/totals.h"

namespace penstock::loadgen {

struct LoadResult {
  Totals totals;
  int64_t start_ns = 0;        // of the schedule, monotonic
  int64_t measured_ns = 0;     // what the requests that count are spread over
  size_t connections = 0;      // that were opened in the end
  bool is_complete = true;     // false: it was stopped before its end
  bool is_preferred = false;   // all threads had real-time priority
};

// Of all threads since the start.
struct ProgressCounts {
  double seconds = 0;
  uint64_t sent = 0;
  uint64_t answered = 0;
  uint64_t misses = 0;
};

// Blocks until the run is over. `stop` ends it early. `each_second` is called by this thread. kClosed: the server cannot be reached.
// kNotSupported: there is no library for its protocol.
Result<LoadResult> RunLoad(const LoadOptions& options, const std::atomic<bool>& stop,
                           const std::function<void(const ProgressCounts&)>& each_second);

}  // namespace penstock::loadgen
