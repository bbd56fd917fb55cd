// The one map from a status to what a client sees, as src/frontend/error-reply.ts has it: a test compares the two for every code.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace penstock::frontend {

struct ErrorReply {
  int http_status = 500;
  int grpc_status = 13;
  std::string message;         // what the client may read
  int64_t retry_after_ms = 0;  // before any jitter; 0 = say nothing
  bool is_our_fault = false;   // class internal: belongs into the log as an error
};

// `status` is not OK.
ErrorReply ReplyFor(const Status& status);

// Milliseconds until a refused client should come back: the advice, spread out as src/frontend/retry-delay.ts says. `unit` is in [0, 1).
double RetryDelayMs(int64_t advice_ms, double unit);
// The value of a Retry-After header. Two numbers in [0, 1).
int64_t RetryAfterSeconds(int64_t advice_ms, double unit, double blur);

}  // namespace penstock::frontend
